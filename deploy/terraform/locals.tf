# Names used in several files.

locals {
  # The three functions and their differences. `secrets` are variable => secret and version.
  functions = {
    token = merge(var.token_function, {
      environment = { KEYDESK_POLICY = "policy.yaml" }
      secrets     = {}
      health      = "/health"
    })
    webhook = merge(var.webhook_function, {
      environment = {}
      secrets     = { KEYDESK_WEBHOOK_TOKENS = { secret = "webhook-tokens", version = var.webhook_tokens_version } }
      health      = null
    })
    sweep = merge(var.sweep_function, {
      concurrency   = 1
      min_instances = 0
      max_instances = 1
      environment   = {}
      health        = null
      secrets = var.buildkite_api_token_version == null ? {} : {
        KEYDESK_BUILDKITE_API_TOKEN = { secret = "buildkite-api-token", version = var.buildkite_api_token_version }
      }
    })
  }

  # Nothing is deployed without the webhook's key: see webhook_tokens_version.
  deployed = var.webhook_tokens_version == null ? {} : local.functions

  # Deployed functions by who may call them: the internet, or the scheduler alone.
  public  = toset([for name in keys(local.deployed) : name if name != "sweep"])
  private = toset([for name in keys(local.deployed) : name if name == "sweep"])

  images     = { for name in keys(local.functions) : name => "${var.region}-docker.pkg.dev/${var.project_id}/${local.image_repository}/${name}:${filesha256("${var.archives_dir}/${name}.zip")}" }
  base_image = coalesce(var.base_image, "${var.region}-docker.pkg.dev/serverless-runtimes/google-24/runtimes/nodejs24")

  # Names of what is granted on.
  archives_bucket  = "${var.project_id}-${var.name_prefix}-archives"
  image_repository = "${var.name_prefix}-functions"
  secrets          = { for name in ["webhook_tokens", "buildkite_api_token"] : name => "${var.name_prefix}-${replace(name, "_", "-")}" }

  # Written out, so that conditions are known before the database is.
  ledger          = "${var.project_id}/${var.ledger_database}"
  ledger_resource = "projects/${var.project_id}/databases/${var.ledger_database}"

  # Cloud Run's own addresses, which are known before the functions are there.
  urls = { for name in keys(local.functions) : name => "https://${var.name_prefix}-${name}-${var.project_numbers[var.project_id]}.${var.region}.run.app" }

  indexes_file = jsondecode(file("${path.module}/../../firestore.indexes.json"))
}
