# Who may do what, and nothing beyond it. Every grant of this module is in this file. Roles and members come from privileges.json, as does
# PRIVILEGES.md. The identity that mints cannot enable an account; those that end grants cannot mint. No person has a permission on the ledger.

locals {
  privileges = jsondecode(file("${path.module}/privileges.json"))
  # Name of a resource => identity => role.
  held = { for address, grant in local.privileges.grants : split(".", address)[1] => { for identity, held in grant.to : identity => held.role } }
  # Name of a resource that grants one role => that role.
  role = { for name, held in local.held : name => one(distinct(values(held))) if length(distinct(values(held))) == 1 }

  # Written out and not read from the accounts, which a first plan does not know: a reviewer of the plan should see who gets what.
  member = merge(
    { for name in concat(keys(local.functions), ["scheduler", "build"]) : name => "serviceAccount:${var.name_prefix}-${name}@${var.project_id}.iam.gserviceaccount.com" },
    { everyone = "allUsers" }
  )
  # Name of a resource => members. The other members come from variables, from the policy or from Google.
  members = { for name, held in local.held : name => [for identity in keys(held) : local.member[identity]] if alltrue([for identity in keys(held) : contains(keys(local.member), identity)]) }

  # Each function in each data database, where it writes or closes grant documents.
  data_access = merge([
    for function, role in local.held.data : {
      for name, database in local.data_databases : "${function} ${name}" => merge(database, { function = function, role = role })
    }
  ]...)

  # Environment with a pool => who its accounts are: the group, or all service accounts of each of its projects.
  pool_projects_of = { for environment in distinct(values(local.pooled_environments)) : environment => distinct([for email, of in local.pooled_environments : local.account_projects[email] if of == environment]) }
  pool_members = {
    for environment, projects in local.pool_projects_of : environment => merge(
      { for key in contains(keys(var.pool_groups), environment) ? ["group"] : [] : key => "group:${var.pool_groups[environment].email}" },
      {
        for project in contains(keys(var.pool_groups), environment) ? [] : projects :
        project => "principalSet://cloudresourcemanager.googleapis.com/projects/${lookup(var.project_numbers, project, "")}/type/ServiceAccount"
      },
    )
  }
  pool_grants = merge(flatten([
    for environment, roles in var.pool_roles : [
      for name, grant in roles : {
        for key, member in lookup(local.pool_members, environment, {}) : "${environment} ${name} ${key}" => merge(grant, { member = member })
      }
    ]
  ])...)
  # Pool projects with accounts of more than one environment, at least one of them without a group.
  mixed_pool_projects = [
    for project in local.pool_projects : project
    if length([for projects in values(local.pool_projects_of) : true if contains(projects, project)]) > 1
    && anytrue([for environment, projects in local.pool_projects_of : contains(projects, project) && !contains(keys(var.pool_groups), environment)])
  ]
}

# Keydesk's own roles, because Google's hold more than is needed: the projects in which each is used.

locals {
  role_projects = {
    ledger                = [var.project_id]
    ledger_reader         = [var.project_id]
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

  role_prefix = replace(var.name_prefix, "-", "_")
  roles       = { for key, role in local.own_roles_by_project : key => "projects/${role.project}/roles/${local.role_prefix}_${role.name}" }

  # Where an account's address does not name its project, a custom role of Keydesk is not possible, and Google's wider one is used.
  role_on_account = {
    for name, emails in { sign = local.signers, mint = local.shared_accounts } : name => {
      for email in emails : email => lookup(local.roles, "${local.role[name]} ${local.account_projects[email]}", "roles/iam.serviceAccountTokenCreator")
    }
  }
  role_on_pooled = {
    for name in ["mint_pooled", "disable_pooled", "enable_pooled"] : name => {
      for email in local.pooled_accounts : email => local.roles["${local.role[name]} ${local.account_projects[email]}"]
    }
  }
}

resource "google_project_iam_custom_role" "own" {
  for_each = local.own_roles_by_project

  project     = each.value.project
  role_id     = "${local.role_prefix}_${each.value.name}"
  title       = each.value.title
  permissions = each.value.permissions

  depends_on = [time_sleep.apis]
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

  depends_on = [time_sleep.roles, time_sleep.accounts]
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

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

# Minting: the token function alone. Where an account's address does not name its project, a custom role of Keydesk is not possible, and
# Google's wider one is used. Grants on an account that left the policy go only after the functions are deployed that do without it
# (create_before_destroy). Otherwise Terraform would take them away first, and then wait, build and deploy for minutes.

resource "google_service_account_iam_member" "sign" {
  for_each = local.signers

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = local.role_on_account.sign[each.key]
  member             = one(local.members.sign)

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

resource "google_service_account_iam_member" "mint" {
  for_each = local.shared_accounts

  service_account_id = "projects/${local.account_projects[each.key]}/serviceAccounts/${each.key}"
  role               = local.role_on_account.mint[each.key]
  member             = one(local.members.mint)

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

# A pooled account belongs to this module, so these bindings are complete: another member of the role is removed at the next apply.
resource "google_service_account_iam_binding" "mint_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.role_on_pooled.mint_pooled[each.key]
  members            = local.members.mint_pooled

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

# Disabling and enabling pooled accounts

resource "google_service_account_iam_binding" "disable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.role_on_pooled.disable_pooled[each.key]
  members            = local.members.disable_pooled

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

resource "google_service_account_iam_binding" "enable_pooled" {
  for_each = local.pooled_accounts

  service_account_id = google_service_account.pooled[each.key].name
  role               = local.role_on_pooled.enable_pooled[each.key]
  members            = local.members.enable_pooled

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [time_sleep.roles, time_sleep.accounts]
}

# Calling the functions. Each of these lists is whole: the scheduler alone calls the sweep, and people in the groups that the variables
# name call the reader and the admin.

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = var.public_access == "all_users" ? local.public : []

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.keydesk[each.key].name
  role     = local.role.public
  member   = one(local.members.public)
}

resource "google_cloud_run_v2_service_iam_binding" "sweep" {
  for_each = setintersection(keys(local.deployed), ["sweep"])

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.keydesk[each.key].name
  role     = local.role.sweep
  members  = local.members.sweep

  depends_on = [time_sleep.accounts]
}

locals {
  # Jobs act as the first, and the others have what they need. None of them may call reader or admin.
  not_people = setunion(
    [for email in local.pooled_accounts : "serviceAccount:${email}"],
    [for name in concat(keys(local.functions), ["scheduler", "build"]) : "serviceAccount:${var.name_prefix}-${name}@${var.project_id}.iam.gserviceaccount.com"],
  )
}

resource "google_cloud_run_v2_service_iam_binding" "reader" {
  for_each = length(var.readers) > 0 ? setintersection(keys(local.deployed), ["reader"]) : []

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.keydesk[each.key].name
  role     = local.role.reader
  members  = values(var.readers)

  lifecycle {
    precondition {
      condition     = length(setintersection(values(var.readers), local.not_people)) == 0
      error_message = "readers has ${join(", ", setintersection(values(var.readers), local.not_people))}: an account of a pool, which every job of its environment uses, or of a function of Keydesk. Name a group of people."
    }
  }
}

resource "google_cloud_run_v2_service_iam_binding" "admin" {
  for_each = length(var.admins) > 0 ? setintersection(keys(local.deployed), ["admin"]) : []

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.keydesk[each.key].name
  role     = local.role.admin
  members  = values(var.admins)

  lifecycle {
    precondition {
      condition     = length(setintersection(values(var.admins), local.not_people)) == 0
      error_message = "admins has ${join(", ", setintersection(values(var.admins), local.not_people))}: an account of a pool, which every job of its environment uses, or of a function of Keydesk. Name a group of people."
    }
  }
}

# Reading secrets

resource "google_secret_manager_secret_iam_member" "webhook_tokens" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.webhook_tokens.secret_id
  role      = local.role.webhook_tokens
  member    = one(local.members.webhook_tokens)

  depends_on = [time_sleep.accounts]
}

resource "google_secret_manager_secret_iam_member" "buildkite_api_token" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.buildkite_api_token.secret_id
  role      = local.role.buildkite_api_token
  member    = one(local.members.buildkite_api_token)

  depends_on = [time_sleep.accounts]
}

resource "google_secret_manager_secret_iam_member" "buildkite_teams_api_token" {
  project   = var.project_id
  secret_id = google_secret_manager_secret.buildkite_teams_api_token.secret_id
  role      = local.role.buildkite_teams_api_token
  member    = one(local.members.buildkite_teams_api_token)

  depends_on = [time_sleep.accounts]
}

# Building

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = local.role.build_logs
  member  = one(local.members.build_logs)

  depends_on = [time_sleep.accounts]
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.repository_id
  role       = local.role.build_images
  member     = one(local.members.build_images)

  depends_on = [time_sleep.accounts]
}

resource "google_storage_bucket_iam_member" "build_archives" {
  bucket = google_storage_bucket.archives.name
  role   = local.role.build_archives
  member = one(local.members.build_archives)

  # In another region the bucket has the same name, and no grants yet.
  lifecycle {
    replace_triggered_by = [terraform_data.place]
  }

  depends_on = [time_sleep.accounts]
}

# What the policy's accounts may do themselves

resource "google_storage_bucket_iam_member" "shared" {
  for_each = var.grant_bucket_roles ? local.bucket_roles : {}

  bucket = each.value.bucket
  role   = each.value.role
  member = "serviceAccount:${each.value.account}"

  depends_on = [time_sleep.accounts]
}

resource "google_project_iam_member" "pool" {
  for_each = local.pool_grants

  lifecycle {
    precondition {
      condition     = !contains(concat([var.project_id], tolist(local.pool_projects)), each.value.project)
      error_message = "pool_roles: a role in Keydesk's project or in a pool's would let a job change the ledger, or outlive its own end."
    }
  }

  project = each.value.project
  role    = each.value.role
  member  = each.value.member

  dynamic "condition" {
    for_each = each.value.condition == null ? [] : [each.value.condition]
    content {
      title      = condition.value.title
      expression = condition.value.expression
    }
  }

  depends_on = [time_sleep.accounts]
}

# Sinks write into the log archive. Who that is Google says when the sink is there.

locals {
  log_archive_only = "resource.name.endsWith(\"locations/${local.log_location}/buckets/${local.log_bucket}\")"
}

resource "google_project_iam_member" "log_archive" {
  for_each = setsubtract(local.archived_projects, [var.project_id])

  project = var.project_id
  role    = local.role.log_archive
  member  = google_logging_project_sink.archive[each.key].writer_identity

  condition {
    title       = "keydesk log archive only"
    description = "The one log bucket that the audit queries look into."
    expression  = local.log_archive_only
  }
}

# All of it once more for the output `privileges`. It is made of what the resources above are made of, and not of their attributes: the provider
# writes some names in full after an apply, and what an auditor reads must not change by itself.

locals {
  on_projects = concat(
    [for identity, role in local.held.ledger : { who = local.member[identity], role = local.roles["${role} ${var.project_id}"], on = "project ${var.project_id} where resource.name == \"${local.ledger_resource}\"" }],
    [
      for each in values(local.data_access) :
      { who = local.member[each.function], role = local.roles["${each.role} ${each.project}"], on = "project ${each.project} where resource.name == \"projects/${each.project}/databases/${each.database}\"" }
    ],
    [
      for each in values(local.pool_grants) :
      { who = each.member, role = each.role, on = each.condition == null ? "project ${each.project}" : "project ${each.project} where ${each.condition.expression}" }
    ],
    [for who in local.members.build_logs : { who = who, role = local.role.build_logs, on = "project ${var.project_id}" }],
    [for source in setsubtract(local.archived_projects, [var.project_id]) : { who = "log sink of ${source}", role = local.role.log_archive, on = "project ${var.project_id} where ${local.log_archive_only}" }],
  )
  on_accounts = concat(
    [for email in local.signers : { who = one(local.members.sign), role = local.role_on_account.sign[email], on = "account ${email}" }],
    [for email in local.shared_accounts : { who = one(local.members.mint), role = local.role_on_account.mint[email], on = "account ${email}" }],
    flatten([
      for name in ["mint_pooled", "disable_pooled", "enable_pooled"] : [
        for email in local.pooled_accounts : [for who in local.members[name] : { who = who, role = local.role_on_pooled[name][email], on = "account ${email}" }]
      ]
    ]),
  )
  on_others = concat(
    [for name in local.public : { who = one(local.members.public), role = var.public_access == "all_users" ? local.role.public : "no invoker check", on = "service ${var.name_prefix}-${name}" }],
    flatten([
      for name, members in { sweep = local.members.sweep, reader = values(var.readers), admin = values(var.admins) } : [
        for who in members : { who = who, role = local.role[name], on = "service ${var.name_prefix}-${name}" }
      ] if contains(keys(local.deployed), name)
    ]),
    [for who in local.members.webhook_tokens : { who = who, role = local.role.webhook_tokens, on = "secret ${local.secrets.webhook_tokens}" }],
    [for who in local.members.buildkite_api_token : { who = who, role = local.role.buildkite_api_token, on = "secret ${local.secrets.buildkite_api_token}" }],
    [for who in local.members.buildkite_teams_api_token : { who = who, role = local.role.buildkite_teams_api_token, on = "secret ${local.secrets.buildkite_teams_api_token}" }],
    [for who in local.members.build_images : { who = who, role = local.role.build_images, on = "repository ${local.image_repository}" }],
    [for who in local.members.build_archives : { who = who, role = local.role.build_archives, on = "bucket ${local.archives_bucket}" }],
    [for each in values(var.grant_bucket_roles ? local.bucket_roles : {}) : { who = "serviceAccount:${each.account}", role = each.role, on = "bucket ${each.bucket}" }],
  )
  granted = concat(local.on_projects, local.on_accounts, local.on_others)
}
