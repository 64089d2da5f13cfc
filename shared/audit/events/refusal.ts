// The event of a request that was refused. Which fields it has depends on the reason.

import * as z from 'zod';
import {
  AGENT_TOKEN_REASONS,
  type AgentTokenReason,
  JOB_TOKEN_REASONS,
  type JobTokenReason,
  type Refusal,
} from '../../core/oauth/refusal.ts';
import { defineEvent } from './definition.ts';
import { listOf, type SharedFields } from './fields.ts';

const GOOGLE = ['cause', 'google_code', 'permission', 'api', 'consumer', 'service_account'] as const;
const TRACE = ['trace', 'trace_omitted'] as const;
const WAIT = ['retry_after_s'] as const;
const FAILURE = ['dependency', 'error', 'code'] as const;

/** By reason, the fields in addition to the common ones. Each is present where it is known. */
export const REFUSAL_FIELDS = {
  ...(Object.fromEntries(JOB_TOKEN_REASONS.map((reason) => [reason, ['detail', 'received', 'expected']])) as Record<
    JobTokenReason,
    ['detail', 'received', 'expected']
  >),
  ...(Object.fromEntries(AGENT_TOKEN_REASONS.map((reason) => [reason, ['detail', 'received', 'expected']])) as Record<
    AgentTokenReason,
    ['detail', 'received', 'expected']
  >),
  agent_token_key_not_looked_up: WAIT,
  job_token_key_not_looked_up: WAIT,
  parameter_missing: ['hint'],
  parameter_repeated: ['hint'],
  parameter_invalid: ['hint'],
  body_not_allowed: ['hint'],
  grant_type_not_supported: [],
  claims_missing: ['missing', ...TRACE],
  unknown_credential: TRACE,
  no_matching_rule: TRACE,
  approval_pending: ['step', ...TRACE, ...WAIT],
  approval_not_accepted: ['step', 'problem', 'team', ...TRACE],
  conditions_unknown: ['unknown', 'team', ...TRACE, ...WAIT],
  agent_token_missing: ['providers', ...TRACE],
  job_ended: ['ended_at'],
  grant_revoked: ['grant_id'],
  credential_changed: ['grant_id'],
  live_token_limit: ['grant_id', ...WAIT],
  rate_limited: ['grant_id', ...WAIT],
  grant_busy: ['grant_id', ...WAIT],
  pipeline_grant_limit: ['live_grants', 'limit', ...WAIT],
  pool_exhausted: ['pool_size', 'free_at', ...WAIT, ...GOOGLE],
  blocked: ['kill_switch_id'],
  google_refused: [...FAILURE, ...GOOGLE, ...WAIT],
  dependency_unavailable: [...FAILURE, ...WAIT, ...GOOGLE],
  too_many_lookups: WAIT,
  not_found: [],
  method_not_allowed: ['allow'],
  content_type_not_supported: ['expected'],
  request_too_large: ['limit'],
} as const satisfies Readonly<Record<Refusal['reason'], readonly string[]>>;

const facts = ({ text, count, time, ...shared }: SharedFields) =>
  ({
    detail: text.optional().describe('the claim or the header of the token that is wrong'),
    hint: text.optional().describe('what the response says is wrong, and what to send instead'),
    missing: listOf(text).optional().describe('the claims that the job token lacks'),
    trace: shared.trace.optional(),
    trace_omitted: shared.trace_omitted,
    step: text.optional().describe('the key of the step that has to be unblocked'),
    problem: text.optional().describe('why the policy does not accept the approval'),
    unknown: z.enum(['build', 'team']).optional().describe('what was not read from Buildkite, or too long ago'),
    team: text.optional().describe('the team, by its name in the policy'),
    providers: listOf(text)
      .optional()
      .describe('the identity providers of the rules that match, by their names in the policy'),
    ended_at: time.optional().describe('when the job ended'),
    grant_id: shared.grant_id.optional(),
    live_grants: count.optional().describe("how many grants the pipeline's jobs hold"),
    limit: z.union([count, text]).optional().describe('what is allowed'),
    pool_size: count.optional().describe('how many accounts the pool has'),
    free_at: time.optional().describe('when the first account can be free'),
    kill_switch_id: shared.kill_switch_id.optional(),
    dependency: shared.dependency.optional(),
    error: shared.error.optional(),
    code: shared.code.optional(),
    ...shared.googleRefusal,
    service_account: shared.service_account.optional(),
    allow: text.optional().describe('the methods that the path allows'),
    received: text.optional().describe('what the token has: an audience, a time, or a lifetime in seconds'),
    expected: text
      .optional()
      .describe('what is accepted in its place; of a wrong media type, the one that the path expects'),
    retry_after_s: count.optional().describe('the seconds that the response says to wait'),
  }) satisfies Record<(typeof REFUSAL_FIELDS)[Refusal['reason']][number], z.ZodType>;

const TOKEN: ReadonlySet<string> = new Set([...JOB_TOKEN_REASONS, ...AGENT_TOKEN_REASONS]);

export const REFUSAL_EVENTS = {
  'grant.refused': defineEvent({
    means:
      'A request was refused. NOTICE: by policy, or the request is not in order. WARNING: a token was not accepted. ERROR: something that Keydesk depends on failed.',
    fields: (shared) => ({
      reason: z
        .enum(Object.keys(REFUSAL_FIELDS) as Refusal['reason'][])
        .describe('why: see [TROUBLESHOOTING.md](TROUBLESHOOTING.md)'),
      ...facts(shared),
      credential: shared.text.optional().describe('the requested credential, up to 128 characters of its name'),
      policy_sha256: shared.text.optional().describe('SHA-256 of the policy that judged the job token or the job'),
      job: shared.job.optional(),
    }),
    // Of a job that was verified: a name that a stranger chose would make any number of series.
    context: { pipeline_slug: 'text or undefined' },
    severity: {
      of: ['NOTICE', 'WARNING', 'ERROR'],
      by: ({ reason }) => {
        if (reason === 'dependency_unavailable' || reason === 'google_refused') return 'ERROR';
        return TOKEN.has(reason) ? 'WARNING' : 'NOTICE';
      },
    },
    labels: { reason: 'reason', pipeline: 'pipeline_slug' },
    message: ({ reason }) => `refused: ${reason}`,
  }),
};
