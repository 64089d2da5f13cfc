// What a run of the model takes place in: a policy with every kind of credential, the service accounts that it names, and
// jobs whose tokens are their ids.

import { type JobClaims, parseClaims } from '../../shared/core/policy/claims.ts';
import { type LoadedPolicy, parsePolicy } from '../../shared/core/policy/parse-yaml.ts';

export const CREDENTIALS = ['config', 'export', 'admin', 'cache'] as const;
export type CredentialName = (typeof CREDENTIALS)[number];

export const PIPELINE_ID = '0184990a-4782-42b5-afc1-16715b10b1f0';
/** The UUIDs of the pipelines, by their slugs. */
export const PIPELINES = { deploy: PIPELINE_ID, release: '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31' } as const;
export type PipelineSlug = keyof typeof PIPELINES;

export interface Setting {
  readonly policy: LoadedPolicy;
  /** The accounts of the pools, by the credential that leases them. */
  readonly pools: ReadonlyMap<string, readonly string[]>;
  /** Every service account that tokens are minted from. */
  readonly accounts: readonly string[];
}

/**
 * @param parts.pool names of the accounts that `admin` leases
 * @param parts.ttl in minutes
 */
export function createSetting(parts: {
  readonly pool: readonly string[];
  /** Name of the account that jobs share. */
  readonly shared?: string;
  readonly ttl: Readonly<Record<CredentialName, number>>;
  /** In place of the rule that grants everything, with what rules need in the policy: YAML. */
  readonly rules?: string;
}): Setting {
  const admin = parts.pool.map(address);
  const shared = address(parts.shared ?? 'shared');
  /** Of those whose tokens are narrowed to a bucket. */
  const cache = ['cache-one', 'cache-two'].map(address);
  const text = `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.model
environments: { staging: {}, production: {} }
databases: { data: { project: acme-model, apiKey: web-key, signer: ${address('signer')} } }
credentials:
  config:
    environment: staging
    ttl: ${parts.ttl.config}m
    firestore:
      database: data
      allow: [{ path: "config/{document}", verbs: [read] }]
  export:
    environment: production
    ttl: ${parts.ttl.export}m
    serviceAccount: { email: ${shared}, scopes: [https://www.googleapis.com/auth/datastore] }
  admin:
    environment: staging
    ttl: ${parts.ttl.admin}m
    serviceAccount: { pool: [${admin.join(', ')}], scopes: [https://www.googleapis.com/auth/datastore] }
  cache:
    environment: staging
    ttl: ${parts.ttl.cache}m
    storage: { pool: [${cache.join(', ')}], bucket: acme-cache, prefix: warm/, role: roles/storage.objectUser }
${parts.rules ?? 'rules: [{ name: all, match: { pipeline_slug: [deploy, release] }, grants: [config, export, admin, cache] }]'}
`;
  const policy = parsePolicy(text, 'policy.yaml');
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  const pools = new Map([
    ['admin', admin],
    ['cache', cache],
  ]);
  return { policy, pools, accounts: [...admin, ...cache, shared] };
}

/** Two accounts for eight jobs. */
export const SCARCE = createSetting({
  pool: ['pool-one', 'pool-two'],
  ttl: { config: 15, export: 10, admin: 15, cache: 15 },
});

/** The same with an account of the pool and the shared one in each other's place: policy changes while grants live. */
export const SWAPPED = createSetting({
  pool: ['pool-one', 'shared'],
  shared: 'pool-two',
  ttl: { config: 15, export: 10, admin: 15, cache: 15 },
});

/** The id of a job: where it runs (a digit), and which of those that ran there it is. */
export function jobId(slot: number, serial: number): string {
  return `${String(slot).repeat(8)}-0000-4000-8000-${String(serial).padStart(12, '0')}`;
}

/** The same in short. */
export function short(job_id: string): string {
  return `${job_id[0]}/${Number(job_id.slice(-6))}`;
}

/** A job token of the model is the id of its job. Both pipelines have builds of the same numbers. */
export function claimsOf(job_id: string): JobClaims {
  const slot = Number(job_id[0]);
  const pipeline_slug = slot >= 2 ? 'release' : 'deploy';
  // About four jobs of a slot, one after the other, are of one build.
  const build_number =
    10 * Math.floor(Number(job_id.slice(-6)) / 32) + (slot % 2) + 1 + 2 * Math.floor(Math.max(slot - 2, 0) / 2);
  const parsed = parseClaims({
    organization_slug: 'acme-inc',
    pipeline_slug,
    pipeline_id: PIPELINES[pipeline_slug],
    // A job token has it when the job requests it.
    ...(slot % 2 === 0 ? {} : { build_id: buildId(pipeline_slug, build_number) }),
    build_number,
    build_source: sourceOf(slot),
    build_branch: slot === 0 ? 'main' : 'topic',
    build_commit: 'c0ffee',
    job_id,
    agent_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}

function sourceOf(slot: number): string {
  if (slot === 3) return 'webhook';
  return slot === 1 ? 'api' : 'ui';
}

/** The UUID of a build. */
export function buildId(pipeline_slug: string, build_number: number): string {
  return `b${pipeline_slug === 'deploy' ? 0 : 1}000000-0000-4000-8000-${String(build_number).padStart(12, '0')}`;
}

function address(name: string): string {
  return `${name}@acme-model.iam.gserviceaccount.com`;
}
