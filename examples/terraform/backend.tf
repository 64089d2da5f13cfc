# The backend and the provider both take GOOGLE_OAUTH_ACCESS_TOKEN; neither asks for a new one, so an apply has to be done
# within the credential's ttl.
terraform {
  backend "gcs" {
    bucket = "acme-terraform-state"
    prefix = "staging"
  }
}
