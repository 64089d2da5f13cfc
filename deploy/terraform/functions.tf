# The three functions, from one build, each with its own identity and archive.

data "google_project" "keydesk" {
  project_id = var.project_id
}

data "google_project" "avoided" {
  for_each   = local.minters_must_avoid
  project_id = each.key
}

resource "google_storage_bucket" "archives" {
  project                     = var.project_id
  name                        = "${var.project_id}-${var.name_prefix}-archives"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels

  # Sources of earlier revisions are kept, for a rollback and for an investigation.
  versioning {
    enabled = true
  }

  depends_on = [google_project_service.needed]
}

# The content's hash in the name: another archive is another object, and thereby another revision.
resource "google_storage_bucket_object" "archive" {
  for_each = local.functions

  bucket = google_storage_bucket.archives.name
  name   = "${each.key}-${filesha256("${var.archives_dir}/${each.key}.zip")}.zip"
  source = "${var.archives_dir}/${each.key}.zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = "${var.name_prefix}-functions"
  description   = "Images of Keydesk's functions, built by Cloud Functions."
  format        = "DOCKER"
  labels        = var.labels

  depends_on = [google_project_service.needed]
}

resource "google_cloudfunctions2_function" "keydesk" {
  for_each = local.deployed

  project     = var.project_id
  location    = var.region
  name        = "${var.name_prefix}-${each.key}"
  description = "Keydesk: ${each.key}"
  labels      = var.labels

  build_config {
    runtime           = "nodejs24"
    entry_point       = each.key
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive[each.key].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    timeout_seconds                  = each.value.timeout
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true

    environment_variables = merge(each.value.environment, {
      NODE_ENV             = "production"
      GOOGLE_CLOUD_PROJECT = var.project_id
      KEYDESK_DATABASE     = google_firestore_database.ledger.name
    })

    dynamic "secret_environment_variables" {
      for_each = each.value.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = "${var.name_prefix}-${secret_environment_variables.value.secret}"
        version    = secret_environment_variables.value.version
      }
    }
  }

  # An instance that starts before it may read its secret or the ledger does not start. And no token is issued before the rules
  # that judge it are in force: until then it would open what the owner's own rules open to any signed-in user.
  depends_on = [
    terraform_data.rules,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_sources,
    google_artifact_registry_repository_iam_member.build_images,
    google_storage_bucket_iam_member.build_archives,
    google_secret_manager_secret_iam_member.webhook_tokens,
    google_secret_manager_secret_iam_member.buildkite_api_token,
    google_project_iam_member.ledger,
  ]
}
