# The ledger: a Firestore database of its own. It has no security rules, so no client reaches it but by IAM. Its indexes
# are those of firestore.indexes.json, which the emulator and the tests use too; for exemptions and TTL see fields.tf.

resource "google_firestore_database" "ledger" {
  project                           = var.project_id
  name                              = var.ledger_database
  location_id                       = var.ledger_location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "PESSIMISTIC"
  delete_protection_state           = "DELETE_PROTECTION_ENABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  deletion_policy                   = "ABANDON"

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = !contains(keys(local.data_databases), local.ledger)
      error_message = "The policy has a firestore credential that opens the ledger's own database."
    }
    precondition {
      condition     = !contains(local.pool_projects, var.project_id) && length(setintersection(local.pool_projects, local.data_projects)) == 0
      error_message = "Pooled accounts need a project of their own: neither Keydesk's nor one whose Firestore the policy opens."
    }
    precondition {
      condition = alltrue([
        for email in local.standing_accounts :
        !contains(local.minters_must_avoid, local.account_projects[email]) && !contains(local.default_accounts, email)
      ])
      error_message = "A signer or shared account of the policy is in Keydesk's project or in a pool's. An identity that mints for it could act as Keydesk, or for another job."
    }
    precondition {
      condition     = length(local.without_rules) == 0
      error_message = "No entry in rules_files for ${join(", ", local.without_rules)}: there, Keydesk's tokens would open what your own rules open to any signed-in user. If you deploy the generated rules by other means, name the database in rules_managed_externally."
    }
    precondition {
      condition     = length(setsubtract(local.minters_must_avoid, keys(var.project_numbers))) == 0
      error_message = "project_numbers has no entry for ${join(", ", setsubtract(local.minters_must_avoid, keys(var.project_numbers)))}: add the number that gcloud projects describe PROJECT --format='value(projectNumber)' prints."
    }
    precondition {
      condition     = length(local.mixed_pool_projects) == 0
      error_message = "Pools of several environments are in ${join(", ", local.mixed_pool_projects)}. Roles are granted to all service accounts of a pool's project: give each environment a pool project of its own, or name a group for each of them in pool_groups."
    }
    precondition {
      condition     = !contains(local.pool_projects, "-")
      error_message = "A pooled account's address must name its project: NAME@PROJECT.iam.gserviceaccount.com."
    }
  }

  depends_on = [time_sleep.apis]
}

locals {
  ledger_indexes = {
    for index in local.indexes_file.indexes :
    "${index.collectionGroup}: ${join(", ", [for field in index.fields : field.fieldPath])}" => index
  }
}

resource "google_firestore_index" "ledger" {
  for_each = local.ledger_indexes

  project     = var.project_id
  database    = google_firestore_database.ledger.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = fields.value.fieldPath
      order        = try(fields.value.order, null)
      array_config = try(fields.value.arrayConfig, null)
    }
  }
}
