// The APIs that each project must have enabled.
// Source: docs.cloud.google.com/service-usage/docs/reference/rest/v1/services/batchGet.

import * as z from 'zod';
import { chunksOf } from '../../shared/core/chunks.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import { type CheckKind, quotedWords } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';
import { kindsOf, type Target } from './target.ts';

const SERVICE_USAGE = 'serviceusage.googleapis.com';
/** Services that one request may name. */
const BATCH = 30;

/** Terraform cannot enable these: it needs them to begin. */
const FOR_TERRAFORM = ['cloudresourcemanager', 'serviceusage'];
/** What this command reads by, with the quota of Keydesk's project. */
const FOR_THE_PREFLIGHT = ['firebaseappcheck', 'identitytoolkit', 'orgpolicy'];

/** Those that the Terraform module enables, in its words: deploy/terraform/apis.tf. */
export const MODULE_APIS = {
  keydesk: [
    'apikeys',
    'artifactregistry',
    'cloudbuild',
    'cloudresourcemanager',
    'cloudscheduler',
    'firestore',
    'iam',
    'iamcredentials',
    'logging',
    'monitoring',
    'orgpolicy',
    'run',
    'secretmanager',
    'storage',
    'sts',
  ],
  data: ['apikeys', 'firebaserules', 'firestore', 'iam', 'identitytoolkit'],
  pool: ['iam', 'orgpolicy'],
  /** Unless log_archive is null: Keydesk's project, and each other one. */
  archive: ['bigquery'],
  archived: ['logging'],
} as const;

const servicesShape = z.object({
  services: z.array(z.object({ name: z.string(), state: z.string().default('') })).default([]),
});

type Name = 'terraform_api_disabled' | 'api_disabled';

export const apis: CheckKind<Target, Name> = {
  name: 'apis',
  looksAt: 'Whether the APIs that each project needs are enabled.',
  findings: {
    terraform_api_disabled: {
      severity: 'error',
      what: 'Terraform needs APIs that are not enabled in {project}: {apis}.',
      why: 'A plan fails without them, and the module cannot enable them.',
      fix: 'gcloud services enable {apis} --project={project}',
      undo: 'gcloud services disable {apis} --project={project}',
    },
    api_disabled: {
      severity: 'warning',
      what: 'APIs are not enabled in {project}: {apis}.',
      why: 'The module enables what it needs. Google takes minutes to make a new API known, and a first apply may fail until then. This command cannot look without some of them.',
      fix: 'gcloud services enable {apis} --project={project}',
      undo: 'gcloud services disable {apis} --project={project}',
    },
  },
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: project,
      look: async (google) => {
        const needed = neededApis(target, project);
        return { found: judgeApis(project, needed, await enabledApis(google, project, needed)) };
      },
    })),
};

/** The hosts of the APIs, such as `run.googleapis.com`. */
export function neededApis(target: Target, project: string): string[] {
  const kinds = kindsOf(target, project);
  const isKeydesk = kinds.includes('keydesk');
  const needed = [
    ...FOR_TERRAFORM,
    ...(isKeydesk ? [...MODULE_APIS.keydesk, ...FOR_THE_PREFLIGHT] : []),
    ...(kinds.includes('data') ? MODULE_APIS.data : []),
    ...(kinds.includes('pool') ? MODULE_APIS.pool : []),
    ...(target.poolGroups && (isKeydesk || kinds.includes('pool')) ? ['cloudidentity'] : []),
    ...(target.logArchive ? [isKeydesk ? MODULE_APIS.archive : MODULE_APIS.archived].flat() : []),
  ];
  return [...new Set(needed)].sort().map((api) => `${api}.googleapis.com`);
}

function judgeApis(project: string, needed: readonly string[], enabled: ReadonlySet<string>) {
  const missing = needed.filter((api) => !enabled.has(api));
  const ofTerraform = missing.filter((api) => FOR_TERRAFORM.includes(api.split('.', 1)[0] ?? ''));
  const others = missing.filter((api) => !ofTerraform.includes(api));
  return [
    ...(ofTerraform.length > 0
      ? [{ finding: 'terraform_api_disabled' as const, facts: { project, apis: quotedWords(ofTerraform) } }]
      : []),
    ...(others.length > 0 ? [{ finding: 'api_disabled' as const, facts: { project, apis: quotedWords(others) } }] : []),
  ];
}

async function enabledApis(google: Google, project: string, needed: readonly string[]): Promise<Set<string>> {
  const enabled = new Set<string>();
  for (const batch of chunksOf(BATCH, needed)) {
    const { services } = await google.read({
      api: SERVICE_USAGE,
      path: `v1/projects/${project}/services:batchGet`,
      query: [
        ...batch.map((api) => ['names', `projects/${project}/services/${api}`] as const),
        ['fields', 'services(name,state)'],
      ],
      shape: servicesShape,
      ...READS.services,
      on: project,
      gcloud: { command: shellCommand`gcloud services list --enabled --project=${project}`, list: 'services' },
    });
    for (const { name, state } of services) if (state === 'ENABLED') enabled.add(name.replace(/^.*\/services\//, ''));
  }
  return enabled;
}
