# Everything to fill in. The module's variables.tf has more about each, and more settings.

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

variable "ledger_location" {
  type        = string
  description = "Location of the ledger's database. It cannot be changed."
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

variable "operators" {
  type        = map(string)
  description = "Who may activate the kill switch."
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
    location       = string
    retention_days = optional(number, 400)
    locked         = optional(bool, false)
  })
  description = "A log bucket and BigQuery dataset that gather the data of the audit queries; null for none."
  default     = null
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
