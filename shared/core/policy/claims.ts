// The claims of a Buildkite OIDC token, as Buildkite spells them, with the types and lengths Keydesk accepts.
// Source: https://buildkite.com/docs/agent/cli/reference/oidc (claims). `sub` is never read: the job chooses its form.
// Knows nothing about signatures, audiences or time.

import * as z from 'zod';

/** No claim that is text has one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const text = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .refine((value) => !CONTROL_CHARACTER.test(value), 'holds a control character')
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode');
const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'is not a UUID')
  .transform((value) => value.toLowerCase());
const slug = text(256);
/** What Buildkite sends for a claim that has no value is not documented for all of them: null and "" are both none. */
const optional = <T extends z.ZodType>(type: T) =>
  type
    .or(z.literal(''))
    .nullish()
    .transform((value) => (value === '' ? undefined : (value ?? undefined)));

/** Claims that a token holds only when the job asked for them with `--claim`. */
export const OPTIONAL_CLAIMS = [
  'organization_id',
  'pipeline_id',
  'build_id',
  'cluster_id',
  'cluster_name',
  'queue_id',
  'queue_key',
] as const;

/** Claims a policy rule may name, in addition to `agent_tag:NAME`. */
export const MATCHABLE_CLAIMS = [
  ...OPTIONAL_CLAIMS,
  'pipeline_slug',
  'build_number',
  'build_branch',
  'build_tag',
  'build_commit',
  'build_source',
  'step_key',
  'job_id',
  'agent_id',
  'runner_environment',
] as const;

/**
 * Who decides the value of a claim: Buildkite attests it; the author of a build can choose it, by what they push, start or upload;
 * or it follows from the configuration of agents and queues, among which a step chooses.
 */
export type ClaimSource = 'buildkite' | 'author' | 'agent';

/** Source: buildkite.com/docs/pipelines/security/secrets/buildkite-secrets/access-policies (claims and how far to trust them). */
const CLAIM_SOURCES: Readonly<Record<(typeof MATCHABLE_CLAIMS)[number], ClaimSource>> = {
  organization_id: 'buildkite',
  pipeline_id: 'buildkite',
  pipeline_slug: 'buildkite',
  cluster_id: 'buildkite',
  cluster_name: 'buildkite',
  queue_id: 'agent',
  queue_key: 'agent',
  agent_id: 'buildkite',
  runner_environment: 'buildkite',
  build_source: 'buildkite',
  build_number: 'buildkite',
  build_id: 'buildkite',
  job_id: 'buildkite',
  build_branch: 'author',
  build_tag: 'author',
  build_commit: 'author',
  step_key: 'author',
};

/** The documented values of claims that have no others. */
export const CLAIM_VALUES: Readonly<Record<string, readonly string[]>> = {
  build_source: ['ui', 'api', 'webhook', 'trigger_job', 'schedule'],
  runner_environment: ['buildkite-hosted', 'self-hosted'],
};

type MatchableClaim = (typeof MATCHABLE_CLAIMS)[number] | `agent_tag:${string}`;

/** The claim of an agent's tag. */
export const AGENT_TAG = /^agent_tag:[A-Za-z0-9_.-]{1,128}$/;

const knownClaims = z.object({
  organization_slug: slug,
  organization_id: optional(uuid),
  pipeline_slug: slug,
  pipeline_id: optional(uuid),
  build_id: optional(uuid),
  build_number: z.int().positive(),
  build_branch: text(1024),
  build_tag: optional(text(1024)),
  build_commit: text(256),
  build_source: optional(text(64)),
  step_key: optional(text(1024)),
  job_id: uuid,
  agent_id: uuid,
  runner_environment: optional(text(64)),
  cluster_id: optional(uuid),
  cluster_name: optional(text(256)),
  queue_id: optional(uuid),
  queue_key: optional(text(256)),
});

/** The claims of a verified job token. UUIDs are lower case; a claim that was absent or null is undefined. */
export type JobClaims = z.output<typeof knownClaims> & { readonly agentTags: ReadonlyMap<string, string> };

/** Whether a policy rule may name `name`. */
export function isMatchableClaim(name: string): name is MatchableClaim {
  return AGENT_TAG.test(name) || (MATCHABLE_CLAIMS as readonly string[]).includes(name);
}

/** Who decides the value of a claim. The tag of an agent is configured where the agent runs. */
export function sourceOfClaim(name: MatchableClaim): ClaimSource {
  return CLAIM_SOURCES[name as keyof typeof CLAIM_SOURCES] ?? 'agent';
}

/** Whether a token has `name` only if the job requests it. */
export function isOptionalClaim(name: MatchableClaim): boolean {
  return AGENT_TAG.test(name) || (OPTIONAL_CLAIMS as readonly string[]).includes(name);
}

/**
 * Reads the claims out of a token's payload. Unknown claims pass unread.
 * @returns the claims, or the name of the first claim that is missing or not of its type.
 */
export function parseClaims(payload: unknown): { claims: JobClaims } | { invalidClaim: string } {
  const known = knownClaims.safeParse(payload);
  if (!known.success) return { invalidClaim: String(known.error.issues[0]?.path[0] ?? 'payload') };
  const agentTags = new Map<string, string>();
  for (const [name, value] of Object.entries(payload as object)) {
    if (!AGENT_TAG.test(name) || value === null || value === '') continue;
    const tag = text(1024).safeParse(value);
    if (!tag.success) return { invalidClaim: name };
    agentTags.set(name, tag.data);
  }
  return { claims: { ...known.data, agentTags } };
}

/** The claims by Buildkite's names, the tags of the agent among them. */
export function claimFields({ agentTags, ...claims }: JobClaims) {
  return { ...claims, ...Object.fromEntries(agentTags) };
}

/** Whether a job token can have `text` as the value of a claim. UUIDs are lower case, as they are after parsing. */
export function isClaimValue(name: string, text: string): boolean {
  const parsed = typeOf(name).safeParse(name === 'build_number' ? Number(text) : text);
  return parsed.success && parsed.data !== undefined && String(parsed.data) === text;
}

/** Whether a job token may lack a claim. */
export function mayBeAbsent(name: string): boolean {
  return !ALWAYS_PRESENT.has(name);
}

const ALWAYS_PRESENT: ReadonlySet<string> = new Set(
  Object.keys(knownClaims.shape).filter((name) => !typeOf(name).safeParse(undefined).success),
);

function typeOf(name: string): z.ZodType {
  if (Object.hasOwn(knownClaims.shape, name)) return knownClaims.shape[name as keyof typeof knownClaims.shape];
  return TAG_VALUE;
}

/** Made once: to make a schema takes far longer than to use it. */
const TAG_VALUE = optional(text(1024));

/** The value a rule is matched against; undefined when the claim is absent or null. */
export function claimValue(claims: JobClaims, name: MatchableClaim): string | undefined {
  if (name.startsWith('agent_tag:')) return claims.agentTags.get(name);
  const value = claims[name as (typeof MATCHABLE_CLAIMS)[number]];
  return value === undefined ? undefined : String(value);
}
