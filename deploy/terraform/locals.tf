# Names used in several files.

locals {
  # The functions and their differences. `secrets` are variable => secret and version.
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
      secrets = {
        for name, secret in {
          KEYDESK_BUILDKITE_API_TOKEN       = { secret = "buildkite-api-token", version = var.buildkite_api_token_version }
          KEYDESK_BUILDKITE_TEAMS_API_TOKEN = { secret = "buildkite-teams-api-token", version = var.buildkite_teams_api_token_version }
        } : name => secret if secret.version != null
      }
    })
    reader = merge(var.reader_function, local.for_people, { timeout = 60, environment = { KEYDESK_OPERATOR_AUDIENCES = "${local.urls.reader},${local.gcloud_client_id}" } })
    admin  = merge(var.admin_function, local.for_people, { timeout = 300, environment = { KEYDESK_OPERATOR_AUDIENCES = "${local.urls.admin},${local.gcloud_client_id}" } })
  }
  function_names = ["token", "webhook", "sweep", "reader", "admin"]

  # V8's heap in MiB: an instance's memory without 192 MiB for Node, the code, connections and buffers. All of an instance of token is at most
  # 160 MiB after 50,000 tokens, so 512Mi has room for 40 requests at once. `heapSetting` in cli/doctor/functions.ts is the same.
  memory_mib   = { for name, function in local.functions : name => tonumber(regex("^[0-9]+", function.memory)) * (endswith(function.memory, "Gi") ? 1024 : 1) }
  node_options = { for name, mib in local.memory_mib : name => "--max-old-space-size=${max(128, mib - 192)} --max-semi-space-size=16" }

  # What the two functions that people call have in common.
  for_people = { concurrency = 20, min_instances = 0, max_instances = 4, cpu_idle = true, secrets = {}, health = null }
  # The audience of the ID token that gcloud auth print-identity-token prints for a person.
  gcloud_client_id = "32555940559.apps.googleusercontent.com"

  # Nothing is deployed without the webhook's key: see webhook_tokens_version.
  deployed = var.webhook_tokens_version == null ? {} : local.functions

  # Deployed functions that anybody may call: they verify a job token or a signature themselves. Of all others Cloud Run checks the caller.
  public = toset([for name in keys(local.deployed) : name if contains(["token", "webhook"], name)])

  images     = { for name in keys(local.functions) : name => "${var.region}-docker.pkg.dev/${var.project_id}/${local.image_repository}/${name}:${filesha256("${var.archives_dir}/${name}.zip")}" }
  base_image = coalesce(var.base_image, "${var.region}-docker.pkg.dev/serverless-runtimes/google-24/runtimes/nodejs24")

  # Names of what is granted on.
  archives_bucket  = "${var.project_id}-${var.name_prefix}-archives"
  image_repository = "${var.name_prefix}-functions"
  secrets          = { for name in ["webhook_tokens", "buildkite_api_token", "buildkite_teams_api_token"] : name => "${var.name_prefix}-${replace(name, "_", "-")}" }

  # Written out, so that conditions are known before the database is.
  ledger          = "${var.project_id}/${var.ledger_database}"
  ledger_resource = "projects/${var.project_id}/databases/${var.ledger_database}"

  # Cloud Run's own addresses, which are known before the functions are there.
  urls = { for name in local.function_names : name => "https://${var.name_prefix}-${name}-${var.project_numbers[var.project_id]}.${var.region}.run.app" }

  indexes_file = jsondecode(file("${path.module}/../../firestore.indexes.json"))
}
