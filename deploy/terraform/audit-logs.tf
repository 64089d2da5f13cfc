# Google's own record, independent of Keydesk's: who minted, who narrowed, what was touched. Admin Activity (who disabled and
# enabled accounts) is always on. One resource covers a whole service of a project: exemptions set elsewhere are lost. The same
# holds for allServices, which is a separate entry: a log type is on if either entry switches it on.

locals {
  # Where jobs act as pooled accounts, by pool_roles. What is granted elsewhere this module does not know.
  touched_projects = toset([for grant in values(local.pool_grants) : grant.project])
  pool_touches     = coalesce(var.audit_logs.pool_touches, false)

  audited = distinct(concat(
    var.audit_logs.accounts ? [
      # In Keydesk's project: who got a token of a function's account.
      for project in setunion(local.account_owners, [var.project_id]) : { project = project, service = "iam.googleapis.com" }
    ] : [],
    var.audit_logs.token_exchange && length(local.storage) > 0 ? [
      for project in setunion([var.project_id], [for email in local.storage_accounts : local.account_projects[email] if local.account_projects[email] != "-"]) :
      { project = project, service = "sts.googleapis.com" }
    ] : [],
    var.audit_logs.data ? [for project in local.data_projects : { project = project, service = "datastore.googleapis.com" }] : [],
    var.audit_logs.ledger ? [{ project = var.project_id, service = "datastore.googleapis.com" }] : [],
    local.pool_touches ? [for project in local.touched_projects : { project = project, service = "allServices" }] : [],
  ))

  # Roles whose use leaves no entry, as far as this module switches logs on: all but those on a Firestore that is logged anyway.
  unlogged_roles = [
    for grant in values(local.pool_grants) : "${grant.role} in ${grant.project}"
    if !(var.audit_logs.data && contains(local.data_projects, grant.project) && startswith(grant.role, "roles/datastore."))
  ]
}

check "touches_are_logged" {
  assert {
    condition     = var.audit_logs.pool_touches != null || length(local.unlogged_roles) == 0
    error_message = "Pooled accounts have ${join(", ", local.unlogged_roles)}, and Data Access logs of it are not switched on here: no query will find what jobs read and write there. Decide with audit_logs.pool_touches: true switches on every service of these projects, false says that you know."
  }
}

resource "google_project_iam_audit_config" "needed" {
  for_each = { for audited in local.audited : "${audited.project}/${trimsuffix(audited.service, ".googleapis.com")}" => audited }

  project = each.value.project
  service = each.value.service

  # Minting is ADMIN_READ; documents are read by DATA_READ and written by DATA_WRITE.
  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    content {
      log_type = audit_log_config.value
    }
  }
}
