# The security rules of each database that a `firestore` credential opens. Not by google_firebaserules_release: that deletes the
# live release before it makes the new one, and a database without rules refuses every client. ../rules.sh changes it in
# one request, and refuses to replace rules that the file does not hold. A change by hand is not seen by a plan.

locals {
  without_rules = setsubtract(keys(local.data_databases), setunion(keys(var.rules_files), var.rules_managed_externally))
}

resource "terraform_data" "rules" {
  for_each = { for name, database in local.data_databases : name => merge(database, { file = var.rules_files[name] }) if contains(keys(var.rules_files), name) }

  triggers_replace = filesha256(each.value.file)

  provisioner "local-exec" {
    command = "\"$RULES_SH\" \"$PROJECT\" \"$DATABASE\" \"$FILE\""
    environment = {
      RULES_SH = abspath("${path.module}/../rules.sh")
      PROJECT  = each.value.project
      DATABASE = each.value.database
      FILE     = abspath(each.value.file)
    }
  }

  depends_on = [time_sleep.apis]
}
