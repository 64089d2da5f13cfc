// The permissions that the person who applies needs, by kind of project: those of the resources in deploy/terraform, and those by which
// this command looks. deploy/terraform/grant-roles.sh grants roles that have them, which a test compares.
// Source: docs.cloud.google.com/iam/docs/roles-permissions. Cloud Run's page lists no permission for `builds.submit` of its own: Google asks
// for roles/run.sourceDeveloper, which has those of Cloud Build (docs.cloud.google.com/run/docs/configuring/services/build-service-account).

import type { ProjectKind, Target } from './target.ts';
import { kindsOf } from './target.ts';

/** Permissions that the apply needs, with a role that has them. */
export interface Needed {
  readonly role: string;
  readonly in: readonly ProjectKind[];
  /** With this setting of the module alone. */
  readonly with?: 'log_archive' | 'create_policy_accounts';
  readonly permissions: readonly string[];
}

const EVERYWHERE = ['keydesk', 'pool', 'data', 'accounts', 'touched'] as const;

export const NEEDED: readonly Needed[] = [
  {
    role: 'roles/resourcemanager.projectIamAdmin',
    in: EVERYWHERE,
    permissions: [
      'resourcemanager.projects.get',
      'resourcemanager.projects.getIamPolicy',
      'resourcemanager.projects.setIamPolicy',
    ],
  },
  {
    role: 'roles/iam.roleAdmin',
    in: ['keydesk', 'pool', 'data', 'accounts'],
    permissions: ['iam.roles.create', 'iam.roles.get', 'iam.roles.update'],
  },
  {
    role: 'roles/serviceusage.serviceUsageAdmin',
    in: ['keydesk', 'pool', 'data'],
    permissions: ['serviceusage.services.enable', 'serviceusage.services.list'],
  },
  { role: 'roles/serviceusage.serviceUsageAdmin', in: ['keydesk'], permissions: ['serviceusage.services.use'] },
  {
    role: 'roles/iam.serviceAccountAdmin',
    in: ['keydesk', 'pool'],
    permissions: [
      'iam.serviceAccounts.create',
      'iam.serviceAccounts.get',
      'iam.serviceAccounts.getIamPolicy',
      'iam.serviceAccounts.setIamPolicy',
    ],
  },
  {
    role: 'roles/iam.serviceAccountAdmin',
    in: ['accounts'],
    with: 'create_policy_accounts',
    permissions: ['iam.serviceAccounts.create'],
  },
  { role: 'roles/iam.serviceAccountUser', in: ['keydesk'], permissions: ['iam.serviceAccounts.actAs'] },
  {
    role: 'roles/run.admin',
    in: ['keydesk'],
    permissions: [
      'run.operations.get',
      'run.services.create',
      'run.services.get',
      'run.services.getIamPolicy',
      'run.services.setIamPolicy',
      'run.services.update',
    ],
  },
  {
    role: 'roles/cloudbuild.builds.editor',
    in: ['keydesk'],
    permissions: ['cloudbuild.builds.create', 'cloudbuild.builds.get', 'cloudbuild.operations.get'],
  },
  {
    role: 'roles/artifactregistry.admin',
    in: ['keydesk'],
    permissions: [
      'artifactregistry.repositories.create',
      'artifactregistry.repositories.get',
      'artifactregistry.repositories.getIamPolicy',
      'artifactregistry.repositories.setIamPolicy',
    ],
  },
  {
    role: 'roles/storage.admin',
    in: ['keydesk'],
    permissions: [
      'storage.buckets.create',
      'storage.buckets.get',
      'storage.buckets.getIamPolicy',
      'storage.buckets.setIamPolicy',
      'storage.objects.create',
      'storage.objects.delete',
      'storage.objects.get',
    ],
  },
  {
    role: 'roles/secretmanager.admin',
    in: ['keydesk'],
    permissions: [
      'secretmanager.secrets.create',
      'secretmanager.secrets.get',
      'secretmanager.secrets.getIamPolicy',
      'secretmanager.secrets.setIamPolicy',
    ],
  },
  {
    role: 'roles/cloudscheduler.admin',
    in: ['keydesk'],
    permissions: ['cloudscheduler.jobs.create', 'cloudscheduler.jobs.get', 'cloudscheduler.jobs.update'],
  },
  {
    role: 'roles/datastore.owner',
    in: ['keydesk'],
    permissions: ['datastore.databases.create', 'datastore.databases.getMetadata'],
  },
  {
    // Google's name for datastore.indexes.*, which it accepts still: docs.cloud.google.com/firestore/native/docs/security/iam.
    role: 'roles/datastore.indexAdmin',
    in: ['keydesk'],
    permissions: ['datastore.operations.get', 'datastore.schemas.create'],
  },
  {
    role: 'roles/datastore.indexAdmin',
    in: ['keydesk', 'data'],
    permissions: ['datastore.schemas.get', 'datastore.schemas.update'],
  },
  {
    role: 'roles/monitoring.editor',
    in: ['keydesk'],
    permissions: ['alertPolicies', 'dashboards', 'services', 'slos', 'uptimeCheckConfigs'].flatMap((resource) => [
      `monitoring.${resource}.create`,
      `monitoring.${resource}.get`,
    ]),
  },
  {
    role: 'roles/logging.configWriter',
    in: ['keydesk'],
    permissions: ['logging.logMetrics.create', 'logging.logMetrics.get'],
  },
  {
    role: 'roles/logging.configWriter',
    in: ['keydesk'],
    with: 'log_archive',
    permissions: [
      'logging.buckets.create',
      'logging.buckets.get',
      'logging.links.create',
      'logging.links.get',
      'logging.operations.get',
    ],
  },
  {
    role: 'roles/bigquery.dataEditor',
    in: ['keydesk'],
    with: 'log_archive',
    permissions: [
      'bigquery.datasets.create',
      'bigquery.datasets.get',
      'bigquery.tables.create',
      'bigquery.tables.get',
      'bigquery.tables.getData',
      'bigquery.tables.update',
    ],
  },
  {
    role: 'roles/logging.configWriter',
    in: EVERYWHERE,
    with: 'log_archive',
    permissions: ['logging.sinks.create', 'logging.sinks.get'],
  },
  {
    role: 'roles/serviceusage.serviceUsageAdmin',
    in: ['accounts', 'touched'],
    with: 'log_archive',
    permissions: ['serviceusage.services.enable', 'serviceusage.services.list'],
  },
  {
    role: 'roles/serviceusage.apiKeysAdmin',
    in: ['data'],
    permissions: ['apikeys.keys.create', 'apikeys.keys.get', 'apikeys.keys.getKeyString'],
  },
  {
    role: 'roles/firebaserules.admin',
    in: ['data'],
    permissions: [
      'firebaserules.releases.create',
      'firebaserules.releases.get',
      'firebaserules.releases.update',
      'firebaserules.rulesets.create',
      'firebaserules.rulesets.get',
    ],
  },
];

/** What a request of this command takes, with a role that has it. `in`: the projects in which the command sends it. */
export const READS = {
  project: { permission: 'resourcemanager.projects.get', role: 'roles/browser', in: EVERYWHERE },
  services: {
    permission: 'serviceusage.services.get',
    role: 'roles/serviceusage.serviceUsageViewer',
    in: EVERYWHERE,
  },
  /** roles/orgpolicy.policyViewer has it too, and can be granted on an organization only. */
  policies: { permission: 'orgpolicy.policy.get', role: 'roles/viewer', in: ['keydesk', 'pool'] },
  runLocations: { permission: 'run.locations.list', role: 'roles/run.viewer', in: ['keydesk'] },
  schedulerLocations: {
    permission: 'cloudscheduler.locations.list',
    role: 'roles/cloudscheduler.viewer',
    in: ['keydesk'],
  },
  firestoreLocations: { permission: 'datastore.locations.list', role: 'roles/datastore.owner', in: ['keydesk'] },
  database: { permission: 'datastore.databases.getMetadata', role: 'roles/datastore.viewer', in: ['data'] },
  authentication: { permission: 'firebaseauth.configs.get', role: 'roles/identityplatform.viewer', in: ['data'] },
  tenant: { permission: 'identitytoolkit.tenants.get', role: 'roles/identityplatform.viewer', in: ['data'] },
  appCheck: { permission: 'firebaseappcheck.services.get', role: 'roles/firebaseappcheck.viewer', in: ['data'] },
  keyOwner: { permission: 'apikeys.keys.lookup', role: 'roles/serviceusage.apiKeysViewer', in: ['data'] },
  key: { permission: 'apikeys.keys.get', role: 'roles/serviceusage.apiKeysViewer', in: ['data'] },
  account: { permission: 'iam.serviceAccounts.get', role: 'roles/iam.serviceAccountViewer', in: ['data', 'accounts'] },
  accountRights: {
    permission: 'iam.serviceAccounts.setIamPolicy',
    role: 'roles/iam.serviceAccountAdmin',
    in: ['data', 'accounts'],
  },
  accounts: { permission: 'iam.serviceAccounts.list', role: 'roles/iam.serviceAccountViewer', in: ['pool'] },
  bucket: { permission: 'storage.buckets.get', role: 'roles/storage.admin', in: ['bucket'] },
  bucketRights: { permission: 'storage.buckets.setIamPolicy', role: 'roles/storage.admin', in: ['bucket'] },
} as const satisfies Readonly<
  Record<
    string,
    { readonly permission: string; readonly role: string; readonly in: readonly (ProjectKind | 'bucket')[] }
  >
>;

/** What the apply needs in a project, each permission with a role that has it. */
export function neededPermissions(target: Target, project: string): ReadonlyMap<string, string> {
  const kinds = kindsOf(target, project);
  const isSet = { log_archive: target.logArchive, create_policy_accounts: target.createPolicyAccounts };
  const needed = NEEDED.filter(
    (entry) => entry.in.some((kind) => kinds.includes(kind)) && (entry.with === undefined || isSet[entry.with]),
  );
  return new Map(needed.flatMap(({ role, permissions }) => permissions.map((permission) => [permission, role])));
}
