// The policy: what a reviewed file says may be issued, to which jobs, for how long. Plain data in, an immutable
// value or a list of problems out. Knows nothing about files, YAML, tokens or clouds.

import * as z from 'zod';
import { acceptSchema } from './accept.ts';
import { breakGlassProblems } from './break-glass.ts';
import { type Credential, credentialSchema, nameSchema } from './credential.ts';
import { databaseSchema, resolveDatabase, tenantProblems } from './databases.ts';
import { durationSchema } from './duration.ts';
import { environmentProblems, environmentSchema } from './environments.ts';
import { identityProvidersSchema, providerProblems } from './identity-providers.ts';
import { pipelineProblems, pipelinesSchema, resolvePipelines } from './pipelines.ts';
import { describeIssue, type PolicyProblem, toPolicyProblems } from './problems.ts';
import { referenceProblems } from './references.ts';
import { ruleSchema, uuidSchema } from './rule.ts';
import { sharedAccountProblems } from './shared-accounts.ts';
import { teamProblems, teamsSchema } from './teams.ts';

export const MAX_JOB_TOKEN_LIFETIME = 7200;

/** Bounds on what one runaway step or pipeline can take. */
const limits = z.strictObject({
  tokensPerMinute: z.int().min(1).max(600).default(60),
  liveGrantsPerPipeline: z.int().min(1).max(100_000).default(1000),
  /** The oldest copy of a team by which anything is granted; in seconds when parsed. */
  teamsMaxAge: durationSchema(600, 24 * 3600, 'from 10m to 24h').prefault('1h'),
});

/**
 * Whom a developer asks about a refusal. It is part of `error_description`, which has no other characters.
 * Source: RFC 6749 section 5.2.
 */
export const contactSchema = z
  .string()
  .regex(
    /^(?=.*[^ ])[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/,
    'must be 1 to 200 printable ASCII characters without " and \\, not only spaces: it is part of error_description',
  );

export const policySchema = z.strictObject({
  version: z.literal(1, { error: 'must be 1. This version of Keydesk reads no other format' }),
  organization: z.strictObject({ slug: z.string().min(1).max(256), id: uuidSchema.optional() }),
  audience: z
    .string()
    .regex(/^\S{1,512}$/, 'must be text without spaces: exactly what jobs ask their token for')
    .regex(
      /^(?!https:\/\/buildkite\.com(\/|$))/i,
      "is Buildkite's default audience, which every job's token has: choose one that only Keydesk uses",
    ),
  contact: contactSchema.optional(),
  limits: limits.prefault({}),
  maxJobTokenLifetime: durationSchema(60, MAX_JOB_TOKEN_LIFETIME, 'from 1m to 2h').prefault('10m'),
  environments: z.record(nameSchema, environmentSchema),
  pipelines: pipelinesSchema.default({}),
  teams: teamsSchema.default({}),
  identityProviders: identityProvidersSchema.default({}),
  databases: z.record(nameSchema, databaseSchema).default({}),
  credentials: z.record(nameSchema, credentialSchema),
  rules: z.array(ruleSchema),
  accept: acceptSchema.optional(),
});

/** A policy as it is in the file: credentials name databases, and rules name pipelines. */
export type WrittenPolicy = z.output<typeof policySchema>;

/**
 * A reviewed policy. TTLs and lifetimes are in seconds. Credentials have the fields of their databases, and rules match
 * pipeline_id where the file has `pipeline`.
 */
export type Policy = Omit<WrittenPolicy, 'databases' | 'credentials'> & {
  readonly credentials: Readonly<Record<string, Credential>>;
};

/** Turns plain data into a policy, or says everything that is wrong with it at once. @returns also the policy as it is in the file */
export function parsePolicyData(
  data: unknown,
): { policy: Policy; written: WrittenPolicy } | { problems: PolicyProblem[] } {
  const result = policySchema.safeParse(data, { error: describeIssue, reportInput: true });
  if (!result.success) return { problems: withReferences(result.error.issues, data) };
  const references = referenceProblems(data, new Set());
  const policy = resolveNames(result.data);
  const problems = [
    ...references,
    ...sharedAccountProblems({ databases: result.data.databases, credentials: policy.credentials }),
    ...pipelineProblems(result.data.pipelines),
    ...teamProblems(result.data.teams),
    ...providerProblems(result.data.identityProviders),
    ...environmentProblems(result.data),
    ...breakGlassProblems(policy.rules),
    ...tenantProblems(policy.credentials),
  ];
  return problems.length > 0 ? { problems } : { policy: deepFreeze(policy), written: result.data };
}

/** A name that is malformed and not declared is one problem. */
function withReferences(issues: readonly z.core.$ZodIssue[], data: unknown): PolicyProblem[] {
  const malformed = issues.filter(({ code }) => code === 'invalid_key').map(({ path }) => path.join('.'));
  const references = referenceProblems(data, new Set(malformed));
  const reported = new Set(references.map(({ path }) => path.join('\n')));
  return [...toPolicyProblems(issues).filter(({ path }) => !reported.has(path.join('\n'))), ...references];
}

/** What names a database that is not declared is left out: referenceProblems reports it. */
function resolveNames({ databases, credentials, rules, ...rest }: WrittenPolicy): Policy {
  const resolved = Object.entries(credentials).flatMap(([name, written]) => {
    const credential = resolveDatabase(written, databases);
    return credential ? [[name, credential] as const] : [];
  });
  return {
    ...rest,
    credentials: Object.fromEntries(resolved),
    rules: rules.map((rule) => resolvePipelines(rule, rest.pipelines)),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
