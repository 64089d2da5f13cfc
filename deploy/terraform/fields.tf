# TTL fields and index exemptions, from firestore.indexes.json: the grant documents' collection is in each data database,
# every other in the ledger. TTL deletes records, and only fields that are queried have an index.

locals {
  databases = merge(local.data_databases, {
    (local.ledger) = { project = var.project_id, database = var.ledger_database }
  })
  fields = merge([
    for name, database in local.databases : {
      for override in local.indexes_file.fieldOverrides :
      "${name}/${override.collectionGroup}/${override.fieldPath}" => merge(database, override)
      if(override.collectionGroup == "keydesk_grants") == (name != local.ledger)
    }
  ]...)
}

resource "google_firestore_field" "needed" {
  for_each = local.fields

  project    = each.value.project
  database   = each.value.database
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  # Each change of a field is a long operation, and a TTL policy takes ten minutes and more. Waiting for them all in one apply invites
  # "too much contention", which the provider does not retry. What is not ready yet is slower or keeps a record longer; it grants nothing.
  skip_wait = true

  # The same for a destroy, in which the provider waits for each operation and does not retry a 409. In a data database the settings stay: TTL then
  # deletes the grant documents that are left. To end an exemption, a release has to list its indexes in firestore.indexes.json and not to remove it.
  deletion_policy = "ABANDON"

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

  depends_on = [time_sleep.apis, google_firestore_database.ledger]
}
