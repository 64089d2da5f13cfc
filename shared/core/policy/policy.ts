// The policy: what a reviewed file says may be handed out, to which jobs, for how long. Plain data in, an immutable
// value or a list of problems out. Knows nothing about files, YAML, tokens or clouds.

import * as z from 'zod';
import { isMatchableClaim, MATCHABLE_CLAIMS } from './claims.ts';
import { type Credential, credentialSchema, durationSchema, nameSchema } from './credential.ts';
import { isWildcardOnly } from './pattern.ts';
import { describeIssue, type PolicyProblem, toPolicyProblems } from './problems.ts';

const DEFAULT_JOB_TOKEN_LIFETIME = 600;
const MAX_JOB_TOKEN_LIFETIME = 7200;

const UUID = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;
const uuid = z
  .string()
  .regex(UUID, 'must be a UUID')
  .transform((value) => value.toLowerCase());

const claimPattern = z
  .union([z.string().min(1).max(256), z.int().positive()], {
    error: 'must be a pattern (text of 1 to 256 characters) or a list of patterns',
  })
  .transform(String);
const claimPatterns = z.union([claimPattern.transform((one) => [one]), z.array(claimPattern).min(1)], {
  error: 'must be a pattern (text of 1 to 256 characters) or a list of patterns',
});

const SCOPING_CLAIMS = ['pipeline_id', 'pipeline_slug', 'cluster_id'];

const jobMatcher = z
  .record(z.string(), claimPatterns)
  .superRefine((match, context) => {
    for (const claim of Object.keys(match)) {
      if (isMatchableClaim(claim)) continue;
      const hint =
        claim === 'sub'
          ? 'the job chooses the form of sub, so it proves nothing; name the discrete claims'
          : `known are ${MATCHABLE_CLAIMS.join(', ')} and agent_tag:NAME`;
      context.addIssue({ code: 'custom', path: [claim], message: `is not a claim a rule can name: ${hint}` });
    }
    const neverMatching = Object.entries(match).flatMap(([claim, patterns]) =>
      patterns.flatMap((pattern, index) => (canNeverMatch(claim, pattern) ? [{ claim, pattern, index }] : [])),
    );
    for (const { claim, pattern, index } of neverMatching) {
      const hint = claim === 'pipeline_id' ? ": use pipeline_slug, or the id from Buildkite's API" : '';
      context.addIssue({
        code: 'custom',
        path: [claim, index],
        message: `"${pattern}" is not a UUID, and so matches nothing${hint}`,
      });
    }
    if (neverMatching.some(({ claim }) => SCOPING_CLAIMS.includes(claim))) return;
    if (!SCOPING_CLAIMS.some((claim) => match[claim]?.every((pattern) => isNarrow(claim, pattern))))
      context.addIssue({
        code: 'custom',
        message: `names no pipeline: a rule must narrow ${SCOPING_CLAIMS.join(', ')} (an id to a UUID, a slug to more than wildcards), because branches, tags and step keys are chosen by whoever starts the build`,
      });
  })
  .transform(lowerCaseUuids);

function isNarrow(claim: string, pattern: string): boolean {
  return isUuidClaim(claim) ? UUID.test(pattern) : !isWildcardOnly(pattern);
}

/** Whether no value that the claim can have fits. */
function canNeverMatch(claim: string, pattern: string): boolean {
  return isMatchableClaim(claim) && isUuidClaim(claim) && !pattern.includes('*') && !UUID.test(pattern);
}

/** Every claim called …_id holds a UUID. Agent tags are called what their agents please. */
function isUuidClaim(claim: string): boolean {
  return claim.endsWith('_id') && !claim.startsWith('agent_tag:');
}

/** Claims are compared with UUIDs in lower case. */
function lowerCaseUuids(match: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(match).map(([claim, patterns]) => [
      claim,
      isUuidClaim(claim) ? patterns.map((pattern) => pattern.toLowerCase()) : patterns,
    ]),
  );
}

const rule = z.strictObject({
  name: z.string().min(1).max(128),
  match: jobMatcher,
  grants: z.array(z.string()).min(1),
});

/** Bounds on what one runaway step or pipeline can take. */
const limits = z.strictObject({
  tokensPerMinute: z.int().min(1).max(600).default(60),
  liveGrantsPerPipeline: z.int().min(1).max(100_000).default(1000),
});

const policySchema = z.strictObject({
  version: z.literal(1, { error: 'must be 1' }),
  organization: z.strictObject({ slug: z.string().min(1).max(256), id: uuid.optional() }),
  audience: z
    .string()
    .regex(/^\S{1,512}$/, 'must be text without spaces: exactly what jobs ask their token for')
    .refine(
      (audience) => !/^https:\/\/buildkite\.com(\/|$)/i.test(audience),
      "is Buildkite's default audience, which every job's token has: choose one that only Keydesk uses",
    ),
  limits: limits.prefault({}),
  maxJobTokenLifetime: durationSchema(60, MAX_JOB_TOKEN_LIFETIME, 'from 1m to 2h').default(DEFAULT_JOB_TOKEN_LIFETIME),
  credentials: z.record(nameSchema, credentialSchema),
  rules: z.array(rule),
});

/** As much of a policy as its cross-references need, however wrong the rest is. */
const namesSchema = z.object({
  credentials: z.record(z.string(), z.unknown()).optional().catch(undefined),
  rules: z
    .array(
      z.object({ name: z.unknown(), grants: z.array(z.unknown()).catch([]) }).catch({ name: undefined, grants: [] }),
    )
    .catch([]),
});

/** A reviewed policy. TTLs and lifetimes are in seconds. */
export type Policy = z.output<typeof policySchema>;
export type Rule = Policy['rules'][number];

const LEDGER_COLLECTIONS = ['grants', 'jobs', 'service_accounts', 'blocks', 'kill_switches', 'locks', 'firebase_users'];

/** What in a policy would let a job into the ledger itself, should a credential open the database it is in. */
export function ledgerExposureProblems(policy: Policy, ledger: { project: string; database: string }): string[] {
  return Object.entries(policy.credentials).flatMap(([name, credential]) => {
    if (credential.kind !== 'firestore') return [];
    if (credential.project !== ledger.project || credential.database !== ledger.database) return [];
    return credential.allow
      .filter(({ path }) => LEDGER_COLLECTIONS.includes(path.split('/', 1)[0] ?? ''))
      .map(
        ({ path }) => `KEYDESK_DATABASE is the database that credential ${name} opens, and "${path}" is the ledger's`,
      );
  });
}

/** Turns plain data into a policy, or says everything that is wrong with it at once. */
export function parsePolicyData(data: unknown): { policy: Policy } | { problems: PolicyProblem[] } {
  const result = policySchema.safeParse(data, { error: describeIssue, reportInput: true });
  const problems = [
    ...(result.error?.issues.flatMap(toPolicyProblems) ?? []),
    ...crossReferenceProblems(data),
    ...(result.success ? sharedAccountProblems(result.data) : []),
    ...(result.success ? tenantProblems(result.data) : []),
  ];
  return result.success && problems.length === 0 ? { policy: deepFreeze(result.data) } : { problems };
}

function crossReferenceProblems(data: unknown): PolicyProblem[] {
  const names = namesSchema.safeParse(data).data;
  if (!names) return [];
  const problems: PolicyProblem[] = [];
  const seen = new Set<unknown>();
  for (const [index, { name, grants }] of names.rules.entries()) {
    if (typeof name === 'string' && seen.has(name))
      problems.push({ path: ['rules', index, 'name'], message: `"${name}" names two rules` });
    seen.add(name);
    for (const [position, granted] of grants.entries())
      if (typeof granted === 'string' && names.credentials && !Object.hasOwn(names.credentials, granted))
        problems.push({
          path: ['rules', index, 'grants', position],
          message: `"${granted}" is not a credential of this policy`,
        });
  }
  return problems;
}

/** A database has one set of generated rules, and they demand one tenant. */
function tenantProblems({ credentials }: Policy): PolicyProblem[] {
  const seen = new Map<string, { readonly name: string; readonly tenant: string | undefined }>();
  return Object.entries(credentials).flatMap(([name, credential]) => {
    if (credential.kind !== 'firestore') return [];
    const { project, database, tenant } = credential;
    const other = seen.get(`${project}/${database}`);
    if (!other) seen.set(`${project}/${database}`, { name, tenant });
    if (!other || other.tenant === tenant) return [];
    return [
      {
        path: ['credentials', name, 'firestore', 'tenant'],
        message: `must be the same for every credential of ${project}/${database}: here it is ${tenant ?? 'absent'}, at credentials.${other.name} it is ${other.tenant ?? 'absent'}`,
      },
    ];
  });
}

/** A pooled account is disabled when its job ends, so nothing else may stand on it. */
function sharedAccountProblems({ credentials }: Policy): PolicyProblem[] {
  const accounts = Object.entries(credentials).flatMap(([name, credential]) =>
    accountPaths(credential).map(({ email, pooled, path }) => ({
      email,
      pooled,
      path: ['credentials', name, ...path],
    })),
  );
  return accounts.flatMap(({ email, pooled, path }, index) => {
    const other = accounts.find((place, at) => at < index && place.email === email && (pooled || place.pooled));
    if (!other) return [];
    return [
      { path, message: `${email} also stands at ${other.path.join('.')}: a pooled account serves one job alone` },
    ];
  });
}

function accountPaths(credential: Credential): { email: string; pooled: boolean; path: (string | number)[] }[] {
  switch (credential.kind) {
    case 'firestore':
      return [{ email: credential.signer, pooled: false, path: ['firestore', 'signer'] }];
    case 'service_account': {
      const path = credential.storage ? ['storage', 'serviceAccount'] : ['serviceAccount', 'email'];
      return [{ email: credential.email, pooled: false, path }];
    }
    case 'pooled_service_account': {
      const kind = credential.storage ? 'storage' : 'serviceAccount';
      return credential.pool.map((email, at) => ({ email, pooled: true, path: [kind, 'pool', at] }));
    }
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
