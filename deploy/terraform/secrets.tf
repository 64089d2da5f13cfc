# Two secrets without values: versions are added by hand (the outputs say how), and their numbers are variables. So no
# secret is ever in a plan or in Terraform's state.

resource "google_secret_manager_secret" "webhook_tokens" {
  project   = var.project_id
  secret_id = local.secrets.webhook_tokens
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [time_sleep.apis]
}

resource "google_secret_manager_secret" "buildkite_api_token" {
  project   = var.project_id
  secret_id = local.secrets.buildkite_api_token
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [time_sleep.apis]
}
