// A refusal of every reason, for the pages that have to tell of all of them. What differs from one to the next is written as
// the page has it. A new reason does not compile until it is here.

import type { JobTokenReason, Refusal } from '../../shared/core/refusal.ts';

export const REFUSALS: Readonly<Record<Exclude<Refusal['reason'], JobTokenReason>, Refusal>> = {
  parameter_missing: { reason: 'parameter_missing', advice: '… is missing: send ….' },
  parameter_repeated: { reason: 'parameter_repeated', advice: '… stands more than once: send each parameter once.' },
  parameter_invalid: { reason: 'parameter_invalid', advice: '… must be ….' },
  parameter_not_supported: {
    reason: 'parameter_not_supported',
    advice: 'actor_token is not supported: leave it out.',
  },
  body_not_allowed: {
    reason: 'body_not_allowed',
    advice: 'POST /token/CREDENTIAL takes no body; send a form to /token instead.',
  },
  grant_type_not_supported: { reason: 'grant_type_not_supported' },
  claims_missing: { reason: 'claims_missing', missing: ['CLAIM'], trace: [] },
  unknown_credential: { reason: 'unknown_credential', trace: [] },
  no_rule_grants: { reason: 'no_rule_grants', trace: [] },
  job_ended: { reason: 'job_ended', ended_at: 0 },
  grant_revoked: { reason: 'grant_revoked', grant_id: '' },
  credential_changed: { reason: 'credential_changed', grant_id: '' },
  too_many_live_tokens: { reason: 'too_many_live_tokens', grant_id: '', retryAfter: 1 },
  too_often: { reason: 'too_often', grant_id: '', retryAfter: 1 },
  pipeline_holds_too_many: { reason: 'pipeline_holds_too_many', live_grants: 1, limit: 1, retryAfter: 1 },
  pool_exhausted: { reason: 'pool_exhausted', pool_size: 1, free_at: 0, retryAfter: 1 },
  barred: { reason: 'barred', kill_switch: '' },
  unavailable: { reason: 'unavailable', what: '', detail: '', retryAfter: 1 },
  not_found: { reason: 'not_found' },
  method_not_allowed: { reason: 'method_not_allowed', allow: 'METHOD' },
  content_type_not_supported: { reason: 'content_type_not_supported', expected: 'TYPE' },
  request_too_large: { reason: 'request_too_large', limit: 'LIMIT' },
};
