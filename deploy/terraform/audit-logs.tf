# Google's own record, independent of Keydesk's: who minted, who narrowed, what was touched. Admin Activity (who disabled and
# enabled accounts) is always on. One resource speaks for a whole service of a project: exemptions set elsewhere are lost.

locals {
  audited = distinct(concat(
    var.audit_logs.accounts ? [
      for project in setunion(local.account_owners, length(var.operators) > 0 ? [var.project_id] : []) : { project = project, service = "iam" }
    ] : [],
    var.audit_logs.token_exchange && length(local.storage) > 0 ? [
      for project in setunion([var.project_id], [for email in local.storage_accounts : local.account_projects[email] if local.account_projects[email] != "-"]) :
      { project = project, service = "sts" }
    ] : [],
    var.audit_logs.data ? [for project in local.data_projects : { project = project, service = "datastore" }] : [],
    var.audit_logs.ledger ? [{ project = var.project_id, service = "datastore" }] : [],
  ))
}

resource "google_project_iam_audit_config" "needed" {
  for_each = { for audited in local.audited : "${audited.project}/${audited.service}" => audited }

  project = each.value.project
  service = "${each.value.service}.googleapis.com"

  # Minting is ADMIN_READ; documents are read by DATA_READ and written by DATA_WRITE.
  dynamic "audit_log_config" {
    for_each = ["ADMIN_READ", "DATA_READ", "DATA_WRITE"]
    content {
      log_type = audit_log_config.value
    }
  }
}
