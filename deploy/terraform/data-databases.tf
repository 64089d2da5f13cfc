# What Keydesk needs in each database that a `firestore` credential opens: grant documents that leave by themselves, and
# the security rules that read them. The databases themselves are yours, and are not created here.

locals {
  data_fields = merge([
    for name, database in local.data_databases : {
      for field, override in local.grant_fields : "${name}/${field}" => merge(database, override)
    }
  ]...)
  data_rules = { for name, database in local.data_databases : name => merge(database, { file = var.rules_files[name] }) if contains(keys(var.rules_files), name) }
}

resource "google_firestore_field" "data" {
  for_each = local.data_fields

  project    = each.value.project
  database   = each.value.database
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
        query_scope  = try(indexes.value.queryScope, null)
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }

  depends_on = [google_project_service.needed]
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

check "every_data_database_has_rules" {
  assert {
    condition     = length(setsubtract(keys(local.data_databases), keys(var.rules_files))) == 0
    error_message = "No rules file for ${join(", ", setsubtract(keys(local.data_databases), keys(var.rules_files)))}: rules deployed by other means must hold what npm run rules generates."
  }
}

check "every_rules_file_has_a_database" {
  assert {
    condition     = length(setsubtract(keys(var.rules_files), keys(local.data_databases))) == 0
    error_message = "rules_files names databases that no firestore credential of the policy opens: ${join(", ", setsubtract(keys(var.rules_files), keys(local.data_databases)))}."
  }
}
