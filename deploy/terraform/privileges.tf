# Who may do what, and nothing beyond it. Every grant of this module is in this file. Roles and members come from privileges.json, as does
# PRIVILEGES.md. The identity that mints cannot enable an account; the two that end grants and enable accounts cannot mint.

locals {
  privileges = jsondecode(file("${path.module}/privileges.json"))
  # Name of a resource => identity => role.
  held = { for address, grant in local.privileges.grants : split(".", address)[1] => { for identity, held in grant.to : identity => held.role } }
  # Name of a resource that grants one role => that role.
  role = { for name, held in local.held : name => one(distinct(values(held))) if length(distinct(values(held))) == 1 }

  # By account_id and not by email, which a first plan may not know: a reviewer of the plan should see who gets what.
  member = merge(
    { for name, account in google_service_account.function : name => "serviceAccount:${account.account_id}@${var.project_id}.iam.gserviceaccount.com" },
    {
      scheduler = "serviceAccount:${google_service_account.scheduler.account_id}@${var.project_id}.iam.gserviceaccount.com"
      build     = "serviceAccount:${google_service_account.build.account_id}@${var.project_id}.iam.gserviceaccount.com"
      everyone  = "allUsers"
    }
  )
  # Name of a resource => members. The other members come from variables, from the policy or from Google.
  members = { for name, held in local.held : name => [for identity in keys(held) : local.member[identity]] if alltrue([for identity in keys(held) : contains(keys(local.member), identity)]) }

  # Each function in each data database, where it writes or closes grant documents.
  data_access = merge([
    for function, role in local.held.data : {
      for name, database in local.data_databases : "${function} ${name}" => merge(database, { function = function, role = role })
    }
  ]...)

  pool_group_roles = merge([
    for environment, group in var.pool_groups : {
      for grant in group.roles : "${environment} ${grant.project} ${grant.role} ${try(grant.condition.title, "")}" => merge(grant, { email = group.email })
    }
  ]...)
}

# Keydesk's own roles, because Google's hold more than is needed: the projects in which each is used.

locals {
  role_projects = {
    ledger                = [var.project_id]
    grant_document_writer = local.data_projects
    grant_document_closer = local.data_projects
    signer                = [for email in local.signers : local.account_projects[email]]
    token_minter          = [for email in setunion(local.shared_accounts, local.pooled_accounts) : local.account_projects[email]]
    account_disabler      = local.pool_projects
    account_enabler       = local.pool_projects
  }
  own_roles_by_project = merge([
    for name, role in local.privileges.roles : { for project in distinct(local.role_projects[name]) : "${name} ${project}" => merge(role, { name = name, project = project }) if project != "-" }
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
  for_each = local.held.ledger

  project = var.project_id
  role    = local.roles["${each.value} ${var.project_id}"]
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
  role    = local.roles["${each.value.role} ${each.value.project}"]
  member  = local.member[each.value.function]

  condition {
    title       = "keydesk ${each.value.database} only"
    description = "The one database that the policy opens; Keydesk keeps its grant documents in it."
    expression  = "resource.name == \"projects/${each.value.project}/databases/${each.value.database}\""
  }
}

# Minting: the token function alone. Where an account's address does not name its project, a custom role of Keydesk is not
# possible, and Google's wider one is used.

resource "google_service_account_iam_member" "sign" {
  for_each = local.signers

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = lookup(local.roles, "${local.role.sign} ${local.account_projects[each.key]}", "roles/iam.serviceAccountTokenCreator")
  member             = one(local.members.sign)

  depends_on = [google_service_account.standing]
}

resource "google_service_account_iam_member" "mint" {
  for_each = local.shared_accounts

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = lookup(local.roles, "${local.role.mint} ${local.account_projects[each.key]}", "roles/iam.serviceAccountTokenCreator")
  member             = one(local.members.mint)

  depends_on = [google_service_account.standing]
}

# A pooled account belongs to this module, so these bindings are complete: another member of the role is removed at the next apply.
resource "google_service_account_iam_binding" "mint_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["${local.role.mint_pooled} ${local.account_projects[each.key]}"]
  members            = local.members.mint_pooled
}

# Disabling and enabling pooled accounts

resource "google_service_account_iam_binding" "disable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["${local.role.disable_pooled} ${local.account_projects[each.key]}"]
  members            = local.members.disable_pooled
}

resource "google_service_account_iam_binding" "enable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.roles["${local.role.enable_pooled} ${local.account_projects[each.key]}"]
  members            = local.members.enable_pooled
}

# The kill switch: who activates it acts as the webhook function's account.

resource "google_service_account_iam_member" "operators" {
  for_each = var.operators

  service_account_id = google_service_account.function["webhook"].name
  role               = local.role.operators
  member             = each.key
}

# Calling the functions. Who may call the sweep is the whole list: nobody but the scheduler.

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = { for name, function in local.deployed : name => function if contains(["token", "webhook"], name) }

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.keydesk[each.key].name
  role     = local.role.public
  member   = one(local.members.public)
}

resource "google_cloud_run_v2_service_iam_binding" "sweep" {
  for_each = { for name, function in local.deployed : name => function if name == "sweep" }

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.keydesk[each.key].name
  role     = local.role.sweep
  members  = local.members.sweep
}

# Reading secrets

resource "google_secret_manager_secret_iam_member" "webhook_tokens" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.webhook_tokens.secret_id
  role      = local.role.webhook_tokens
  member    = one(local.members.webhook_tokens)
}

resource "google_secret_manager_secret_iam_member" "buildkite_api_token" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.buildkite_api_token.secret_id
  role      = local.role.buildkite_api_token
  member    = one(local.members.buildkite_api_token)
}

# Building

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = local.role.build_logs
  member  = one(local.members.build_logs)
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.repository_id
  role       = local.role.build_images
  member     = one(local.members.build_images)
}

resource "google_storage_bucket_iam_member" "build_archives" {
  bucket = google_storage_bucket.archives.name
  role   = local.role.build_archives
  member = one(local.members.build_archives)
}

# Cloud Functions copies each archive into a bucket of its own and builds from there.
locals {
  build_sources = "projects/_/buckets/gcf-v2-sources-${data.google_project.keydesk.number}-${var.region}"
}

resource "google_project_iam_member" "build_sources" {
  project = var.project_id
  role    = local.role.build_sources
  member  = one(local.members.build_sources)

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
      error_message = "pool_groups: a role in Keydesk's project or in a pool's would let a job change the ledger, or outlive its own end."
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
  role    = local.role.log_archive
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
