// Which refusals name the contact of the policy, and that the response is the same without one.

import { describe, expect, it } from 'vitest';
import { type Refusal, toWireError } from '../../../../shared/core/oauth/refusal.ts';
import type { RuleTrace } from '../../../../shared/core/policy/decide.ts';

const CONTACT = 'https://wiki.acme.example/keydesk';
const retryAfter = 30;
const grant_id = 'f'.repeat(32);
const google = {
  dependency: 'iamcredentials',
  error: 'returned 403',
  code: 'refused' as const,
  google_code: 'PERMISSION_DENIED',
  cause: 'permission_missing' as const,
};

const NAMING: readonly Refusal[] = [
  { reason: 'unknown_credential', trace: [] },
  { reason: 'no_matching_rule', trace: [] },
  { reason: 'blocked', kill_switch_id: grant_id },
  { reason: 'google_refused', ...google, retryAfter },
];
const OTHERS: readonly Refusal[] = [
  { reason: 'job_token_missing' },
  { reason: 'job_token_expired' },
  { reason: 'claims_missing', missing: ['pipeline_id'], trace: [] },
  { reason: 'job_ended', ended_at: 0 },
  { reason: 'grant_revoked', grant_id },
  { reason: 'credential_changed', grant_id },
  { reason: 'rate_limited', grant_id, retryAfter },
  { reason: 'pool_exhausted', pool_size: 3, free_at: 0, retryAfter },
  { reason: 'dependency_unavailable', dependency: 'ledger', error: 'too slow', code: 'timed_out', retryAfter },
  { reason: 'not_found' },
];
const errorOf = (refusal: Refusal, contact?: string) => toWireError(refusal, { bearer: false, contact });

describe('the contact of the policy', () => {
  it.each(NAMING)('is the last sentence of $reason', (refusal) => {
    const { description, ...rest } = errorOf(refusal);
    expect(errorOf(refusal, CONTACT)).toEqual({ ...rest, description: `${description} Contact: ${CONTACT}.` });
  });

  it.each(OTHERS)('is no part of $reason', (refusal) => {
    expect(errorOf(refusal, CONTACT)).toEqual(errorOf(refusal));
  });
});

describe('a credential that is not granted', () => {
  it('has one response whether the policy has the credential or not, which says how to explain it', () => {
    const known = errorOf({ reason: 'no_matching_rule', trace: [] }, CONTACT);
    expect(errorOf({ reason: 'unknown_credential', trace: [] }, CONTACT)).toEqual(known);
    expect(known.description).toContain('keydesk policy explain');
  });

  it('has another where the claims match and a condition does not hold, which policy explain does not know', () => {
    const unmet = (condition: 'team' | 'agent') => ({
      ...{ rule: condition, outcome: 'condition_unmet' as const, checks: [], condition, reason: 'x' },
    });
    const elsewhere = { rule: 'other', outcome: 'claim_mismatch' as const, checks: [] };
    const errorFor = (...trace: RuleTrace[]) => errorOf({ reason: 'no_matching_rule', trace }, CONTACT);
    expect(errorFor(elsewhere)).toMatchObject({ error: 'invalid_target' });
    const one = errorFor(elsewhere, unmet('team'));
    expect(one).toMatchObject({ status: 400, error: 'access_denied' });
    expect(one.description).toMatch(/its condition team does not hold.* keydesk explain .*Contact/);
    expect(one.description).not.toContain('policy explain');
    expect(errorFor(unmet('team'), unmet('agent'), unmet('team')).description).toContain('hold: agent, team.');
  });

  it('names the team that approves, and every provider whose token would do', () => {
    const approval = { reason: 'approval_not_accepted', step: 'approve', trace: [] } as const;
    const [named, unnamed] = ['release-managers', undefined].map((team) =>
      errorOf({ ...approval, problem: 'approver_not_in_team', ...(team === undefined ? {} : { team }) }, CONTACT),
    );
    expect(named?.description).toContain('is not a member of release-managers.');
    expect(unnamed?.description).toContain('is not a member of the team that approves.');
    const missing = errorOf({ reason: 'agent_token_missing', providers: ['gce', 'eks'], trace: [] }, CONTACT);
    expect(missing.description).toContain('from the identity provider gce or eks.');
  });
});
