# Every variable of the module, with its type and default. The module's variables.tf has more about each.

variable "project_id" {
  type        = string
  description = "Keydesk's own project. It exists and has billing."
}

variable "project_numbers" {
  type        = map(string)
  description = "Number of Keydesk's project and of each pool's project, by project ID."
}

variable "region" {
  type        = string
  description = "Region of the functions."
}

variable "build_region" {
  type        = string
  description = "Region in which Cloud Build builds the images; null for the region of the functions."
  default     = null
}

variable "scheduler_region" {
  type        = string
  description = "Region of the Cloud Scheduler job; null for the region of the functions."
  default     = null
}

variable "secret_locations" {
  type        = list(string)
  description = "Regions of the two secrets; empty for automatic replication."
  default     = []
}

variable "ledger_location" {
  type        = string
  description = "Location of the ledger's database. It cannot be changed."
}

variable "ledger_database" {
  type        = string
  description = "ID of the Firestore database that the module creates for the ledger."
  default     = "keydesk"
}

variable "name_prefix" {
  type        = string
  description = "Prefix of the names of functions, accounts, roles and secrets."
  default     = "keydesk"
}

variable "labels" {
  type        = map(string)
  description = "Labels on everything that can carry them."
  default     = {}
}

variable "policy_file" {
  type        = string
  description = "Path of your policy file."
}

variable "archives_dir" {
  type        = string
  description = "Folder with the archives that keydesk package makes."
}

variable "rules_files" {
  type        = map(string)
  description = "PROJECT/DATABASE => path of its security rules, made by keydesk rules write."
  default     = {}
}

variable "rules_managed_externally" {
  type        = set(string)
  description = "Databases whose generated rules you deploy by other means."
  default     = []
}

variable "webhook_tokens_version" {
  type        = string
  description = "Number of the webhook tokens' secret version; null at the first apply, before there is one."
  default     = null
}

variable "buildkite_api_token_version" {
  type        = string
  description = "Number of the Buildkite API token's secret version, or null."
  default     = null
}

variable "buildkite_teams_api_token_version" {
  type        = string
  description = "Number of the secret version of the Buildkite API token that reads teams, or null."
  default     = null
}

variable "readers" {
  type        = map(string)
  description = "Who may read grants, status and reviews."
  default     = {}
}

variable "admins" {
  type        = map(string)
  description = "Who may end access and remove blocks."
  default     = {}
}

variable "pool_roles" {
  type = map(map(object({
    project   = string
    role      = string
    condition = optional(object({ title = string, expression = string }))
  })))
  description = "Per environment, the roles of its pooled accounts."
  default     = {}
}

variable "pool_groups" {
  type        = map(object({ id = string, email = string }))
  description = "Per environment, the group that receives the roles of its pooled accounts, if there is one."
  default     = {}
}

variable "create_api_keys" {
  type        = bool
  description = "Create an API key of Keydesk's own in each data project."
  default     = true
}

variable "create_policy_accounts" {
  type        = bool
  description = "Create the policy's signers and shared accounts; false when they exist."
  default     = false
}

variable "grant_bucket_roles" {
  type        = bool
  description = "Grant each shared storage account the policy's role on the policy's bucket."
  default     = true
}

variable "forbid_keys" {
  type        = bool
  description = "Forbid service account keys in the pool projects; needs rights in the organization."
  default     = true
}

variable "audit_logs" {
  type = object({
    accounts       = optional(bool, true)
    token_exchange = optional(bool, true)
    data           = optional(bool, true)
    ledger         = optional(bool, false)
    pool_touches   = optional(bool)
  })
  description = "Which of Google's Data Access audit logs are switched on. data writes an entry for each read and write of the data databases, by anybody, and is billed by volume; so does pool_touches for every service of the projects that pool_roles names."
  default     = {}
}

variable "log_archive" {
  type = object({
    location       = optional(string)
    retention_days = optional(number, 400)
    locked         = optional(bool, false)
    views          = optional(bool, true)
  })
  description = "A log bucket and BigQuery datasets that gather the data of the audit queries; null for none."
  default     = {}
}

variable "notification_channels" {
  type        = list(string)
  description = "Cloud Monitoring channels that alerts go to."
  default     = []
}

variable "playbooks_url" {
  type        = string
  description = "Where your people read docs/playbooks."
}

variable "create_monitoring" {
  type        = bool
  description = "Create metrics, dashboard, alerts, service levels and the uptime check."
  default     = true
}

variable "propagation" {
  type = object({
    apis     = optional(string, "90s")
    roles    = optional(string, "60s")
    accounts = optional(string, "60s")
    grants   = optional(string, "120s")
    rules    = optional(string, "600s")
  })
  description = "How long an apply waits until Google knows what it created."
  default     = {}
}

variable "public_access" {
  type        = string
  description = "How token and webhook are open to the internet: invoker_check_disabled, or all_users where an organization policy forbids that."
  default     = "invoker_check_disabled"
}

variable "trusted_proxies" {
  type        = number
  description = "How many entries of X-Forwarded-For your own proxies add after the caller's address."
  default     = 0
}

variable "base_image" {
  type        = string
  description = "Google's Node.js image under the functions; null for Node.js 24 in the region of the functions."
  default     = null
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
  description = "How the token function runs."
  default     = {}
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
  description = "How the webhook function runs."
  default     = {}
}

variable "sweep_function" {
  type = object({
    memory   = optional(string, "512Mi")
    cpu      = optional(string, "1")
    timeout  = optional(number, 120)
    cpu_idle = optional(bool, true)
    ingress  = optional(string, "INGRESS_TRAFFIC_INTERNAL_ONLY")
  })
  description = "How the sweep function runs."
  default     = {}
}

variable "reader_function" {
  type = object({
    memory  = optional(string, "512Mi")
    cpu     = optional(string, "1")
    ingress = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the reader function runs."
  default     = {}
}

variable "admin_function" {
  type = object({
    memory  = optional(string, "512Mi")
    cpu     = optional(string, "1")
    ingress = optional(string, "INGRESS_TRAFFIC_ALL")
  })
  description = "How the admin function runs."
  default     = {}
}
