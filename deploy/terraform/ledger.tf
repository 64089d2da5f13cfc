# The ledger: a Firestore database of its own. It has no security rules, so no client reaches it but by IAM. Its indexes,
# exemptions and TTL fields are those of firestore.indexes.json, which the emulator and the tests use too.

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
      condition     = !contains(keys(local.data_databases), "${var.project_id}/${var.ledger_database}")
      error_message = "The policy has a firestore credential that opens the ledger's own database."
    }
    precondition {
      condition     = !contains(local.pool_projects, var.project_id) && length(setintersection(local.pool_projects, local.data_projects)) == 0
      error_message = "Pooled accounts need a project of their own: neither the desk's nor one whose Firestore the policy opens."
    }
    precondition {
      condition     = !contains(local.pool_projects, "-")
      error_message = "A pooled account's address must tell its project: NAME@PROJECT.iam.gserviceaccount.com."
    }
  }

  depends_on = [google_project_service.needed]
}

locals {
  # Of the one file, the grant documents' collection belongs to the data databases, everything else to the ledger.
  field_overrides = {
    for override in local.indexes_file.fieldOverrides : "${override.collectionGroup}/${override.fieldPath}" => override
  }
  ledger_fields = { for name, override in local.field_overrides : name => override if override.collectionGroup != "keydesk_grants" }
  grant_fields  = { for name, override in local.field_overrides : name => override if override.collectionGroup == "keydesk_grants" }
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

resource "google_firestore_field" "ledger" {
  for_each = local.ledger_fields

  project    = var.project_id
  database   = google_firestore_database.ledger.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  # An empty index_config turns every single-field index of the field off.
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
}
