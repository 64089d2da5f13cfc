// The permissions by which `keydesk doctor` looks at a deployment, each with a role that has it.
// Source: docs.cloud.google.com/iam/docs/roles-permissions.

const SECURITY_REVIEWER = 'roles/iam.securityReviewer';

export const READS = {
  ancestry: { permission: 'resourcemanager.projects.get', role: 'roles/browser' },
  projectPolicy: { permission: 'resourcemanager.projects.getIamPolicy', role: SECURITY_REVIEWER },
  folderPolicy: { permission: 'resourcemanager.folders.getIamPolicy', role: SECURITY_REVIEWER },
  organizationPolicy: { permission: 'resourcemanager.organizations.getIamPolicy', role: SECURITY_REVIEWER },
  role: { permission: 'iam.roles.get', role: 'roles/iam.roleViewer' },
  account: { permission: 'iam.serviceAccounts.get', role: 'roles/iam.serviceAccountViewer' },
  accountPolicy: { permission: 'iam.serviceAccounts.getIamPolicy', role: SECURITY_REVIEWER },
  accountKeys: { permission: 'iam.serviceAccountKeys.list', role: SECURITY_REVIEWER },
  service: { permission: 'run.services.get', role: 'roles/run.viewer' },
  servicePolicy: { permission: 'run.services.getIamPolicy', role: SECURITY_REVIEWER },
  secretPolicy: { permission: 'secretmanager.secrets.getIamPolicy', role: SECURITY_REVIEWER },
  secretVersions: { permission: 'secretmanager.versions.list', role: 'roles/secretmanager.viewer' },
  repositoryPolicy: { permission: 'artifactregistry.repositories.getIamPolicy', role: SECURITY_REVIEWER },
  bucketPolicy: { permission: 'storage.buckets.getIamPolicy', role: SECURITY_REVIEWER },
  schedulerJob: { permission: 'cloudscheduler.jobs.get', role: 'roles/cloudscheduler.viewer' },
  database: { permission: 'datastore.databases.getMetadata', role: 'roles/datastore.indexAdmin' },
  indexes: { permission: 'datastore.indexes.list', role: 'roles/datastore.indexAdmin' },
  rules: { permission: 'firebaserules.releases.get', role: 'roles/firebaserules.viewer' },
  ruleset: { permission: 'firebaserules.rulesets.get', role: 'roles/firebaserules.viewer' },
  logBucket: { permission: 'logging.buckets.get', role: 'roles/logging.viewer' },
  logLink: { permission: 'logging.links.get', role: 'roles/logging.viewer' },
  dataset: { permission: 'bigquery.datasets.get', role: 'roles/bigquery.metadataViewer' },
  datasetTables: { permission: 'bigquery.tables.list', role: 'roles/bigquery.metadataViewer' },
  logSink: { permission: 'logging.sinks.get', role: 'roles/logging.viewer' },
  /** No permission of IAM: docs.cloud.google.com/identity/docs/how-to/setup#assigning_an_admin_role_to_a_service_account. */
  group: { permission: 'the right to view groups', role: 'Groups Reader, an administrator role of Google Workspace,' },
  /** Anybody may: the page of a function, or the keys of the issuer. */
  anybody: { permission: 'access from your network', role: 'A route to it' },
} as const;
