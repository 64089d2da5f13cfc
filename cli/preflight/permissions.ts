// The permissions that the person who applies needs, by project. Google says which of a list the caller has.
// Source: docs.cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions. Roles: docs.cloud.google.com/iam/docs/roles-permissions.

import * as z from 'zod';
import type { CheckKind } from './check.ts';
import type { Google } from './google.ts';
import type { Target } from './target.ts';

type Needs = Readonly<Record<string, string>>;

const COMMON: Needs = {
  'iam.roles.create': 'roles/iam.roleAdmin',
  'resourcemanager.projects.get': 'roles/browser',
  'resourcemanager.projects.getIamPolicy': 'roles/resourcemanager.projectIamAdmin',
  'resourcemanager.projects.setIamPolicy': 'roles/resourcemanager.projectIamAdmin',
  'serviceusage.services.enable': 'roles/serviceusage.serviceUsageAdmin',
};
/** Each permission with a role that has it. */
const NEEDED: Readonly<Record<'keydesk' | 'data' | 'pool', Needs>> = {
  keydesk: {
    ...COMMON,
    'artifactregistry.repositories.create': 'roles/artifactregistry.admin',
    'cloudbuild.builds.create': 'roles/cloudbuild.builds.editor',
    'cloudscheduler.jobs.create': 'roles/cloudscheduler.admin',
    'datastore.databases.create': 'roles/datastore.owner',
    'datastore.indexes.create': 'roles/datastore.indexAdmin',
    'datastore.indexes.update': 'roles/datastore.indexAdmin',
    'iam.serviceAccounts.actAs': 'roles/iam.serviceAccountUser',
    'iam.serviceAccounts.create': 'roles/iam.serviceAccountAdmin',
    'iam.serviceAccounts.setIamPolicy': 'roles/iam.serviceAccountAdmin',
    'logging.logMetrics.create': 'roles/logging.configWriter',
    'monitoring.alertPolicies.create': 'roles/monitoring.editor',
    'monitoring.dashboards.create': 'roles/monitoring.editor',
    'monitoring.services.create': 'roles/monitoring.editor',
    'monitoring.slos.create': 'roles/monitoring.editor',
    'monitoring.uptimeCheckConfigs.create': 'roles/monitoring.editor',
    'run.services.create': 'roles/run.admin',
    'run.services.setIamPolicy': 'roles/run.admin',
    'secretmanager.secrets.create': 'roles/secretmanager.admin',
    'secretmanager.secrets.setIamPolicy': 'roles/secretmanager.admin',
    'storage.buckets.create': 'roles/storage.admin',
  },
  data: {
    ...COMMON,
    'apikeys.keys.create': 'roles/serviceusage.apiKeysAdmin',
    'datastore.indexes.create': 'roles/datastore.indexAdmin',
    'datastore.indexes.update': 'roles/datastore.indexAdmin',
    'firebaserules.releases.create': 'roles/firebaserules.admin',
    'firebaserules.releases.update': 'roles/firebaserules.admin',
    'firebaserules.rulesets.create': 'roles/firebaserules.admin',
  },
  pool: {
    ...COMMON,
    'iam.serviceAccounts.create': 'roles/iam.serviceAccountAdmin',
    'iam.serviceAccounts.setIamPolicy': 'roles/iam.serviceAccountAdmin',
  },
};

/** `permissions` is absent when the caller has none of them. */
export const heldShape = z.object({ permissions: z.array(z.string()).default([]) });

type Name = 'permission_missing';

export const permissions: CheckKind<Name> = {
  name: 'permissions',
  looksAt: 'Whether you have the permissions to apply the module, in each project.',
  findings: {
    permission_missing: {
      severity: 'error',
      what: 'You lack permissions on {project}: {permissions}.',
      why: 'The apply fails at the first resource that needs one.',
      fix: 'Get these roles, or roles/owner: {roles}. For each: gcloud projects add-iam-policy-binding {project} --member=user:YOUR_EMAIL --role=ROLE',
    },
  },
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: project,
      look: async (google) => {
        const needs = neededPermissions(target, project);
        return { found: judgePermissions(project, needs, await heldOnProject(google, project, Object.keys(needs))) };
      },
    })),
};

/** Those of the permissions that the caller has. */
export async function heldOnProject(google: Google, project: string, wanted: readonly string[]): Promise<string[]> {
  return (await google.read(testCall(project, wanted))).permissions;
}

/** The same; none of them when one cannot be tested on a project, which Google answers with 400. */
export async function testableOnProject(google: Google, project: string, wanted: readonly string[]): Promise<string[]> {
  const held = await google.find(testCall(project, wanted), (status) => status === 400);
  return held?.permissions ?? [];
}

function testCall(project: string, wanted: readonly string[]) {
  return {
    api: 'cloudresourcemanager.googleapis.com',
    path: `v3/projects/${project}:testIamPermissions`,
    json: { permissions: wanted },
    shape: heldShape,
    permission: 'resourcemanager.projects.get',
    role: 'roles/browser',
    on: project,
  };
}

function neededPermissions(target: Target, project: string): Needs {
  return {
    ...(project === target.project ? NEEDED.keydesk : {}),
    ...(target.dataProjects.includes(project) ? NEEDED.data : {}),
    ...(target.pools.some((pool) => pool.project === project) ? NEEDED.pool : {}),
  };
}

function judgePermissions(project: string, needs: Needs, held: readonly string[]) {
  const missing = Object.keys(needs).filter((permission) => !held.includes(permission));
  if (missing.length === 0) return [];
  const roles = [...new Set(missing.map((permission) => needs[permission]))];
  return [
    {
      finding: 'permission_missing' as const,
      facts: { project, permissions: missing.join(', '), roles: roles.join(', ') },
    },
  ];
}
