# What this module needs. The provider is configured by the root that composes the module: see example/.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      # skip_wait of Firestore fields is in 7.40.
      source  = "hashicorp/google"
      version = "~> 7.40"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.9"
    }
  }
}
