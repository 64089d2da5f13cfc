# The security rules of each database that a `firestore` credential opens, which read the grant documents in it. The
# databases themselves are yours, and are not created here.

locals {
  data_rules = { for name, database in local.data_databases : name => merge(database, { file = var.rules_files[name] }) if contains(keys(var.rules_files), name) }
}

resource "google_firebaserules_ruleset" "data" {
  for_each = local.data_rules

  project = each.value.project

  source {
    files {
      name    = "firestore.rules"
      content = file(each.value.file)
    }
  }

  lifecycle {
    # The old rules stay in force until the release names the new ones.
    create_before_destroy = true
  }

  depends_on = [google_project_service.needed]
}

# Changed in place: a release that were deleted first would leave the database without rules for a moment.
resource "google_firebaserules_release" "data" {
  for_each = local.data_rules

  project      = each.value.project
  name         = each.value.database == "(default)" ? "cloud.firestore" : "cloud.firestore/${each.value.database}"
  ruleset_name = "projects/${each.value.project}/rulesets/${reverse(split("/", google_firebaserules_ruleset.data[each.key].name))[0]}"
}
