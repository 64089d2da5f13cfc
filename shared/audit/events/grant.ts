// The events of a grant's life, but for its refusal.

import * as z from 'zod';
import { END_CAUSE_NAMES } from '../../core/grant/end-causes.ts';
import { GRANT_STATES } from '../../core/grant/grant.ts';
import { REVOCATIONS } from '../../core/kinds/kind.ts';
import { KIND_NAMES } from '../../core/kinds/kinds.ts';
import { conditionsOnWire } from '../../core/operator-api/conditions.ts';
import { defineEvent } from './definition.ts';
import { listOf, type SharedFields } from './fields.ts';

/** The grant as it is on record, less tokens and what only the ledger needs. */
export const recordFields = ({ text, count, time, ...shared }: SharedFields) => ({
  grant_id: shared.grant_id,
  job_id: shared.job_id,
  organization_slug: text.describe("the organization's slug"),
  organization_id: text.nullable().describe("the organization's UUID"),
  pipeline_slug: shared.pipeline_slug,
  pipeline_id: text.nullable().describe("the pipeline's UUID"),
  build_number: count.describe("the build's number"),
  build_branch: text.describe('the branch that was built'),
  build_tag: text.nullable().describe('the tag that was built'),
  build_commit: text.describe('the commit that was requested'),
  build_source: text.nullable().describe('what started the build, such as `webhook` or `ui`'),
  step_key: text.nullable().describe("the step's key"),
  agent_id: text.describe("the agent's UUID"),
  credential: shared.credential,
  environment: shared.environment,
  rule: text.describe('the rule that granted it'),
  policy_sha256: text.describe('SHA-256 of the policy that has the rule'),
  conditions: conditionsOnWire
    .nullable()
    .describe(
      'by what the conditions of the rule hold, with the UUIDs of people and teams; `null` for a rule without conditions',
    ),
  state: z.enum(GRANT_STATES).describe("the grant's state"),
  created_at: time.describe('when it was first requested'),
  requested_at: time.describe('when it was last requested'),
  issued_at: time.nullable().describe('when a token last left'),
  tokens_issued: count.describe('how many tokens left'),
  expires_at: time.describe('no token of the grant lives longer'),
  ended_at: time.nullable().describe('when it stopped being renewed'),
  ended_by: z.enum(END_CAUSE_NAMES).nullable().describe('what ended it'),
  kill_switch_id: shared.kill_switch_id.nullable(),
  job_ended_at: time.nullable().describe("when the job's end became known"),
  job_finished_at: time.nullable().describe("when the job finished by Buildkite's clock"),
  access_ended_at: time.nullable().describe('from when on no token of the grant is accepted'),
  kind: z.enum(KIND_NAMES).describe('the kind of credential'),
  revocation: z.enum(REVOCATIONS).describe('how access ends after the job'),
  project: text.optional().describe('of `firestore`: the project of the database'),
  database: text.optional().describe('of `firestore`: the database'),
  service_account: shared.service_account.optional(),
  scopes: listOf(text)
    .optional()
    .describe('of the other kinds: the OAuth scopes; of `grant.issued` those of this token'),
  storage: z
    .object({ bucket: text, prefix: text.nullable(), role: text })
    .nullable()
    .optional()
    .describe('of the other kinds: what tokens are narrowed to'),
  leased_at: time.optional().describe('of `pooled_service_account`: when the account was leased'),
  past_leases: listOf(z.object({ service_account: text, leased_at: time, access_ended_at: time }))
    .optional()
    .describe('of `pooled_service_account`: accounts that served the grant before'),
});

const endFields = (shared: SharedFields) => ({
  ...recordFields(shared),
  revocation_latency_s: z.number().optional().describe('seconds from `ended_at` to `access_ended_at`'),
  access_after_job_end_s: z.number().optional().describe('seconds from `job_finished_at` to `access_ended_at`'),
});

const labels = { credential: 'credential', environment: 'environment', service_account: 'service_account' } as const;
interface Named {
  readonly credential: string;
  readonly job_id: string;
}
const nameOf = (grant: Named) => `${grant.credential} of job ${grant.job_id}`;

export const GRANT_EVENTS = {
  'grant.issued': defineEvent({
    means: 'A token is on record and about to leave. Whether it arrived is not known.',
    fields: (shared) => ({
      ...recordFields(shared),
      token_sha256: shared.token_sha256,
      token_expires_at: shared.time.describe(
        'when the token expires; of `firestore` when its grant does, if that is sooner',
      ),
      scopes: listOf(shared.text).describe(
        'the OAuth scopes of this token; none where rules judge it or it is narrowed',
      ),
      job: shared.job,
      trace: shared.trace,
      trace_omitted: shared.trace_omitted,
      shared: z.literal(true).optional().describe('an identical request issued the token at the same time'),
      shared_with: shared.text.optional().describe('the `request_id` of that request'),
    }),
    severity: 'INFO',
    labels,
    message: (grant) => `${nameOf(grant)}: issued`,
  }),
  'grant.break_glass': defineEvent({
    means:
      'A token by a rule for emergencies is about to leave. The line `grant.issued` of the same request has its job.',
    fields: ({ grant_id, credential, environment, job_id, pipeline_slug, text, time }) => ({
      ...{ grant_id, credential, environment, job_id, pipeline_slug },
      rule: text.describe('the rule that granted it'),
      approved_by: text.describe('the UUID of the Buildkite user who approved it'),
      approved_at: time.describe('when the step was unblocked'),
      reason: text.describe("the reason that the build's metadata state"),
    }),
    severity: 'CRITICAL',
    labels: { credential: 'credential', environment: 'environment' },
    message: (grant) => `${nameOf(grant)}: break-glass access, approved by ${grant.approved_by}: ${grant.reason}`,
  }),
  'grant.revoked': defineEvent({
    means: 'Access was taken away: the grant document is closed, or IAM confirmed that the account is disabled.',
    fields: endFields,
    severity: 'INFO',
    labels,
    message: (grant) => `${nameOf(grant)}: revoked: access was taken away`,
  }),
  'grant.ended': defineEvent({
    means: 'The grant ended and gets no new tokens. Those it has may work until `expires_at`.',
    fields: endFields,
    severity: 'INFO',
    labels,
    message: (grant) => `${nameOf(grant)}: ended: no new tokens; those it has expire at expires_at`,
  }),
  'grant.expired': defineEvent({
    means:
      'Its time was up. With another `ended_by` than `expiry` it had ended before, and its access could not be taken away, or not for certain.',
    fields: endFields,
    severity: 'INFO',
    labels,
    message: (grant) => `${nameOf(grant)}: expired: its time was up`,
  }),
  'grant.released': defineEvent({
    means: 'The job released its grant. The next line says how it ended. WARNING: access could not be taken away yet.',
    fields: ({ failures, grant_id, token_sha256 }) => ({ grant_id, token_sha256, failures }),
    context: { credential: 'text', environment: 'text', job_id: 'text' },
    severity: { of: ['INFO', 'WARNING'], by: ({ failures }) => (failures.length > 0 ? 'WARNING' : 'INFO') },
    labels: { credential: 'credential', environment: 'environment' },
    message: (grant) => `${nameOf(grant)} was released by the job`,
  }),
};
