# The backend and the provider both take GOOGLE_OAUTH_ACCESS_TOKEN. Neither requests a new one, so an apply must finish
# within the credential's ttl.
terraform {
  backend "gcs" {
    bucket = "acme-terraform-state"
    prefix = "staging"
  }
}
