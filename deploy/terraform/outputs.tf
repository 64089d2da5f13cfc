# What a person does next with what was created.

output "token_url" {
  description = "URL at which jobs request credentials: the plugin's url, and the base of POST /token. It responds once the functions are deployed."
  value       = local.urls["token"]
}

output "reader_url" {
  description = "URL of the function reader: KEYDESK_READER_URL of keydesk status, grants, blocks and review."
  value       = local.urls["reader"]
}

output "admin_url" {
  description = "URL of the function admin: KEYDESK_ADMIN_URL of keydesk kill and blocks remove."
  value       = local.urls["admin"]
}

output "audience" {
  description = "Audience that jobs request their token for (buildkite-agent oidc request-token --audience), from the policy."
  value       = local.policy.audience
}

output "policy_sha256" {
  description = "SHA-256 of the policy file, which every grant records (policy_sha256)."
  value       = filesha256(var.policy_file)
}

output "buildkite_webhook" {
  description = "What to enter in Buildkite under Settings, Notification Services, Add, Webhook."
  value = {
    url           = local.urls["webhook"]
    token_mode    = "signature: send an HMAC signature in the X-Buildkite-Signature header"
    events        = local.webhook_events
    branch_filter = "leave empty: a filter silently drops the ends of other branches' jobs"
    pipelines     = "all pipelines, or all that use Keydesk"
  }
}

output "buildkite_step" {
  description = "The plugin of a step that gets one of the policy's credentials. plugin/README.md says which repository acme/keydesk is."
  value       = <<-YAML
    plugins:
      - acme/keydesk#v0.1.0:
          url: ${local.urls["token"]}
          audience: ${local.policy.audience}
          credentials: ${keys(local.credentials)[0]}
  YAML
}

output "api_keys" {
  description = "Keydesk's own API key of each data project, for apiKey in the policy's databases. Such a key identifies a project and gives nobody access."
  value       = local.api_keys
}

output "secret_commands" {
  description = "How to add the secrets' versions; each prints the number for the variable that is named with it."
  value = {
    webhook_tokens_version            = "read -rs VALUE && printf %s \"$VALUE\" | gcloud secrets versions add ${local.secrets.webhook_tokens} --project=${var.project_id} --data-file=- # paste the token Buildkite shows; NEW,OLD during a rotation"
    buildkite_api_token_version       = "read -rs VALUE && printf %s \"$VALUE\" | gcloud secrets versions add ${local.secrets.buildkite_api_token} --project=${var.project_id} --data-file=- # an API token with read_builds and nothing else"
    buildkite_teams_api_token_version = "read -rs VALUE && printf %s \"$VALUE\" | gcloud secrets versions add ${local.secrets.buildkite_teams_api_token} --project=${var.project_id} --data-file=- # an API token with read_teams and nothing else"
  }
}

output "privileges" {
  description = "Every grant of this module by who has it: the role, and on what. PRIVILEGES.md says why."
  value       = { for who in distinct([for grant in local.granted : grant.who]) : who => sort([for grant in local.granted : "${grant.role} on ${grant.on}" if grant.who == who]) }
}

output "identities" {
  description = "The functions' service accounts, for audit queries and for policies of your own."
  value       = { for name, account in google_service_account.function : name => account.email }
}

output "deployment" {
  description = "What keydesk doctor compares the deployment with, besides the policy. Write it to a file with terraform output -json deployment."
  value = {
    project_id                        = var.project_id
    project_numbers                   = var.project_numbers
    region                            = var.region
    scheduler_region                  = var.scheduler_region
    ledger_database                   = var.ledger_database
    name_prefix                       = var.name_prefix
    public_access                     = var.public_access
    ingress                           = { for name, function in local.functions : name => function.ingress }
    trusted_proxies                   = var.trusted_proxies
    readers                           = var.readers
    admins                            = var.admins
    pool_roles                        = var.pool_roles
    pool_groups                       = var.pool_groups
    grant_bucket_roles                = var.grant_bucket_roles
    forbid_keys                       = var.forbid_keys
    webhook_tokens_version            = var.webhook_tokens_version
    buildkite_api_token_version       = var.buildkite_api_token_version
    buildkite_teams_api_token_version = var.buildkite_teams_api_token_version
    audit_logs                        = var.audit_logs
    log_archive                       = var.log_archive
  }
}

output "log_dataset" {
  description = "Value of PROJECT.keydesk_logs in deploy/audit/*.sql; null with log_archive = null."
  value       = var.log_archive == null ? null : "${var.project_id}.${google_logging_linked_dataset.archive[0].link_id}"
}
