# The APIs each project needs. Destroying the module leaves them on: others may have come to need them.

locals {
  # Google calls some APIs on behalf of a project: the one they are about, and, with user_project_override, Keydesk's.
  asked_apis = concat(var.forbid_keys ? ["orgpolicy"] : [], length(var.pool_groups) > 0 ? ["cloudidentity"] : [])
  keydesk_apis = concat([
    "apikeys", "artifactregistry", "cloudbuild", "cloudresourcemanager", "cloudscheduler", "firestore", "iam",
    "iamcredentials", "logging", "monitoring", "run", "secretmanager", "storage", "sts",
  ], local.asked_apis)
  data_apis = ["apikeys", "firebaserules", "firestore", "iam", "identitytoolkit"]
  pool_apis = concat(["iam"], local.asked_apis)

  apis = {
    for pair in distinct(concat(
      [for api in local.keydesk_apis : { project = var.project_id, api = api }],
      flatten([for project in local.data_projects : [for api in local.data_apis : { project = project, api = api }]]),
      flatten([for project in local.pool_projects : [for api in local.pool_apis : { project = project, api = api }]]),
      [for project in local.archived_projects : { project = project, api = project == var.project_id ? "bigquery" : "logging" }],
    )) : "${pair.project}/${pair.api}" => pair
  }
}

resource "google_project_service" "needed" {
  for_each = local.apis

  project            = each.value.project
  service            = "${each.value.api}.googleapis.com"
  disable_on_destroy = false
}
