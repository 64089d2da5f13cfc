// Which refusals of tokens the alert on refused jobs counts. A new reason does not compile here until that is decided.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as z from 'zod';
import {
  AGENT_TOKEN_REASONS,
  type AgentTokenReason,
  JOB_TOKEN_REASONS,
  type JobTokenReason,
  type Refusal,
} from '../../../shared/core/oauth/refusal.ts';

/** Whether the alert counts it: a policy or a job token that somebody has to fix. */
const COUNTED: Readonly<Record<Exclude<Refusal['reason'], JobTokenReason | AgentTokenReason>, boolean>> = {
  ...{ no_matching_rule: true, unknown_credential: true, claims_missing: true },
  // Caused by one request, and fixed by its sender.
  ...{ parameter_missing: false, parameter_repeated: false, parameter_invalid: false },
  ...{ body_not_allowed: false, grant_type_not_supported: false, not_found: false, method_not_allowed: false },
  ...{ content_type_not_supported: false, request_too_large: false },
  // As intended.
  ...{ job_ended: false, grant_revoked: false, blocked: false, rate_limited: false, live_token_limit: false },
  ...{ pipeline_grant_limit: false, grant_busy: false, too_many_lookups: false, credential_changed: false },
  // Somebody has to approve, and nobody has to fix anything.
  ...{ approval_pending: false, approval_not_accepted: false },
  agent_token_missing: true,
  agent_token_key_not_looked_up: true,
  // Other alerts count these.
  conditions_unknown: false,
  ...{ pool_exhausted: false, dependency_unavailable: false, google_refused: false },
  // Passes within seconds, also while keys change.
  job_token_key_not_looked_up: true,
};

/** What anybody on the internet can send. */
const NO_TOKEN: readonly JobTokenReason[] = ['job_token_missing', 'job_token_malformed'];

const alerts = z
  .array(
    z.object({
      displayName: z.string(),
      conditions: z.array(z.object({ conditionThreshold: z.object({ filter: z.string() }).optional() })),
    }),
  )
  .parse(JSON.parse(readFileSync(new URL('../../../deploy/monitoring/alerts.json', import.meta.url), 'utf8')));

it('the alert on refused jobs counts the reasons that somebody has to fix', () => {
  const alert = alerts.find(({ displayName }) => displayName.endsWith('Most jobs refused'));
  const filters = alert?.conditions.flatMap(({ conditionThreshold }) => conditionThreshold?.filter ?? []) ?? [];
  const patterns = filters.flatMap(
    (filter) => /reason=monitoring\.regex\.full_match\("([^"]+)"\)/.exec(filter)?.[1] ?? [],
  );
  expect(patterns.length).toBeGreaterThan(0);
  const expected = {
    ...COUNTED,
    ...Object.fromEntries(JOB_TOKEN_REASONS.map((reason) => [reason, !NO_TOKEN.includes(reason)])),
    ...Object.fromEntries(AGENT_TOKEN_REASONS.map((reason) => [reason, true])),
  };
  for (const pattern of patterns)
    expect(
      Object.fromEntries(Object.keys(expected).map((reason) => [reason, new RegExp(`^(?:${pattern})$`).test(reason)])),
    ).toEqual(expected);
});
