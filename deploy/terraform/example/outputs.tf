# Passed on, so that `terraform output` shows them.

output "desk_url" {
  description = "Where jobs ask for credentials."
  value       = module.keydesk.desk_url
}

output "audience" {
  description = "What jobs ask their token for."
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
  description = "What a step says that gets a credential."
  value       = module.keydesk.buildkite_step
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
  description = "The BigQuery dataset that audit queries ask, or null."
  value       = module.keydesk.log_dataset
}
