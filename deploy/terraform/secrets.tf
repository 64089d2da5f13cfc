# Three secrets without values: versions are added by hand (the outputs say how), and their numbers are variables. So no
# secret is ever in a plan or in Terraform's state. Automatic replication counts as the location global, which some organizations forbid.

resource "google_secret_manager_secret" "webhook_tokens" {
  project   = var.project_id
  secret_id = local.secrets.webhook_tokens
  labels    = var.labels

  replication {
    dynamic "auto" {
      for_each = length(var.secret_locations) == 0 ? [true] : []
      content {}
    }
    dynamic "user_managed" {
      for_each = length(var.secret_locations) == 0 ? [] : [var.secret_locations]
      content {
        dynamic "replicas" {
          for_each = user_managed.value
          content {
            location = replicas.value
          }
        }
      }
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_secret_manager_secret" "buildkite_api_token" {
  project   = var.project_id
  secret_id = local.secrets.buildkite_api_token
  labels    = var.labels

  replication {
    dynamic "auto" {
      for_each = length(var.secret_locations) == 0 ? [true] : []
      content {}
    }
    dynamic "user_managed" {
      for_each = length(var.secret_locations) == 0 ? [] : [var.secret_locations]
      content {
        dynamic "replicas" {
          for_each = user_managed.value
          content {
            location = replicas.value
          }
        }
      }
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_secret_manager_secret" "buildkite_teams_api_token" {
  project   = var.project_id
  secret_id = local.secrets.buildkite_teams_api_token
  labels    = var.labels

  replication {
    dynamic "auto" {
      for_each = length(var.secret_locations) == 0 ? [true] : []
      content {}
    }
    dynamic "user_managed" {
      for_each = length(var.secret_locations) == 0 ? [] : [var.secret_locations]
      content {
        dynamic "replicas" {
          for_each = user_managed.value
          content {
            location = replicas.value
          }
        }
      }
    }
  }

  depends_on = [time_sleep.apis]
}
