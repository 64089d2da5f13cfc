# What follows from the policy: which accounts, pools, buckets and databases there are. Reads the policy as keydesk package wrote it
# in JSON, and never the YAML: Terraform would read that by other rules, by which `no` is a boolean. Decides nothing.

locals {
  policy      = jsondecode(file("${var.archives_dir}/policy.json")).policy
  credentials = local.policy.credentials

  # What the webhook has to send: the ends of jobs always, and of builds what a condition of a rule needs.
  webhook_events = concat(
    ["job.finished"],
    anytrue([for rule in local.policy.rules : try(rule.conditions.approval, null) != null]) ? ["job.activated"] : [],
    anytrue([for rule in local.policy.rules : try(rule.conditions.created_by, null) != null]) ? ["build.scheduled"] : [],
  )

  # By what they name, and not by their kind: a new kind of credential needs nothing here.
  firestore = { for name, credential in local.credentials : name => credential if can(credential.signer) }
  accounts  = { for name, credential in local.credentials : name => credential if can(credential.email) }
  storage   = { for name, credential in local.credentials : name => credential if try(credential.storage, null) != null }

  # PROJECT/DATABASE => its parts.
  data_databases = {
    for database in distinct([
      for opens in values(local.firestore) : { project = opens.project, database = opens.database }
    ]) : "${database.project}/${database.database}" => database
  }
  data_projects = toset([for database in values(local.data_databases) : database.project])

  signers         = toset([for opens in values(local.firestore) : opens.signer])
  shared_accounts = toset([for opens in values(local.accounts) : opens.email])
  # Those that mint or sign for several jobs; the pooled ones are apart.
  standing_accounts = setunion(local.signers, local.shared_accounts)

  # Each pooled account's address => its environment, also of those that retire. Policy refuses an account in two places.
  pooled_environments = merge([
    for name, credential in local.credentials : {
      for email in concat(try(credential.pool, []), try(credential.retiring, [])) : email => credential.environment
    }
  ]...)
  pooled_accounts = toset(keys(local.pooled_environments))

  # An account's address => the project it belongs to; "-" where the address does not name it (Google's default accounts).
  account_projects = {
    for email in setunion(local.standing_accounts, local.pooled_accounts) : email => try(
      regex("^[^@]+@([a-z][a-z0-9-]*)\\.iam\\.gserviceaccount\\.com$", email)[0],
      join(":", reverse(regex("^[^@]+@([a-z][a-z0-9-]*)\\.([a-z0-9.-]+)\\.iam\\.gserviceaccount\\.com$", email))),
      "-",
    )
  }
  pool_projects    = toset([for email in local.pooled_accounts : local.account_projects[email]])
  account_owners   = toset([for project in values(local.account_projects) : project if project != "-"])
  standing_by_name = { for email in local.standing_accounts : email => email if local.account_projects[email] != "-" }

  storage_accounts = toset(flatten([for opens in values(local.storage) : concat(try(opens.pool, [opens.email]), try(opens.retiring, []))]))

  # Projects whose accounts the minting identity must not be able to impersonate, and Google's default accounts of them, whose addresses
  # do not name a project: they may have wide roles there.
  minters_must_avoid = setunion([var.project_id], local.pool_projects)
  default_accounts = concat(
    [for project in local.minters_must_avoid : "${project}@appspot.gserviceaccount.com"],
    [for project in local.minters_must_avoid : "${lookup(var.project_numbers, project, "")}-compute@developer.gserviceaccount.com"],
  )

  # Shared accounts reach their buckets by these; a pool's reach theirs through its group.
  bucket_roles = {
    for grant in distinct([
      for opens in values(local.storage) : { account = opens.email, bucket = opens.storage.bucket, role = opens.storage.role }
      if can(opens.email)
    ]) : "${grant.account} ${grant.role} ${grant.bucket}" => grant
  }
}
