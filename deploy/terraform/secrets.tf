# Two secrets without values: versions are added by hand (the outputs say how), and their numbers are variables. So no
# secret is ever in a plan or in Terraform's state.

resource "google_secret_manager_secret" "webhook_tokens" {
  project   = var.project_id
  secret_id = "${var.name_prefix}-webhook-tokens"
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret" "buildkite_api_token" {
  project   = var.project_id
  secret_id = "${var.name_prefix}-buildkite-api-token"
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [google_project_service.needed]
}
