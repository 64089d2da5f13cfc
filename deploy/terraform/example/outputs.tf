# Passed on, so that `terraform output` shows them.

output "token_url" {
  description = "URL at which jobs request credentials."
  value       = module.keydesk.token_url
}

output "reader_url" {
  description = "URL of the function reader, for KEYDESK_READER_URL."
  value       = module.keydesk.reader_url
}

output "admin_url" {
  description = "URL of the function admin, for KEYDESK_ADMIN_URL."
  value       = module.keydesk.admin_url
}

output "audience" {
  description = "Audience that jobs request their token for."
  value       = module.keydesk.audience
}

output "policy_sha256" {
  description = "SHA-256 of the policy that is deployed."
  value       = module.keydesk.policy_sha256
}

output "buildkite_webhook" {
  description = "What to enter in Buildkite."
  value       = module.keydesk.buildkite_webhook
}

output "buildkite_step" {
  description = "Plugin configuration of a step that gets a credential."
  value       = module.keydesk.buildkite_step
}

output "api_keys" {
  description = "Keydesk's API key of each data project, for the policy."
  value       = module.keydesk.api_keys
}

output "secret_commands" {
  description = "How to add the secrets' versions."
  value       = module.keydesk.secret_commands
}

output "privileges" {
  description = "Who may do what, by identity."
  value       = module.keydesk.privileges
}

output "identities" {
  description = "The functions' service accounts."
  value       = module.keydesk.identities
}

output "log_dataset" {
  description = "The BigQuery dataset that audit queries read, or null."
  value       = module.keydesk.log_dataset
}

output "deployment" {
  description = "For keydesk doctor. Write it to a file with terraform output -json deployment."
  value       = module.keydesk.deployment
}
