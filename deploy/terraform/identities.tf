# Who acts. Each function, the scheduler and the build have an account of their own; none has a key. What they may do is in
# privileges.tf, and in PRIVILEGES.md in words.

resource "google_service_account" "function" {
  for_each = local.functions

  project      = var.project_id
  account_id   = "${var.name_prefix}-${each.key}"
  display_name = "Keydesk: the ${each.key} function"

  depends_on = [time_sleep.apis]
}

resource "google_service_account" "scheduler" {
  project      = var.project_id
  account_id   = "${var.name_prefix}-scheduler"
  display_name = "Keydesk: calls the sweep each minute"

  depends_on = [time_sleep.apis]
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "${var.name_prefix}-build"
  display_name = "Keydesk: builds the functions"

  depends_on = [time_sleep.apis]
}

resource "google_service_account" "pooled" {
  for_each = local.pooled_accounts

  project      = local.account_projects[each.key]
  account_id   = split("@", each.key)[0]
  display_name = "Keydesk pool: ${local.pooled_environments[each.key]}"

  lifecycle {
    # Keydesk disables accounts when jobs end, and only its sweep may enable them, when their last token has expired.
    # Without this, an apply would enable them, and tokens of ended jobs would work again.
    ignore_changes = [disabled]
    # One that left the policy goes only after the functions that use it.
    create_before_destroy = true
  }

  depends_on = [time_sleep.apis, google_org_policy_policy.no_keys]
}

resource "google_service_account" "standing" {
  for_each = var.create_policy_accounts ? local.standing_by_name : {}

  project      = local.account_projects[each.key]
  account_id   = split("@", each.key)[0]
  display_name = "Keydesk: named by the policy"

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.apis]
}

# Neither a key that Google makes nor one that somebody uploads.
resource "google_org_policy_policy" "no_keys" {
  for_each = {
    for pair in setproduct(var.forbid_keys ? setunion([var.project_id], local.pool_projects) : [], ["iam.disableServiceAccountKeyCreation", "iam.disableServiceAccountKeyUpload"]) :
    "${pair[0]} ${pair[1]}" => { project = pair[0], constraint = pair[1] }
  }

  name   = "projects/${each.value.project}/policies/${each.value.constraint}"
  parent = "projects/${each.value.project}"

  spec {
    rules {
      enforce = "TRUE"
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_cloud_identity_group_membership" "pooled" {
  for_each = { for email, environment in local.pooled_environments : email => environment if contains(keys(var.pool_groups), environment) }

  group = var.pool_groups[each.value].id

  preferred_member_key {
    id = google_service_account.pooled[each.key].email
  }

  roles {
    name = "MEMBER"
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.accounts]
}
