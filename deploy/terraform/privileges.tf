# Who may do what, and nothing beyond it. Every grant of this module stands in this file, and a test compares them with
# PRIVILEGES.md, both ways. The one that mints cannot enable an account; the two that end and wake cannot mint.

locals {
  # By account_id and not by email, which a first plan may not know: whoever reads it should see who gets what.
  member           = { for name, account in google_service_account.function : name => "serviceAccount:${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  scheduler_member = "serviceAccount:${google_service_account.scheduler.account_id}@${var.project_id}.iam.gserviceaccount.com"
  build_member     = "serviceAccount:${google_service_account.build.account_id}@${var.project_id}.iam.gserviceaccount.com"

  # Each function in each data database, where it writes or ends grant documents.
  data_access = merge([
    for function in keys(local.functions) : {
      for name, database in local.data_databases : "${function} ${name}" => merge(database, { function = function })
    }
  ]...)

  pool_group_roles = merge([
    for environment, group in var.pool_groups : {
      for grant in group.roles : "${environment} ${grant.project} ${grant.role} ${try(grant.condition.title, "")}" => merge(grant, { email = group.email })
    }
  ]...)
}

# Roles of the desk's own: Google's have more than is needed. What they are called => in which projects, and what they hold.

locals {
  own_roles = {
    ledger                = { projects = [var.project_id], title = "Keydesk: keep the ledger", permissions = [for verb in ["get", "list", "create", "update"] : "datastore.entities.${verb}"] }
    grant_document_writer = { projects = local.data_projects, title = "Keydesk: write grant documents", permissions = [for verb in ["create", "get", "update"] : "datastore.entities.${verb}"] }
    grant_document_closer = { projects = local.data_projects, title = "Keydesk: close grant documents", permissions = [for verb in ["create", "update"] : "datastore.entities.${verb}"] }
    signer                = { projects = [for email in local.signers : local.account_projects[email]], title = "Keydesk: sign Firebase custom tokens", permissions = ["iam.serviceAccounts.signJwt"] }
    token_minter          = { projects = [for email in setunion(local.shared_accounts, local.pooled_accounts) : local.account_projects[email]], title = "Keydesk: mint access tokens", permissions = ["iam.serviceAccounts.getAccessToken"] }
    account_disabler      = { projects = local.pool_projects, title = "Keydesk: disable pooled accounts", permissions = ["iam.serviceAccounts.get", "iam.serviceAccounts.disable"] }
    account_enabler       = { projects = local.pool_projects, title = "Keydesk: disable and enable pooled accounts", permissions = ["iam.serviceAccounts.get", "iam.serviceAccounts.disable", "iam.serviceAccounts.enable"] }
  }
  own_roles_by_project = merge([
    for name, role in local.own_roles : { for project in distinct(role.projects) : "${name} ${project}" => merge(role, { name = name, project = project }) if project != "-" }
  ]...)

  roles = { for key, role in google_project_iam_custom_role.own : key => "projects/${role.project}/roles/${role.role_id}" }
}

resource "google_project_iam_custom_role" "own" {
  for_each = local.own_roles_by_project

  project     = each.value.project
  role_id     = "${replace(var.name_prefix, "-", "_")}_${each.value.name}"
  title       = each.value.title
  permissions = each.value.permissions

  depends_on = [google_project_service.needed]
}

# The ledger and the grant documents

resource "google_project_iam_member" "ledger" {
  for_each = local.functions

  project = var.project_id
  role    = local.roles["ledger ${var.project_id}"]
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
  role    = local.roles["${each.value.function == "token" ? "grant_document_writer" : "grant_document_closer"} ${each.value.project}"]
  member  = local.member[each.value.function]

  condition {
    title       = "keydesk ${each.value.database} only"
    description = "The one database that the policy opens; Keydesk keeps its grant documents in it."
    expression  = "resource.name == \"projects/${each.value.project}/databases/${each.value.database}\""
  }
}

# Minting: the token function alone. Where an account's address does not tell its project there can be no role of the
# desk's own, and it is Google's wider one.

resource "google_service_account_iam_member" "sign" {
  for_each = local.signers

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = lookup(local.roles, "signer ${local.account_projects[each.key]}", "roles/iam.serviceAccountTokenCreator")
  member             = local.member["token"]

  depends_on = [google_service_account.standing]
}

resource "google_service_account_iam_member" "mint" {
  for_each = local.shared_accounts

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = lookup(local.roles, "token_minter ${local.account_projects[each.key]}", "roles/iam.serviceAccountTokenCreator")
  member             = local.member["token"]

  depends_on = [google_service_account.standing]
}

# A pooled account is this module's, so these bindings are whole: who else was given the same role is out at the next apply.
resource "google_service_account_iam_binding" "mint_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["token_minter ${local.account_projects[each.key]}"]
  members            = [local.member["token"]]
}

# Disabling and enabling pooled accounts

resource "google_service_account_iam_binding" "disable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["account_disabler ${local.account_projects[each.key]}"]
  members            = [local.member["token"], local.member["webhook"]]
}

resource "google_service_account_iam_binding" "enable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["account_enabler ${local.account_projects[each.key]}"]
  members            = [local.member["sweep"]]
}

# The kill switch: whoever may throw it acts as the webhook function's account.

resource "google_service_account_iam_member" "operators" {
  for_each = var.operators

  service_account_id = google_service_account.function["webhook"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
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
locals {
  build_sources = "projects/_/buckets/gcf-v2-sources-${data.google_project.desk.number}-${var.region}"
}

resource "google_project_iam_member" "build_sources" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = local.build_member

  condition {
    title       = "keydesk build sources only"
    description = "The bucket that Cloud Functions keeps its sources in."
    expression  = "resource.name == \"${local.build_sources}\" || resource.name.startsWith(\"${local.build_sources}/\")"
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

  lifecycle {
    precondition {
      condition     = !contains(concat([var.project_id], tolist(local.pool_projects)), each.value.project)
      error_message = "pool_groups: a role in the desk's project or in a pool's would let a job change the ledger, or outlive its own end."
    }
  }

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

# Sinks write into the log archive. Who that is Google says when the sink is there.

resource "google_project_iam_member" "log_archive" {
  for_each = setsubtract(local.archived_projects, [var.project_id])

  project = var.project_id
  role    = "roles/logging.bucketWriter"
  member  = google_logging_project_sink.archive[each.key].writer_identity

  condition {
    title       = "keydesk log archive only"
    description = "The one log bucket that the audit queries look into."
    expression  = "resource.name.endsWith(\"locations/${var.log_archive.location}/buckets/${local.log_bucket}\")"
  }
}

# All of it once more for the output `privileges`, made of the resources above.

locals {
  on_projects = flatten([
    for each in concat(values(google_project_iam_member.ledger), values(google_project_iam_member.data), values(google_project_iam_member.pool_group), [google_project_iam_member.build_logs, google_project_iam_member.build_sources]) :
    { who = each.member, role = each.role, on = join(" where ", concat(["project ${each.project}"], [for condition in each.condition : condition.expression])) }
  ])
  on_log_archive = [
    for source, each in google_project_iam_member.log_archive :
    { who = "log sink of ${source}", role = each.role, on = join(" where ", concat(["project ${each.project}"], [for condition in each.condition : condition.expression])) }
  ]
  on_accounts = flatten([
    [for each in concat(values(google_service_account_iam_member.sign), values(google_service_account_iam_member.mint)) : { who = each.member, role = each.role, on = "account ${reverse(split("/", each.service_account_id))[0]}" }],
    [for each in values(google_service_account_iam_member.operators) : { who = each.member, role = each.role, on = "account ${var.name_prefix}-webhook@${var.project_id}.iam.gserviceaccount.com" }],
    [
      for bindings in [google_service_account_iam_binding.mint_pooled, google_service_account_iam_binding.disable_pooled, google_service_account_iam_binding.enable_pooled] : [
        for email, each in bindings : [for who in each.members : { who = who, role = each.role, on = "account ${email}" }]
      ]
    ],
  ])
  on_others = flatten([
    [for each in values(google_cloud_run_v2_service_iam_member.public) : { who = each.member, role = each.role, on = "service ${each.name}" }],
    [for each in values(google_cloud_run_v2_service_iam_binding.sweep) : [for who in each.members : { who = who, role = each.role, on = "service ${each.name}" }]],
    [for each in [google_secret_manager_secret_iam_member.webhook_tokens, google_secret_manager_secret_iam_member.buildkite_api_token] : { who = each.member, role = each.role, on = "secret ${each.secret_id}" }],
    [for each in [google_artifact_registry_repository_iam_member.build_images] : { who = each.member, role = each.role, on = "repository ${each.repository}" }],
    [for each in concat([google_storage_bucket_iam_member.build_archives], values(google_storage_bucket_iam_member.shared)) : { who = each.member, role = each.role, on = "bucket ${each.bucket}" }],
  ])
  granted = concat(local.on_projects, local.on_log_archive, local.on_accounts, local.on_others)
}
