# Google takes a while until every service knows a new API, account, role or grant. The provider retries some of the errors that this causes,
# and not those of a new API or role. Each wait runs once, and again when what it waits for changes: a permission of a role and the role of a
# grant count as much as their names.

resource "time_sleep" "apis" {
  create_duration = var.propagation.apis
  triggers        = { apis = join(" ", keys(google_project_service.needed)) }
}

resource "time_sleep" "roles" {
  create_duration = var.propagation.roles
  triggers        = { for key, role in google_project_iam_custom_role.own : key => join(" ", sort(role.permissions)) }
}

resource "time_sleep" "accounts" {
  create_duration = var.propagation.accounts
  triggers = {
    accounts = join(" ", concat(
      [google_service_account.scheduler.account_id, google_service_account.build.account_id], keys(google_service_account.function),
      keys(google_service_account.pooled), keys(google_service_account.standing),
    ))
  }
}

# What a build and a function need: the archives and the images, its secret, the ledger, the data databases and the accounts.
resource "time_sleep" "grants" {
  create_duration = var.propagation.grants
  triggers = {
    databases = sha256(jsonencode([
      for grants in [google_project_iam_member.ledger, google_project_iam_member.data] : { for key, grant in grants : key => grant.role }
    ]))
    accounts = sha256(jsonencode([
      for grants in [
        google_service_account_iam_member.sign, google_service_account_iam_member.mint, google_service_account_iam_binding.mint_pooled,
        google_service_account_iam_binding.disable_pooled, google_service_account_iam_binding.enable_pooled,
      ] : { for key, grant in grants : key => grant.role }
    ]))
    members = join(" ", keys(google_cloud_identity_group_membership.pooled))
    builds = join(" ", [
      var.region, google_project_iam_member.build_logs.role, google_artifact_registry_repository_iam_member.build_images.role,
      google_storage_bucket_iam_member.build_archives.role,
    ])
  }

  depends_on = [
    google_secret_manager_secret_iam_member.webhook_tokens,
    google_secret_manager_secret_iam_member.buildkite_api_token,
    google_secret_manager_secret_iam_member.buildkite_teams_api_token,
  ]
}

# Google documents up to ten minutes until rules that were released are in force everywhere. Until then a token could be judged by the owner's
# own rules. A later change of the rules needs no wait: the rules before it look up the grant as well. Where somebody else releases the rules,
# this module does not know when: the wait begins with the apply in which the policy first has the database.
resource "time_sleep" "rules" {
  for_each = setunion(keys(terraform_data.rules), setintersection(var.rules_managed_externally, keys(local.data_databases)))

  create_duration = var.propagation.rules
  triggers        = { database = each.key }
}
