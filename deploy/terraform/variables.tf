# Settings of the platform. Who may have what is not decided here: the policy file decides that.

# Where

variable "project_id" {
  type        = string
  description = "Keydesk's own project: its functions, its ledger, its logs. Nothing else should be in it."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a Google Cloud project ID: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "project_numbers" {
  type        = map(string)
  description = "Number of Keydesk's project and of each pool's project, by project ID. gcloud projects describe PROJECT --format='value(projectNumber)' prints it. URLs and the pooled accounts' grants are made of it."
  validation {
    condition     = contains(keys(var.project_numbers), var.project_id)
    error_message = "project_numbers must have an entry for project_id: the number that gcloud projects describe ${var.project_id} --format='value(projectNumber)' prints."
  }
  validation {
    condition     = alltrue([for number in values(var.project_numbers) : can(regex("^[1-9][0-9]{5,18}$", number))])
    error_message = "project_numbers must map project IDs to project numbers, such as 123456789012."
  }
  validation {
    condition     = length(distinct(values(var.project_numbers))) == length(var.project_numbers)
    error_message = "project_numbers has the same number for two projects. Roles are granted by number: with a wrong one, other accounts receive them."
  }
}

variable "region" {
  type        = string
  description = "Region of the functions and their archives, near the ledger's location."
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a Google Cloud region such as europe-west1."
  }
}

variable "build_region" {
  type        = string
  description = "Region in which Cloud Build builds the images; null for the functions' region. Google restricts some projects to a few regions of Cloud Build. Archives, images and functions stay in region."
  default     = null
  validation {
    condition     = var.build_region == null || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.build_region))
    error_message = "build_region must be a Google Cloud region such as us-central1, or null."
  }
}

variable "scheduler_region" {
  type        = string
  description = "Region of the Cloud Scheduler job; null for the functions' region, if Cloud Scheduler is offered there."
  default     = null
  validation {
    condition     = var.scheduler_region == null || can(regex("^[a-z]+-[a-z]+[0-9]+$", var.scheduler_region))
    error_message = "scheduler_region must be a Google Cloud region such as europe-west1, or null."
  }
}

variable "secret_locations" {
  type        = list(string)
  description = "Regions in which Secret Manager keeps the two secrets; empty for automatic replication, which an organization policy on gcp.resourceLocations may forbid. Another value later deletes both secrets with their versions."
  default     = []
  validation {
    condition     = alltrue([for location in var.secret_locations : can(regex("^[a-z]+-[a-z]+[0-9]+$", location))]) && length(distinct(var.secret_locations)) == length(var.secret_locations)
    error_message = "secret_locations must be different Google Cloud regions such as europe-west1."
  }
}

variable "ledger_location" {
  type        = string
  description = "Location of the ledger's database, which cannot be changed: a multi-region (eur3, nam5) or a region."
  validation {
    condition     = can(regex("^([a-z]+[0-9]+|[a-z]+-[a-z]+[0-9]+)$", var.ledger_location))
    error_message = "ledger_location must be a Firestore location such as eur3, nam5 or europe-west1."
  }
}

variable "ledger_database" {
  type        = string
  description = "ID of the ledger's own Firestore database. The module creates it."
  default     = "keydesk"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.ledger_database))
    error_message = "ledger_database must be a Firestore database ID of 4 to 63 lower-case letters, digits and hyphens; the ledger has a database of its own, so not (default)."
  }
}

variable "name_prefix" {
  type        = string
  description = "Prefix of the names of functions, accounts, roles, secrets and the archives' bucket. Two deployments that share a data or pool project need different ones."
  default     = "keydesk"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must be 3 to 20 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "labels" {
  type        = map(string)
  description = "Labels on everything that can carry them."
  default     = {}
  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels must have lower-case keys and values of letters, digits, _ and -, 63 characters at most."
  }
}

# What

variable "policy_file" {
  type        = string
  description = "Path of the policy file with which archives_dir was packaged. It is compared and not read: signers, shared accounts, pools, buckets and databases come from policy.json in archives_dir."
  validation {
    condition     = fileexists(var.policy_file)
    error_message = "policy_file must be the path of a policy file."
  }
}

variable "archives_dir" {
  type        = string
  description = "Folder with an archive of each function (token.zip and so on), manifest.json and policy.json, made by keydesk package."
  validation {
    condition     = alltrue([for name in concat([for name in local.function_names : "${name}.zip"], ["manifest.json", "policy.json"]) : fileexists("${var.archives_dir}/${name}")])
    error_message = "archives_dir must hold ${join(", ", [for name in local.function_names : "${name}.zip"])}, manifest.json and policy.json: run keydesk package --policy ${var.policy_file}."
  }
  validation {
    condition     = try(jsondecode(file("${var.archives_dir}/manifest.json")).policy_sha256 == filesha256(var.policy_file), false)
    error_message = "The archives were packaged with another policy than policy_file: run keydesk package --policy ${var.policy_file}."
  }
  validation {
    condition     = try(jsondecode(file("${var.archives_dir}/policy.json")).sha256 == filesha256(var.policy_file), false)
    error_message = "policy.json in archives_dir was made from another policy than policy_file: run keydesk package --policy ${var.policy_file}."
  }
  validation {
    condition     = alltrue([for name in local.function_names : try(filesha256("${var.archives_dir}/${name}.zip") == jsondecode(file("${var.archives_dir}/manifest.json")).archives[name], false)])
    error_message = "An archive does not match manifest.json. Run keydesk package again, and change nothing in the folder."
  }
}

variable "rules_managed_externally" {
  type        = set(string)
  description = "Data databases, as PROJECT/DATABASE, whose security rules you deploy by other means. Those rules must contain the output of keydesk rules write. Until they do, Keydesk's tokens open what your own rules open to any signed-in user. So release them before the apply that adds the database: that apply waits as long as for rules that it releases itself."
  default     = []
  validation {
    condition     = alltrue([for name in var.rules_managed_externally : can(regex("^[a-z0-9.:-]+/(\\(default\\)|[a-z0-9-]+)$", name))])
    error_message = "rules_managed_externally must name databases as PROJECT/DATABASE, such as acme-staging/(default)."
  }
  validation {
    condition     = length(setintersection(var.rules_managed_externally, keys(var.rules_files))) == 0
    error_message = "rules_managed_externally names a database that rules_files deploys to."
  }
}

variable "rules_files" {
  type        = map(string)
  description = "Path of the security rules of each data database, made by keydesk rules write; keys are PROJECT/DATABASE, such as acme-staging/(default)."
  default     = {}
  validation {
    condition     = alltrue([for path in values(var.rules_files) : try(strcontains(file(path), "// keydesk:begin"), false)])
    error_message = "rules_files must be paths of rules files that hold what keydesk rules write generates (// keydesk:begin)."
  }
  # Compared without indentation, which is the file's own.
  validation {
    condition = alltrue([
      for name, path in var.rules_files : try(
        sha256(replace(regex("(?s)// keydesk:begin.*// keydesk:end", file(path)), "/(?m)^[ \\t]+/", "")) == lookup(jsondecode(file("${var.archives_dir}/manifest.json")).rules_sha256, name, ""),
        false
      )
    ])
    error_message = "A rules file is not what keydesk rules write makes of the policy that was packaged for that database: run keydesk rules write again with --file, and review what changes."
  }
}

# Secrets: only their version numbers. The values are added by hand and never come near Terraform.

variable "webhook_tokens_version" {
  type        = string
  description = "Number of the secret version that holds one or two webhook tokens, comma-separated. While it is null the functions are not deployed: a service that does not receive the ends of jobs must not issue credentials."
  default     = null
  validation {
    condition     = var.webhook_tokens_version == null || can(regex("^[1-9][0-9]*$", var.webhook_tokens_version))
    error_message = "webhook_tokens_version must be a version number, or null: latest would change what runs without a plan."
  }
  validation {
    condition     = var.webhook_tokens_version == null || !contains([for credential in values(try(jsondecode(file("${var.archives_dir}/policy.json")).policy.credentials, {})) : try(credential.apiKey, "")], "to-be-created")
    error_message = "The policy has the apiKey to-be-created, and webhook_tokens_version deploys the functions. Enter the values that terraform output api_keys prints in the policy, and run keydesk package again."
  }
}

variable "buildkite_api_token_version" {
  type        = string
  description = "Number of the secret version that holds a Buildkite API token with read_builds. Null: grants whose webhook is lost end by expiry alone."
  default     = null
  validation {
    condition     = var.buildkite_api_token_version == null || can(regex("^[1-9][0-9]*$", var.buildkite_api_token_version))
    error_message = "buildkite_api_token_version must be a version number, or null."
  }
}

variable "buildkite_teams_api_token_version" {
  type        = string
  description = "Number of the secret version that holds a Buildkite API token with read_teams. Null: no team is read, and no rule that needs one grants anything."
  default     = null
  validation {
    condition     = var.buildkite_teams_api_token_version == null || can(regex("^[1-9][0-9]*$", var.buildkite_teams_api_token_version))
    error_message = "buildkite_teams_api_token_version must be a version number, or null."
  }
}

# How the functions run

variable "public_access" {
  type        = string
  description = "How token and webhook are open to the internet. invoker_check_disabled: Cloud Run does not check who calls, and no grant to allUsers is needed, which many organizations forbid. all_users: allUsers has roles/run.invoker, for organizations whose policy run.managed.requireInvokerIam forbids the former."
  default     = "invoker_check_disabled"
  validation {
    condition     = contains(["invoker_check_disabled", "all_users"], var.public_access)
    error_message = "public_access must be invoker_check_disabled or all_users."
  }
}

variable "trusted_proxies" {
  type        = number
  description = "How many entries of X-Forwarded-For your own proxies add after the caller's address (KEYDESK_TRUSTED_PROXIES): 0 for run.app, 1 for one load balancer of Google. Above 0, token and webhook must not be open at run.app: see ingress."
  default     = 0
  validation {
    condition     = var.trusted_proxies >= 0 && var.trusted_proxies <= 9 && floor(var.trusted_proxies) == var.trusted_proxies
    error_message = "trusted_proxies must be a whole number from 0 to 9."
  }
  validation {
    condition     = var.trusted_proxies == 0 || !contains([var.token_function.ingress, var.webhook_function.ingress], "INGRESS_TRAFFIC_ALL")
    error_message = "trusted_proxies needs another ingress than INGRESS_TRAFFIC_ALL in token_function and webhook_function, such as INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER. A caller of the run.app URL could otherwise choose the address that Keydesk records and limits."
  }
}

variable "base_image" {
  type        = string
  description = "Google's Node.js image under the functions, which Cloud Run updates without a deployment; null for the Node.js 24 image in the functions' region."
  default     = null
  validation {
    condition     = var.base_image == null || can(regex("^[a-z0-9-]+-docker\\.pkg\\.dev/serverless-runtimes/[a-z0-9-]+/runtimes/nodejs[0-9]+(:[\\w.-]+|@sha256:[0-9a-f]{64})?$", var.base_image))
    error_message = "base_image must be an image of Google's such as europe-west1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/nodejs24."
  }
}

variable "token_function" {
  type = object({
    memory        = optional(string, "512Mi")
    cpu           = optional(string, "1")
    concurrency   = optional(number, 40)
    min_instances = optional(number, 1)
    max_instances = optional(number, 20)
    timeout       = optional(number, 30)
    cpu_idle      = optional(bool, true)
    ingress       = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the token function runs. Timeout in seconds. One instance is kept warm: a job waits for this function. cpu_idle = false is instance-based billing, by which an instance has CPU also between requests."
  default     = {}
  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.token_function.memory)) && can(regex("^[1-8]$", var.token_function.cpu))
    error_message = "token_function: memory must be such as 512Mi, cpu a whole number from 1 to 8 (less allows no concurrency)."
  }
  validation {
    condition     = var.token_function.concurrency >= 1 && var.token_function.concurrency <= 1000 && var.token_function.min_instances >= 0 && var.token_function.max_instances >= 1 && var.token_function.max_instances >= var.token_function.min_instances && var.token_function.timeout >= 10 && var.token_function.timeout <= 300
    error_message = "token_function: concurrency 1 to 1000, 0 <= min_instances <= max_instances, max_instances >= 1, timeout 10 to 300."
  }
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY"], var.token_function.ingress)
    error_message = "token_function: ingress must be INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_INTERNAL_ONLY."
  }
}

variable "webhook_function" {
  type = object({
    memory        = optional(string, "512Mi")
    cpu           = optional(string, "1")
    concurrency   = optional(number, 40)
    min_instances = optional(number, 1)
    max_instances = optional(number, 10)
    timeout       = optional(number, 30)
    cpu_idle      = optional(bool, true)
    ingress       = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the webhook function runs. Timeout in seconds. Buildkite reaches it from the internet."
  default     = {}
  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.webhook_function.memory)) && can(regex("^[1-8]$", var.webhook_function.cpu))
    error_message = "webhook_function: memory must be such as 512Mi, cpu a whole number from 1 to 8 (less allows no concurrency)."
  }
  validation {
    condition     = var.webhook_function.concurrency >= 1 && var.webhook_function.concurrency <= 1000 && var.webhook_function.min_instances >= 0 && var.webhook_function.max_instances >= 1 && var.webhook_function.max_instances >= var.webhook_function.min_instances && var.webhook_function.timeout >= 10 && var.webhook_function.timeout <= 300
    error_message = "webhook_function: concurrency 1 to 1000, 0 <= min_instances <= max_instances, max_instances >= 1, timeout 10 to 300."
  }
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"], var.webhook_function.ingress)
    error_message = "webhook_function: ingress must be INGRESS_TRAFFIC_ALL or INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER: Buildkite calls from outside."
  }
}

variable "sweep_function" {
  type = object({
    memory   = optional(string, "512Mi")
    cpu      = optional(string, "1")
    timeout  = optional(number, 120)
    cpu_idle = optional(bool, true)
    ingress  = optional(string, "INGRESS_TRAFFIC_INTERNAL_ONLY")
  })
  description = "How the sweep function runs: never more than one instance. Timeout in seconds. Cloud Scheduler of the same project counts as internal."
  default     = {}
  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.sweep_function.memory)) && can(regex("^[1-8]$", var.sweep_function.cpu))
    error_message = "sweep_function: memory must be such as 512Mi, cpu a whole number from 1 to 8."
  }
  validation {
    condition     = var.sweep_function.timeout >= 60 && var.sweep_function.timeout <= 300
    error_message = "sweep_function: timeout must be 60 to 300 seconds."
  }
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY"], var.sweep_function.ingress)
    error_message = "sweep_function: ingress must be INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_INTERNAL_ONLY."
  }
}

variable "reader_function" {
  type = object({
    memory  = optional(string, "512Mi")
    cpu     = optional(string, "1")
    ingress = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the reader function runs. People call it to read. Cloud Run checks who calls it, from wherever the request comes."
  default     = {}
  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.reader_function.memory)) && can(regex("^[1-8]$", var.reader_function.cpu))
    error_message = "reader_function: memory must be such as 512Mi, cpu a whole number from 1 to 8."
  }
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY"], var.reader_function.ingress)
    error_message = "reader_function: ingress must be INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_INTERNAL_ONLY."
  }
}

variable "admin_function" {
  type = object({
    memory  = optional(string, "512Mi")
    cpu     = optional(string, "1")
    ingress = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the admin function runs. People call it to end access. Cloud Run checks who calls it, from wherever the request comes."
  default     = {}
  validation {
    condition     = can(regex("^[1-9][0-9]*(Mi|Gi)$", var.admin_function.memory)) && can(regex("^[1-8]$", var.admin_function.cpu))
    error_message = "admin_function: memory must be such as 512Mi, cpu a whole number from 1 to 8."
  }
  validation {
    condition     = contains(["INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", "INGRESS_TRAFFIC_INTERNAL_ONLY"], var.admin_function.ingress)
    error_message = "admin_function: ingress must be INGRESS_TRAFFIC_ALL, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER or INGRESS_TRAFFIC_INTERNAL_ONLY."
  }
}

# How long an apply waits for Google

variable "propagation" {
  type = object({
    apis     = optional(string, "90s")
    roles    = optional(string, "60s")
    accounts = optional(string, "60s")
    grants   = optional(string, "120s")
    rules    = optional(string, "600s")
  })
  description = "How long an apply waits until Google knows new APIs, custom roles, service accounts, grants and, for a database that is new to the policy, security rules. Google documents up to ten minutes for rules: shorten that only where nobody uses the database."
  default     = {}
  validation {
    condition     = alltrue([for wait in values(var.propagation) : can(regex("^[0-9]+s$", wait))])
    error_message = "propagation must have durations in seconds, such as 90s."
  }
}

# What the policy's accounts may do

variable "pool_roles" {
  type = map(map(object({
    project   = string
    role      = string
    condition = optional(object({ title = string, expression = string }))
  })))
  description = "Per environment of the policy, the roles of its pooled accounts in the projects that jobs work on, each under a name of your choice. An environment without an entry: its accounts may do nothing but what you grant them yourself."
  default     = {}
  validation {
    condition     = alltrue(flatten([for roles in values(var.pool_roles) : [for grant in values(roles) : !contains(["roles/owner", "roles/editor", "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountAdmin"], grant.role)]]))
    error_message = "pool_roles: owner, editor, serviceAccountTokenCreator and serviceAccountAdmin would let a job outlive its own end."
  }
}

variable "pool_groups" {
  type        = map(object({ id = string, email = string }))
  description = "Per environment, a Cloud Identity group of its pooled accounts, which then receives the roles: ID (groups/...) and address. Without an entry, all service accounts of the environment's pool project receive them, and that project must hold no other environment's accounts."
  default     = {}
  validation {
    condition     = alltrue([for group in values(var.pool_groups) : can(regex("^groups/[A-Za-z0-9]+$", group.id)) && can(regex("^[^@\\s]+@[^@\\s]+$", group.email))])
    error_message = "pool_groups: id must be groups/ID as gcloud identity groups describe prints it, email the group's address."
  }
}

variable "create_api_keys" {
  type        = bool
  description = "Create an API key of Keydesk's own in each data project, restricted to Identity Toolkit. The output api_keys prints it for the policy. False later deletes the keys, also those that the policy names."
  default     = true
}

variable "readers" {
  type        = map(string)
  description = "Who may read grants, status and reviews through the function reader, as IAM members, each under a name of your choice: security = \"group:keydesk-readers@acme.example\". They need no permission on the ledger."
  default     = {}
  validation {
    condition     = alltrue([for member in values(var.readers) : can(regex("^(group|user|serviceAccount):[^@\\s]+@[^@\\s]+$", member))])
    error_message = "readers must be IAM members such as group:keydesk-readers@acme.example."
  }
}

variable "admins" {
  type        = map(string)
  description = "Who may end access and remove blocks through the function admin, as IAM members, each under a name of your choice: oncall = \"group:keydesk-oncall@acme.example\". The function can neither issue a credential nor enable an account."
  default     = {}
  validation {
    condition     = alltrue([for member in values(var.admins) : can(regex("^(group|user|serviceAccount):[^@\\s]+@[^@\\s]+$", member))])
    error_message = "admins must be IAM members such as group:keydesk-oncall@acme.example."
  }
}

variable "create_policy_accounts" {
  type        = bool
  description = "Create the policy's signers and shared accounts too. They then belong to this module: terraform destroy deletes them, and so does false later."
  default     = false
}

variable "grant_bucket_roles" {
  type        = bool
  description = "Grant each shared storage account the policy's role on the policy's bucket. A narrowed token has no permission that its account lacks."
  default     = true
}

variable "forbid_keys" {
  type        = bool
  description = "Forbid service account keys in Keydesk's project and the pools' by organization policy. Needs roles/orgpolicy.policyAdmin; set to false without it and have your organization's administrators do it."
  default     = true
}

# Watching

variable "audit_logs" {
  type = object({
    accounts       = optional(bool, true)
    token_exchange = optional(bool, true)
    data           = optional(bool, true)
    ledger         = optional(bool, false)
    pool_touches   = optional(bool)
  })
  description = "Data Access audit logs: who minted (accounts), who narrowed (token_exchange), what was touched in the data databases (data; billed by volume), every access to the ledger (ledger; three to ten entries per token request), and all reads and writes by any service in the projects that pool_roles names (pool_touches). The last is off, because it is billed by volume and those projects may have far more data than jobs touch. While it is null, a plan warns where pooled accounts leave no entry."
  default     = {}
}

variable "log_archive" {
  type = object({
    location       = optional(string)
    retention_days = optional(number, 400)
    locked         = optional(bool, false)
    views          = optional(bool, true)
  })
  description = "A log bucket in Keydesk's project for Google's audit logs of all projects concerned and Keydesk's lines, the BigQuery dataset keydesk_logs over it, which deploy/audit/*.sql read, and with views the dataset keydesk_audit with a view of each of these queries. Null: none of it. Entries are stored and billed a second time. Without a location it is in region. The location cannot be changed. Neither can locked: nobody can then delete the bucket or change its retention."
  default     = {}
  validation {
    condition     = var.log_archive == null || try(var.log_archive.location == null, false) || can(regex("^(global|eu|us|[a-z]+-[a-z]+[0-9]+)$", var.log_archive.location))
    error_message = "log_archive.location must be a location of log buckets such as eu, us, europe-west1 or global."
  }
  validation {
    condition     = var.log_archive == null || try(var.log_archive.retention_days >= 1 && var.log_archive.retention_days <= 3650 && floor(var.log_archive.retention_days) == var.log_archive.retention_days, false)
    error_message = "log_archive.retention_days must be a whole number from 1 to 3650."
  }
}

variable "notification_channels" {
  type        = list(string)
  description = "Cloud Monitoring notification channels that alerts go to, as projects/PROJECT/notificationChannels/ID."
  default     = []
  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "notification_channels must be names such as projects/acme-keydesk/notificationChannels/123."
  }
}

variable "playbooks_url" {
  type        = string
  description = "URL at which your operators read docs/playbooks. Alerts link to it."
  validation {
    condition     = can(regex("^https://[^\\s]*[^/\\s]$", var.playbooks_url))
    error_message = "playbooks_url must be an https URL without a slash at its end."
  }
}

variable "create_monitoring" {
  type        = bool
  description = "Create metrics, dashboard, alerts, service levels and the uptime check."
  default     = true
}
