import { describe, expect, it } from 'vitest';
import { activate, confirmRevoked, endWithJob, expire, grantSchema, reserve } from '../../../shared/core/grant.ts';
import { CREDENTIALS, grantIn, KINDS, LATER, NOW, newToken, outcomeOf, request, STATES, TTL } from './a-grant.ts';

describe.each(KINDS)('the states of a %s grant', (kind) => {
  const ask = request(CREDENTIALS[kind]);

  it.each([
    ['none', 'issuing'],
    ['issuing', 'issuing'],
    ['active', 'active'],
    ['revoking', 'grant_revoked'],
    ['revoked', 'grant_revoked'],
    ['expired', 'issuing'],
  ] as const)('reserving from %s comes to %s while the job runs, and to job_ended after it', (state, expected) => {
    const existing = state === 'none' ? undefined : grantIn(state, kind);
    expect(outcomeOf(reserve(existing, undefined, ask, LATER))).toBe(expected);
    expect(reserve(existing, NOW + 500, ask, LATER)).toEqual({
      refusal: { reason: 'job_ended', ended_at: NOW + 500 },
    });
  });

  it.each([
    ['none', 'grant_revoked'],
    ['issuing', 'active'],
    ['active', 'active'],
    ['revoking', 'grant_revoked'],
    ['revoked', 'grant_revoked'],
    ['expired', 'unavailable'],
  ] as const)(
    'recording a token from %s comes to %s while the job runs, and to job_ended after it',
    (state, expected) => {
      const existing = state === 'none' ? undefined : grantIn(state, kind);
      const token = newToken(NOW + TTL * 1000);
      expect(outcomeOf(activate(existing, undefined, token, LATER))).toBe(expected);
      expect(activate(existing, NOW + 500, token, LATER)).toEqual({
        refusal: { reason: 'job_ended', ended_at: NOW + 500 },
      });
    },
  );

  const kept = kind === 'firestore' ? { issuing: 'revoking', active: 'revoking' } : {};
  it.each([
    ['issuing', kept.issuing ?? 'issuing'],
    ['active', kept.active ?? 'active'],
    ['revoking', undefined],
    ['revoked', undefined],
  ] as const)('the end of the job takes it from %s to %s', (state, expected) => {
    const existing = grantIn(state, kind);
    const ended = endWithJob(existing, LATER);
    expect(ended?.state).toBe(expected);
    if (ended)
      expect(ended).toEqual({
        ...existing,
        state: expected,
        ended_at: LATER,
        ended_by: 'job.finished',
        job_ended_at: LATER,
      });
    if (ended) expect(endWithJob(ended, LATER + 1)).toBeUndefined();
  });

  it('the end of the job marks it when it expired before, once, and changes nothing else', () => {
    const existing = grantIn('expired', kind);
    const marked = { ...existing, job_ended_at: LATER };
    expect(endWithJob(existing, LATER)).toEqual(marked);
    expect(endWithJob(marked, LATER + 1)).toBeUndefined();
  });

  it.each(['issuing', 'active', 'expired'] as const)('a mark of the end is enough to be refused: %s', (state) => {
    const marked = { ...grantIn(state, kind), job_ended_at: NOW + 500 };
    const refusal = { reason: 'job_ended', ended_at: NOW + 500 };
    expect(activate(marked, undefined, newToken(NOW + TTL * 1000), LATER)).toEqual({ refusal });
    expect(reserve(marked, undefined, request(CREDENTIALS[kind]), LATER)).toEqual({ refusal });
  });

  it.each(STATES)('that access was taken away is recorded from revoking alone: %s', (state) => {
    const existing = grantIn(state, kind);
    const revoked = state === 'revoking' ? { ...existing, state: 'revoked', dead_at: LATER } : undefined;
    expect(confirmRevoked(existing, LATER)).toEqual(revoked);
  });

  it.each(STATES)('the clock ends what is still live, and not a millisecond early: %s', (state) => {
    const existing = grantIn(state, kind);
    const live = state === 'issuing' || state === 'active';
    const { expires_at } = existing;
    expect(expire(existing, expires_at - 1)).toBeUndefined();
    expect(expire(existing, expires_at)).toEqual(
      live
        ? { ...existing, state: 'expired', ended_at: expires_at, ended_by: 'clock', dead_at: expires_at }
        : undefined,
    );
  });

  it.each(['issuing', 'active'] as const)(
    'a grant overdue at the end of its job expired, it was not revoked: %s',
    (state) => {
      const existing = grantIn(state, kind);
      expect(endWithJob(existing, existing.expires_at + 60_000)).toEqual({
        ...existing,
        state: 'expired',
        ended_at: existing.expires_at,
        ended_by: 'clock',
        job_ended_at: existing.expires_at + 60_000,
        dead_at: existing.expires_at,
      });
    },
  );

  it('the end of the job takes away what may still be alive by the clock of somebody else', () => {
    const active = grantIn('active', kind);
    const ended = endWithJob(active, active.expires_at + 59_999);
    expect(ended?.state).toBe(kind === 'firestore' ? 'revoking' : 'expired');
  });

  it('stores nothing its own schema would refuse', () => {
    for (const state of STATES) {
      const grant = grantIn(state, kind);
      expect(grantSchema.parse(grant)).toEqual(grant);
    }
  });
});
