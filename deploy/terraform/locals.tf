# Names used in several files.

locals {
  # The three functions and their differences. `secrets` are variable => secret and version.
  functions = {
    token = merge(var.token_function, {
      environment = { KEYDESK_POLICY = "policy.yaml" }
      secrets     = {}
    })
    webhook = merge(var.webhook_function, {
      environment = {}
      secrets     = { KEYDESK_WEBHOOK_TOKENS = { secret = "webhook-tokens", version = var.webhook_tokens_version } }
    })
    sweep = merge(var.sweep_function, {
      concurrency   = 1
      min_instances = 0
      max_instances = 1
      environment   = {}
      secrets = var.buildkite_api_token_version == null ? {} : {
        KEYDESK_BUILDKITE_API_TOKEN = { secret = "buildkite-api-token", version = var.buildkite_api_token_version }
      }
    })
  }

  # Nothing is deployed without the webhook's key: see webhook_tokens_version.
  deployed = var.webhook_tokens_version == null ? {} : local.functions

  # Written out, so that conditions are known before the database is.
  ledger          = "${var.project_id}/${var.ledger_database}"
  ledger_resource = "projects/${var.project_id}/databases/${var.ledger_database}"

  # Cloud Run's own addresses, which are known before the functions are there.
  urls = { for name in keys(local.functions) : name => "https://${var.name_prefix}-${name}-${data.google_project.keydesk.number}.${var.region}.run.app" }

  indexes_file = jsondecode(file("${path.module}/../../firestore.indexes.json"))
}
