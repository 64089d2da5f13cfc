# A root that composes the module. Copy the folder to a folder next to it. Fill in terraform.tfvars, and the bucket below.

terraform {
  required_version = ">= 1.9"

  # A bucket of your own for the state, such as the one that grant-roles.sh creates with state-bucket=NAME.
  backend "gcs" {
    bucket = "STATE_BUCKET"
    prefix = "keydesk"
  }

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.40"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.9"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
  # Google calls the APIs of organization policy and Cloud Identity on behalf of a project.
  billing_project       = var.project_id
  user_project_override = true
}

module "keydesk" {
  source = "../"

  project_id       = var.project_id
  project_numbers  = var.project_numbers
  region           = var.region
  build_region     = var.build_region
  scheduler_region = var.scheduler_region
  secret_locations = var.secret_locations
  ledger_location  = var.ledger_location
  ledger_database  = var.ledger_database
  name_prefix      = var.name_prefix
  labels           = var.labels

  policy_file  = var.policy_file
  archives_dir = var.archives_dir
  rules_files  = var.rules_files

  rules_managed_externally = var.rules_managed_externally

  webhook_tokens_version            = var.webhook_tokens_version
  buildkite_api_token_version       = var.buildkite_api_token_version
  buildkite_teams_api_token_version = var.buildkite_teams_api_token_version

  create_policy_accounts = var.create_policy_accounts
  grant_bucket_roles     = var.grant_bucket_roles
  readers                = var.readers
  admins                 = var.admins
  pool_roles             = var.pool_roles
  pool_groups            = var.pool_groups
  create_api_keys        = var.create_api_keys
  forbid_keys            = var.forbid_keys
  audit_logs             = var.audit_logs
  log_archive            = var.log_archive
  create_monitoring      = var.create_monitoring
  notification_channels  = var.notification_channels
  playbooks_url          = var.playbooks_url
  public_access          = var.public_access
  trusted_proxies        = var.trusted_proxies
  base_image             = var.base_image
  token_function         = var.token_function
  webhook_function       = var.webhook_function
  sweep_function         = var.sweep_function
  reader_function        = var.reader_function
  admin_function         = var.admin_function
  propagation            = var.propagation
}
