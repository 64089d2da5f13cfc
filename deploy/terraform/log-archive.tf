# The data of the audit queries (deploy/audit/*.sql): one log bucket in Keydesk's project with Google's audit logs of every
# project that matters here and Keydesk's own lines, and a BigQuery dataset over it.
# A sink copies: the projects' own logs stay as they are. The module grants nobody access to read.

locals {
  log_bucket      = "${var.name_prefix}-logs"
  log_location    = var.log_archive == null ? "" : coalesce(var.log_archive.location, var.region)
  log_bucket_name = "projects/${var.project_id}/locations/${local.log_location}/buckets/${local.log_bucket}"

  # Keydesk's project; those with accounts that are minted for, disabled and enabled; those that jobs touch.
  archived_projects = toset(var.log_archive == null ? [] : setunion([var.project_id], local.account_owners, local.data_projects, local.touched_projects))

  google_lines  = "logName:\"/logs/cloudaudit.googleapis.com%2F\""
  keydesk_lines = "jsonPayload.event=~\"^(account|api_token|build|deployment|firebase_user|grant|issuer_keys|jobs?|kill_switch|operator|pool|request|startup|sweep|task|teams|token|webhook)[.][a-z_]+$\""
}

# Keeps the retention that the bucket was created with, also when the variable changes later.
resource "terraform_data" "log_retention" {
  count = var.log_archive == null ? 0 : 1

  input = var.log_archive.retention_days

  lifecycle {
    ignore_changes = [input]
  }
}

# Its location cannot be changed, and log analytics cannot be switched off again. Destroying it destroys the entries.
resource "google_logging_project_bucket_config" "archive" {
  count = var.log_archive == null ? 0 : 1

  project          = var.project_id
  location         = local.log_location
  bucket_id        = local.log_bucket
  description      = "Keydesk's lines, and Google's audit logs of the projects that its credentials reach."
  retention_days   = var.log_archive.retention_days
  locked           = var.log_archive.locked
  enable_analytics = true

  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = var.log_archive.retention_days >= terraform_data.log_retention[0].output
      error_message = "log_archive.retention_days is less than when the archive was made: entries older than that would be deleted for good. If that is meant, add -replace='module.keydesk.terraform_data.log_retention[0]'."
    }
  }

  depends_on = [time_sleep.apis]
}

# The link's name is the dataset's, which every query names.
resource "google_logging_linked_dataset" "archive" {
  count = var.log_archive == null ? 0 : 1

  link_id     = "keydesk_logs"
  bucket      = google_logging_project_bucket_config.archive[0].id
  description = "For deploy/audit/*.sql."

  depends_on = [time_sleep.apis]
}

# The queries of deploy/audit for everybody who can use BigQuery: without the days and names that a person puts into the files. A linked
# dataset cannot hold views, so they are in a dataset of their own, in the same location. BigQuery has no location that is called global.
locals {
  audit_views = var.log_archive != null && try(var.log_archive.views, false) && local.log_location != "global" ? fileset("${path.module}/../audit/views", "*.sql") : []
}

resource "google_bigquery_dataset" "audit" {
  count = length(local.audit_views) > 0 ? 1 : 0

  project       = var.project_id
  dataset_id    = "keydesk_audit"
  friendly_name = "Keydesk: audit queries"
  location      = contains(["eu", "us"], local.log_location) ? upper(local.log_location) : local.log_location
  labels        = var.labels

  depends_on = [time_sleep.apis]
}

resource "google_bigquery_table" "audit" {
  for_each = local.audit_views

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.audit[0].dataset_id
  table_id            = trimsuffix(each.key, ".sql")
  deletion_protection = false
  labels              = var.labels

  view {
    query          = replace(file("${path.module}/../audit/views/${each.key}"), "`PROJECT.keydesk_logs.", "`${var.project_id}.keydesk_logs.")
    use_legacy_sql = false
  }

  # BigQuery refuses a view over something that is not there.
  depends_on = [google_logging_linked_dataset.archive]
}

# Named after its destination, because two deployments may export from one project. privileges.tf lets a sink's identity write; a sink in
# the bucket's own project needs no permission, and has no identity of its own.
resource "google_logging_project_sink" "archive" {
  for_each = local.archived_projects

  project                = each.key
  name                   = "${local.log_bucket}-of-${var.project_id}"
  description            = "To Keydesk's log archive."
  destination            = "logging.googleapis.com/${local.log_bucket_name}"
  filter                 = each.key == var.project_id ? "${local.google_lines} OR ${local.keydesk_lines}" : local.google_lines
  unique_writer_identity = true

  depends_on = [google_logging_project_bucket_config.archive]
}
