# Passed on, so that `terraform output` shows them.

output "desk_url" {
  description = "Where jobs ask for credentials."
  value       = module.keydesk.desk_url
}

output "audience" {
  description = "What jobs ask their token for."
  value       = module.keydesk.audience
}

output "buildkite_webhook" {
  description = "What to enter in Buildkite."
  value       = module.keydesk.buildkite_webhook
}

output "secret_commands" {
  description = "How to add the secrets' versions."
  value       = module.keydesk.secret_commands
}

output "identities" {
  description = "The functions' service accounts."
  value       = module.keydesk.identities
}
