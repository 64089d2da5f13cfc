// What is deployed: one record for each function, which its instances write, and one for each policy that was in force.
// Times are milliseconds since the epoch and end in `_at`. Knows nothing about where records are kept.

import * as z from 'zod';
import { TEAM_NAMED_MS } from '../timing.ts';

const instanceFields = {
  version: z.string(),
  revision: z.string().nullable(),
  started_at: z.number(),
};
const common = { ...instanceFields, written_at: z.number() };

/** The instance of a function that writes. */
export type Instance = z.output<z.ZodObject<typeof instanceFields>>;

const webhookKey = z.object({ fingerprint: z.string(), last_accepted_at: z.number().nullable() });
export type WebhookKey = z.output<typeof webhookKey>;

/** How full a pool was, as a sweep reports it. */
export const poolSchema = z.object({
  pool: z.string(),
  size: z.number(),
  free: z.number(),
  leased: z.number(),
  revoking: z.number(),
  cooling_down: z.number(),
  exhausted_in_s: z.number().nullable(),
});

const left = z.object({
  pending_ends: z.number(),
  pending_revocations: z.number(),
  overdue: z.number(),
  jobs_unchecked: z.number().nullable(),
  failed: z.number(),
  has_backlog: z.boolean(),
  pools: z.array(poolSchema),
});

const apiToken = z.object({
  scopes: z.array(z.string()).nullable(),
  expires_at: z.number().nullable(),
  checked_at: z.number(),
  failure: z.string().nullable(),
});

const swept = {
  last_sweep_at: z.number().nullable(),
  last_sweep_ok: z.boolean().nullable(),
  oldest_pending_at: z.number().nullable(),
  left: left.nullable(),
};
/** What one sweep came to. `jobs_reconciled`: how many jobs it found that had finished without a webhook. */
export type Swept = z.output<z.ZodObject<typeof swept>> & { readonly jobs_reconciled: number };

/** Of sweeps that found such jobs, within an hour. */
const lostWebhooks = z.array(z.object({ found_at: z.number(), jobs: z.number() }));
const LOST_WEBHOOKS_MS = 3_600_000;

/** What the sweep needs to know of the policy to read the teams that its rules name. */
const namedTeams = {
  organization_slug: z.string().nullable().default(null),
  /** Seconds. */
  teams_max_age: z.number().nullable().default(null),
  teams: z
    .array(z.object({ id: z.string(), name: z.string(), first_named_at: z.number(), last_named_at: z.number() }))
    .default([]),
};
export type NamedTeams = z.output<z.ZodObject<typeof namedTeams>>;

/** Of a policy: its organization, and the teams that its rules name. */
export interface PolicyTeams {
  readonly organization_slug: string;
  /** Seconds. */
  readonly max_age: number;
  readonly teams: readonly { readonly id: string; readonly name: string }[];
}

export const deploymentSchema = z.discriminatedUnion('function', [
  z.object({ function: z.literal('token'), ...common, policy_sha256: z.string(), ...namedTeams }),
  z.object({
    function: z.literal('webhook'),
    ...common,
    keys: z.array(webhookKey),
    last_accepted_at: z.number().nullable(),
  }),
  z.object({
    function: z.literal('sweep'),
    ...common,
    ...swept,
    lost_webhooks: lostWebhooks.default([]),
    buildkite_api_token: apiToken.nullable(),
    buildkite_teams_api_token: apiToken.nullable().default(null),
  }),
  z.object({ function: z.literal('reader'), ...common }),
  z.object({ function: z.literal('admin'), ...common }),
]);
export type Deployment = z.output<typeof deploymentSchema>;
type DeploymentOf<Name extends Deployment['function']> = Extract<Deployment, { function: Name }>;

/** What Buildkite said of the API token, or the code of the failure to find out. */
export type ApiTokenCheck = { readonly checked_at: number } & (
  | { readonly scopes: readonly string[]; readonly expires_at: number | null }
  | { readonly failure: string }
);

/** What a sweep adds to the record: undefined leaves it as it is. An API token is null where none is configured. */
export interface SweepNews {
  readonly swept?: Swept | undefined;
  readonly apiToken?: ApiTokenCheck | null | undefined;
  readonly teamsApiToken?: ApiTokenCheck | null | undefined;
}

/**
 * The teams of the policy, and those that another instance named lately: while a policy is being deployed, instances of both start, and
 * the sweep has to read the teams of both.
 * @param known the record until now
 */
export function toTokenDeployment(
  known: Deployment | undefined,
  {
    instance,
    policy_sha256,
    teams: { organization_slug, max_age, teams },
    now,
  }: {
    readonly instance: Instance;
    readonly policy_sha256: string;
    readonly teams: PolicyTeams;
    readonly now: number;
  },
): DeploymentOf<'token'> {
  const before = known?.function === 'token' ? known.teams : [];
  const ids = new Set(teams.map(({ id }) => id));
  const others = before.filter(({ id, last_named_at }) => !ids.has(id) && last_named_at > now - TEAM_NAMED_MS);
  const firstNamed = (id: string) => before.find((team) => team.id === id)?.first_named_at ?? now;
  return {
    function: 'token',
    ...instance,
    written_at: now,
    policy_sha256,
    organization_slug,
    teams_max_age: max_age,
    teams: [
      ...teams.map(({ id, name }) => ({ id, name, first_named_at: firstNamed(id), last_named_at: now })),
      ...others,
    ],
  };
}

/** @param keys in the order of the setting, each with what this instance accepted. @param known the record until now */
export function toWebhookDeployment(
  known: Deployment | undefined,
  { instance, keys, now }: { readonly instance: Instance; readonly keys: readonly WebhookKey[]; readonly now: number },
): DeploymentOf<'webhook'> {
  const before = known?.function === 'webhook' ? known : undefined;
  const lastOf = (fingerprint: string) => before?.keys.find((key) => key.fingerprint === fingerprint)?.last_accepted_at;
  return {
    function: 'webhook',
    ...instance,
    written_at: now,
    keys: keys.map(({ fingerprint, last_accepted_at }) => ({
      fingerprint,
      last_accepted_at: latest(last_accepted_at, lastOf(fingerprint)),
    })),
    last_accepted_at: latest(before?.last_accepted_at, ...keys.map(({ last_accepted_at }) => last_accepted_at)),
  };
}

/** @param known the record until now */
export function toSweepDeployment(
  known: Deployment | undefined,
  { instance, news, now }: { readonly instance: Instance; readonly news: SweepNews; readonly now: number },
): DeploymentOf<'sweep'> {
  const before = known?.function === 'sweep' ? known : NEVER_SWEPT;
  const { last_sweep_at, last_sweep_ok, oldest_pending_at, left: leftUndone } = news.swept ?? before;
  return {
    function: 'sweep',
    ...instance,
    written_at: now,
    ...{ last_sweep_at, last_sweep_ok, oldest_pending_at, left: leftUndone },
    lost_webhooks: [
      ...before.lost_webhooks.filter(({ found_at }) => found_at > now - LOST_WEBHOOKS_MS),
      ...(news.swept?.jobs_reconciled
        ? [{ found_at: news.swept.last_sweep_at ?? now, jobs: news.swept.jobs_reconciled }]
        : []),
    ],
    buildkite_api_token: toApiToken(before.buildkite_api_token, news.apiToken),
    buildkite_teams_api_token: toApiToken(before.buildkite_teams_api_token, news.teamsApiToken),
  };
}

const NEVER_SWEPT = {
  ...{ last_sweep_at: null, last_sweep_ok: null, oldest_pending_at: null, left: null, lost_webhooks: [] },
  buildkite_api_token: null,
  buildkite_teams_api_token: null,
};

/** After a failure, scopes and expiry stay as Buildkite last said. */
function toApiToken(
  before: DeploymentOf<'sweep'>['buildkite_api_token'],
  check: SweepNews['apiToken'],
): DeploymentOf<'sweep'>['buildkite_api_token'] {
  if (check === undefined) return before;
  if (check === null) return null;
  const { checked_at } = check;
  if ('failure' in check)
    return {
      scopes: before?.scopes ?? null,
      expires_at: before?.expires_at ?? null,
      checked_at,
      failure: check.failure,
    };
  return { scopes: [...check.scopes], expires_at: check.expires_at, checked_at, failure: null };
}

function latest(...times: readonly (number | null | undefined)[]): number | null {
  const known = times.filter((at) => typeof at === 'number');
  return known.length > 0 ? Math.max(...known) : null;
}
