# Who may do what, and nothing beyond it. Every grant of this module stands in this file, and a test compares them with
# PRIVILEGES.md, both ways. The one that mints cannot enable an account; the two that end and wake cannot mint.

locals {
  # By account_id and not by email, which a first plan may not know: whoever reads it should see who gets what.
  member           = { for name, account in google_service_account.function : name => "serviceAccount:${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  scheduler_member = "serviceAccount:${google_service_account.scheduler.account_id}@${var.project_id}.iam.gserviceaccount.com"
  build_member     = "serviceAccount:${google_service_account.build.account_id}@${var.project_id}.iam.gserviceaccount.com"

  custom_roles = merge([
    for kind, roles in { disabler = google_project_iam_custom_role.disabler, waker = google_project_iam_custom_role.waker } : {
      for project, role in roles : "${kind} ${project}" => "projects/${role.project}/roles/${role.role_id}"
    }
  ]...)

  # Each function in each data database, where it writes or ends grant documents.
  data_access = merge([
    for function in keys(local.functions) : {
      for name, database in local.data_databases : "${function} ${name}" => merge(database, { function = function })
    }
  ]...)

  pool_group_roles = merge([
    for environment, group in var.pool_groups : {
      for grant in group.roles : "${environment} ${grant.project} ${grant.role}" => merge(grant, { email = group.email })
    }
  ]...)
}

# The ledger and the grant documents

resource "google_project_iam_member" "ledger" {
  for_each = local.functions

  project = var.project_id
  role    = "roles/datastore.user"
  member  = local.member[each.key]

  condition {
    title       = "keydesk ledger only"
    description = "The database that holds Keydesk's ledger, and no other of this project."
    expression  = "resource.name == \"${local.ledger_resource}\""
  }
}

resource "google_project_iam_member" "data" {
  for_each = local.data_access

  project = each.value.project
  role    = "roles/datastore.user"
  member  = local.member[each.value.function]

  condition {
    title       = "keydesk ${each.value.database} only"
    description = "The one database that the policy opens; Keydesk keeps its grant documents in it."
    expression  = "resource.name == \"projects/${each.value.project}/databases/${each.value.database}\""
  }
}

# Minting: the token function alone

resource "google_service_account_iam_member" "mint" {
  for_each = local.standing_accounts

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.member["token"]

  depends_on = [google_service_account.standing]
}

# A pooled account is this module's, so its bindings are whole: whoever else lets himself in is out at the next apply.
resource "google_service_account_iam_binding" "mint_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  members            = [local.member["token"]]
}

# Disabling and enabling pooled accounts

resource "google_project_iam_custom_role" "disabler" {
  for_each = local.pool_projects

  project     = each.key
  role_id     = "${replace(var.name_prefix, "-", "_")}_disabler"
  title       = "Keydesk: disable pooled accounts"
  description = "Takes a pooled account's tokens away. Cannot enable it again."
  permissions = ["iam.serviceAccounts.get", "iam.serviceAccounts.disable"]

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_custom_role" "waker" {
  for_each = local.pool_projects

  project     = each.key
  role_id     = "${replace(var.name_prefix, "-", "_")}_waker"
  title       = "Keydesk: disable and wake pooled accounts"
  description = "The sweep's: also enables a pooled account whose last token has expired."
  permissions = ["iam.serviceAccounts.get", "iam.serviceAccounts.disable", "iam.serviceAccounts.enable"]

  depends_on = [google_project_service.needed]
}

resource "google_service_account_iam_binding" "disable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.custom_roles["disabler ${local.account_projects[each.key]}"]
  members            = [local.member["token"], local.member["webhook"]]
}

resource "google_service_account_iam_binding" "wake_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.custom_roles["waker ${local.account_projects[each.key]}"]
  members            = [local.member["sweep"]]
}

# Calling the functions. Who may call the sweep is the whole list: nobody but the scheduler.

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = { for name, function in local.deployed : name => function if contains(["token", "webhook"], name) }

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.desk[each.key].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_binding" "sweep" {
  for_each = { for name, function in local.deployed : name => function if name == "sweep" }

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.desk[each.key].name
  role     = "roles/run.invoker"
  members  = [local.scheduler_member]
}

# Reading secrets

resource "google_secret_manager_secret_iam_member" "webhook_tokens" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.webhook_tokens.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member["webhook"]
}

resource "google_secret_manager_secret_iam_member" "buildkite_api_token" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.buildkite_api_token.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member["sweep"]
}

# Building

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.build_member
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.repository_id
  role       = "roles/artifactregistry.writer"
  member     = local.build_member
}

resource "google_storage_bucket_iam_member" "build_archives" {
  bucket = google_storage_bucket.archives.name
  role   = "roles/storage.objectViewer"
  member = local.build_member
}

# Cloud Functions copies each archive into a bucket of its own and builds from there.
resource "google_project_iam_member" "build_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.build_member

  condition {
    title       = "keydesk build sources only"
    description = "The bucket that Cloud Functions keeps its sources in."
    expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.desk.number}-${var.region}\")"
  }
}

# What the policy's accounts may do themselves

resource "google_storage_bucket_iam_member" "shared" {
  for_each = var.grant_bucket_roles ? local.bucket_roles : {}

  bucket = each.value.bucket
  role   = each.value.role
  member = "serviceAccount:${each.value.account}"

  depends_on = [google_service_account.standing]
}

resource "google_project_iam_member" "pool_group" {
  for_each = local.pool_group_roles

  project = each.value.project
  role    = each.value.role
  member  = "group:${each.value.email}"

  dynamic "condition" {
    for_each = each.value.condition == null ? [] : [each.value.condition]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }
}

# All of it once more, in the words of the output `privileges`: made of the resources above, so that it cannot say else.

locals {
  granted = flatten([
    [for each in values(google_project_iam_member.ledger) : { who = each.member, role = each.role, on = "database ${local.ledger}" }],
    [for name, each in google_project_iam_member.data : { who = each.member, role = each.role, on = "database ${trimprefix(name, "${local.data_access[name].function} ")}" }],
    [for email, each in google_service_account_iam_member.mint : { who = each.member, role = each.role, on = "account ${email}" }],
    [
      for bindings in [google_service_account_iam_binding.mint_pooled, google_service_account_iam_binding.disable_pooled, google_service_account_iam_binding.wake_pooled] : [
        for email, each in bindings : [for who in each.members : { who = who, role = each.role, on = "account ${email}" }]
      ]
    ],
    [for name, each in google_cloud_run_v2_service_iam_member.public : { who = each.member, role = each.role, on = "function ${name}" }],
    [for name, each in google_cloud_run_v2_service_iam_binding.sweep : [for who in each.members : { who = who, role = each.role, on = "function ${name}" }]],
    [for each in [google_secret_manager_secret_iam_member.webhook_tokens, google_secret_manager_secret_iam_member.buildkite_api_token] : { who = each.member, role = each.role, on = "secret ${each.secret_id}" }],
    { who = google_project_iam_member.build_logs.member, role = google_project_iam_member.build_logs.role, on = "project ${var.project_id}" },
    { who = google_artifact_registry_repository_iam_member.build_images.member, role = google_artifact_registry_repository_iam_member.build_images.role, on = "repository ${google_artifact_registry_repository.images.repository_id}" },
    { who = google_storage_bucket_iam_member.build_archives.member, role = google_storage_bucket_iam_member.build_archives.role, on = "bucket ${google_storage_bucket.archives.name}" },
    { who = google_project_iam_member.build_sources.member, role = google_project_iam_member.build_sources.role, on = "bucket gcf-v2-sources-${data.google_project.desk.number}-${var.region}" },
    [for each in values(google_storage_bucket_iam_member.shared) : { who = each.member, role = each.role, on = "bucket ${each.bucket}" }],
    [for each in values(google_project_iam_member.pool_group) : { who = each.member, role = each.role, on = "project ${each.project}${length(each.condition) > 0 ? " where ${each.condition[0].expression}" : ""}" }],
  ])
}
