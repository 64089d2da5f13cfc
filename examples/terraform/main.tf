terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
  }
}

provider "google" {
  project = "acme-staging"
}

resource "google_storage_bucket" "assets" {
  name                        = "acme-staging-assets"
  location                    = "EU"
  uniform_bucket_level_access = true
}
