# Warnings of a plan: settings that are valid, and that somebody should choose on purpose. Those about alerts come with the functions: the first
# apply creates no alert.

check "every_pool_has_roles" {
  assert {
    condition     = length(setsubtract(values(local.pooled_environments), keys(var.pool_roles))) == 0
    error_message = "No entry in pool_roles for the pools of ${join(", ", setsubtract(values(local.pooled_environments), keys(var.pool_roles)))}: their accounts may do nothing but what you grant them yourself."
  }
}

check "every_role_has_a_pool" {
  assert {
    condition     = length(setsubtract(setunion(keys(var.pool_roles), keys(var.pool_groups)), values(local.pooled_environments))) == 0
    error_message = "pool_roles or pool_groups name environments in which the policy has no pool: ${join(", ", setsubtract(setunion(keys(var.pool_roles), keys(var.pool_groups)), values(local.pooled_environments)))}. Misspelt?"
  }
}

check "policy_has_the_api_keys" {
  assert {
    condition     = length(local.other_api_keys) == 0
    error_message = "The policy has another apiKey than Keydesk's own for ${join(", ", local.other_api_keys)}. Enter the value that terraform output api_keys prints, and run keydesk package again."
  }
}

check "teams_can_be_read" {
  assert {
    condition = (
      var.webhook_tokens_version == null || var.buildkite_teams_api_token_version != null ||
      !anytrue([for rule in try(local.policy.rules, []) : can(rule.conditions.team.name) || can(rule.conditions.created_by.team) || can(rule.conditions.approval.by)])
    )
    error_message = "Rules of the policy name teams of Buildkite, and buildkite_teams_api_token_version is null: the sweep cannot read them, and those rules grant nothing."
  }
}

check "somebody_is_told" {
  assert {
    condition     = !var.create_monitoring || var.webhook_tokens_version == null || length(var.notification_channels) > 0
    error_message = "notification_channels is empty: alerts would fire, and nobody would receive them."
  }
}

check "there_is_a_canary" {
  assert {
    condition     = !var.create_monitoring || var.webhook_tokens_version == null || contains(keys(local.credentials), "canary")
    error_message = "The policy has no credential called canary, so the alerts of the probe are left out: deploy/monitoring/README.md has its lines."
  }
}
