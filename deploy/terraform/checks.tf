# Warnings of a plan: settings that are valid, and that somebody should choose on purpose.

check "every_pool_has_a_group" {
  assert {
    condition     = length(setsubtract(values(local.pooled_environments), keys(var.pool_groups))) == 0
    error_message = "No entry in pool_groups for the pools of ${join(", ", setsubtract(values(local.pooled_environments), keys(var.pool_groups)))}: their accounts may do nothing but what you grant them yourself."
  }
}

check "every_group_has_a_pool" {
  assert {
    condition     = length(setsubtract(keys(var.pool_groups), values(local.pooled_environments))) == 0
    error_message = "pool_groups names environments in which the policy has no pool: ${join(", ", setsubtract(keys(var.pool_groups), values(local.pooled_environments)))}. Misspelt?"
  }
}

check "somebody_is_told" {
  assert {
    condition     = !var.create_monitoring || length(var.notification_channels) > 0
    error_message = "notification_channels is empty: alerts would fire, and nobody would receive them."
  }
}

check "there_is_a_canary" {
  assert {
    condition     = !var.create_monitoring || contains(keys(local.credentials), "canary")
    error_message = "The policy has no credential called canary, so the alerts of the probe are left out: deploy/monitoring/README.md has its lines."
  }
}
