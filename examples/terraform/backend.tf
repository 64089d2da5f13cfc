# The backend and the provider read GOOGLE_APPLICATION_CREDENTIALS, and renew their tokens for as long as the apply runs.
terraform {
  backend "gcs" {
    bucket = "acme-terraform-state"
    prefix = "staging"
  }
}
