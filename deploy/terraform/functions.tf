# The Cloud Run functions, from one build, each with its own identity and archive.

# Keeps what the names, locations and URLs of almost everything were made of at first, also when the variables change later.
resource "terraform_data" "place" {
  input = { region = var.region, name_prefix = var.name_prefix }

  lifecycle {
    ignore_changes = [input]
  }
}

resource "google_storage_bucket" "archives" {
  project                     = var.project_id
  name                        = local.archives_bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  labels                      = var.labels

  # Sources of earlier revisions are kept as long as Keydesk is deployed, for a rollback. A destroy deletes them: the same release and policy give
  # the same archives again.
  versioning {
    enabled = true
  }

  lifecycle {
    precondition {
      condition     = var.region == terraform_data.place.output.region && var.name_prefix == terraform_data.place.output.name_prefix
      error_message = "region or name_prefix is not what it was at the first apply (${terraform_data.place.output.region}, ${terraform_data.place.output.name_prefix}). This plan would delete the functions and create others with other URLs. If that is meant, follow \"Another region or name_prefix\" in deploy/terraform/README.md."
    }
  }

  depends_on = [time_sleep.apis]
}

# The content's hash in the name: another archive is another object, and thereby another revision.
resource "google_storage_bucket_object" "archive" {
  for_each = local.functions

  bucket = google_storage_bucket.archives.name
  name   = "${each.key}-${filesha256("${var.archives_dir}/${each.key}.zip")}.zip"
  source = "${var.archives_dir}/${each.key}.zip"

  # In another region the bucket has the same name, and no objects yet.
  lifecycle {
    replace_triggered_by = [terraform_data.place]
  }
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = local.image_repository
  description   = "Images of Keydesk's functions, built from archives."
  format        = "DOCKER"
  labels        = var.labels

  depends_on = [time_sleep.apis]
}

# Terraform's resource of a service builds nothing, also where it names a source (hashicorp/terraform-provider-google issue 22263).
# ../build.sh does. The image's tag is the archive's hash: another setting alone builds nothing.
resource "terraform_data" "image" {
  for_each = local.deployed

  triggers_replace = [local.images[each.key], local.base_image]

  provisioner "local-exec" {
    command = "\"$BUILD_SH\" --project=\"$PROJECT\" --region=\"$REGION\" --target=\"$TARGET\" --source=\"$SOURCE\" --image=\"$IMAGE\" --base-image=\"$BASE_IMAGE\" --service-account=\"$ACCOUNT\""
    environment = {
      BUILD_SH   = abspath("${path.module}/../build.sh")
      PROJECT    = var.project_id
      REGION     = coalesce(var.build_region, var.region)
      TARGET     = each.key
      SOURCE     = "gs://${google_storage_bucket.archives.name}/${google_storage_bucket_object.archive[each.key].name}"
      IMAGE      = local.images[each.key]
      BASE_IMAGE = local.base_image
      ACCOUNT    = google_service_account.build.email
    }
  }

  depends_on = [time_sleep.grants, google_artifact_registry_repository.images]
}

resource "google_cloud_run_v2_service" "keydesk" {
  for_each = local.deployed

  project             = var.project_id
  location            = var.region
  name                = "${var.name_prefix}-${each.key}"
  description         = "Keydesk: ${each.key}"
  labels              = var.labels
  ingress             = each.value.ingress
  deletion_protection = false

  # Of the public ones, Cloud Run lets every request through; they verify a job token or a signature themselves.
  invoker_iam_disabled = contains(local.public, each.key) && var.public_access == "invoker_check_disabled"

  template {
    service_account                  = google_service_account.function[each.key].email
    timeout                          = "${each.value.timeout}s"
    max_instance_request_concurrency = each.value.concurrency

    scaling {
      min_instance_count = each.value.min_instances
      max_instance_count = each.value.max_instances
    }

    containers {
      image          = local.images[each.key]
      base_image_uri = local.base_image

      resources {
        limits            = { cpu = each.value.cpu, memory = each.value.memory }
        cpu_idle          = each.value.cpu_idle
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 60

        # The token function alone has a page that says that it is healthy.
        dynamic "http_get" {
          for_each = each.value.health == null ? [] : [each.value.health]
          content {
            path = http_get.value
          }
        }
        dynamic "tcp_socket" {
          for_each = each.value.health == null ? [8080] : []
          content {
            port = tcp_socket.value
          }
        }
      }

      dynamic "liveness_probe" {
        for_each = each.value.health == null ? [] : [each.value.health]
        content {
          period_seconds    = 30
          timeout_seconds   = 10
          failure_threshold = 3
          http_get {
            path = liveness_probe.value
          }
        }
      }

      dynamic "env" {
        for_each = merge(each.value.environment, {
          NODE_ENV             = "production"
          NODE_OPTIONS         = local.node_options[each.key]
          GOOGLE_CLOUD_PROJECT = var.project_id
          KEYDESK_DATABASE     = var.ledger_database
        }, var.trusted_proxies > 0 && contains(local.public, each.key) ? { KEYDESK_TRUSTED_PROXIES = tostring(var.trusted_proxies) } : {})
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = each.value.secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = "${var.name_prefix}-${env.value.secret}"
              version = env.value.version
            }
          }
        }
      }
    }
  }

  # What the image was built from.
  build_config {
    source_location          = "gs://${google_storage_bucket.archives.name}/${google_storage_bucket_object.archive[each.key].name}"
    function_target          = each.key
    image_uri                = local.images[each.key]
    base_image               = local.base_image
    enable_automatic_updates = true
    service_account          = google_service_account.build.id
  }

  # An instance that starts before it may read its secret or the ledger does not start. And no token is issued before the rules
  # that judge it are in force: until then it would open what the owner's own rules open to any signed-in user.
  depends_on = [terraform_data.image, google_firestore_database.ledger, time_sleep.grants, time_sleep.rules]
}
