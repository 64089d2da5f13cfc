import { describe, expect, it } from 'vitest';
import { activate } from '../../../../shared/core/grant/activate.ts';
import { confirmRevoked, endGrant, expire } from '../../../../shared/core/grant/end.ts';
import { grantSchema } from '../../../../shared/core/grant/grant.ts';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import {
  CREDENTIALS,
  FREE,
  grantIn,
  KINDS,
  LATER,
  NOW,
  newToken,
  outcomeOf,
  request,
  STATES,
  TTL,
} from '../../../fixtures/grants.ts';

const JOB_FINISHED = { by: 'job.finished' } as const;
const ENDED = { ...FREE, jobEndedAt: NOW + 500 };

describe.each(KINDS)('the states of a %s grant', (kind) => {
  const requestToken = request(CREDENTIALS[kind]);

  it.each([
    ['none', 'issuing'],
    ['issuing', 'issuing'],
    ['active', 'active'],
    ['revoking', 'grant_revoked'],
    ['revoked', 'grant_revoked'],
    ['expired', 'issuing'],
  ] as const)('reserving from %s comes to %s while the job runs, and to job_ended after it', (state, expected) => {
    const existing = state === 'none' ? undefined : grantIn(state, kind);
    expect(outcomeOf(reserve(existing, FREE, requestToken, LATER))).toBe(expected);
    expect(reserve(existing, ENDED, requestToken, LATER)).toEqual({
      refusal: { reason: 'job_ended', ended_at: NOW + 500 },
    });
  });

  it.each([
    ['none', 'grant_revoked'],
    ['issuing', 'active'],
    ['active', 'active'],
    ['revoking', 'grant_revoked'],
    ['revoked', 'grant_revoked'],
    ['expired', 'dependency_unavailable'],
  ] as const)(
    'recording a token from %s comes to %s while the job runs, and to job_ended after it',
    (state, expected) => {
      const existing = state === 'none' ? undefined : grantIn(state, kind);
      const token = newToken(NOW + TTL * 1000);
      expect(outcomeOf(activate(existing, FREE, token, LATER))).toBe(expected);
      expect(activate(existing, ENDED, token, LATER)).toEqual({
        refusal: { reason: 'job_ended', ended_at: NOW + 500 },
      });
    },
  );

  const kept = kind === 'serviceAccount' ? {} : { issuing: 'revoking', active: 'revoking' };
  it.each([
    ['issuing', kept.issuing ?? 'issuing'],
    ['active', kept.active ?? 'active'],
    ['revoking', undefined],
    ['revoked', undefined],
  ] as const)('the end of the job takes it from %s to %s', (state, expected) => {
    const existing = grantIn(state, kind);
    const ended = endGrant(existing, JOB_FINISHED, LATER);
    expect(ended?.state).toBe(expected);
    if (ended)
      expect(ended).toEqual({
        ...existing,
        state: expected,
        ended_at: LATER,
        ended_by: 'job.finished',
        job_ended_at: LATER,
      });
    if (ended) expect(endGrant(ended, JOB_FINISHED, LATER + 1)).toBeUndefined();
  });

  it('the end of the job marks it when it expired before, once, and changes nothing else', () => {
    const existing = grantIn('expired', kind);
    const marked = { ...existing, job_ended_at: LATER };
    expect(endGrant(existing, JOB_FINISHED, LATER)).toEqual(marked);
    expect(endGrant(marked, JOB_FINISHED, LATER + 1)).toBeUndefined();
  });

  it.each(STATES)('a mark of the end is enough to be refused: %s', (state) => {
    const marked = { ...grantIn(state, kind), job_ended_at: NOW + 500 };
    const refusal = { reason: 'job_ended', ended_at: NOW + 500 };
    expect(activate(marked, FREE, newToken(NOW + TTL * 1000), LATER)).toEqual({ refusal });
    expect(reserve(marked, FREE, request(CREDENTIALS[kind]), LATER)).toEqual({ refusal });
  });

  it.each(STATES)('that access was taken away is recorded from revoking alone: %s', (state) => {
    const existing = grantIn(state, kind);
    // Of narrowed tokens nobody knows that they died with their account: only the clock ends them.
    const revoked =
      existing.revocation === 'expiry'
        ? { access_ended_at: existing.expires_at }
        : { state: 'revoked', access_ended_at: LATER };
    expect(confirmRevoked(existing, LATER)).toEqual(state === 'revoking' ? { ...existing, ...revoked } : undefined);
  });

  it('that access was taken away is recorded once', () => {
    const taken = confirmRevoked(grantIn('revoking', kind), LATER);
    expect(taken && confirmRevoked(taken, LATER + 1)).toBeUndefined();
  });

  it.each(STATES.filter((state) => state !== 'revoking'))(
    'the clock ends what is still live, and not a millisecond early: %s',
    (state) => {
      const existing = grantIn(state, kind);
      const live = state === 'issuing' || state === 'active';
      const { expires_at } = existing;
      const due = expires_at + CLOCK_MARGIN_MS;
      expect(expire(existing, due - 1)).toBeUndefined();
      expect(expire(existing, due)).toEqual(
        live
          ? {
              ...existing,
              state: 'expired',
              ended_at: expires_at,
              ended_by: 'expiry',
              access_ended_at: expires_at,
            }
          : undefined,
      );
    },
  );

  it('the clock ends what could not be revoked once it has passed by every clock, and says so of its end alone', () => {
    const revoking = grantIn('revoking', kind);
    const { expires_at } = revoking;
    expect(expire(revoking, expires_at + CLOCK_MARGIN_MS - 1)).toBeUndefined();
    expect(expire(revoking, expires_at + CLOCK_MARGIN_MS)).toEqual({
      ...revoking,
      state: 'expired',
      access_ended_at: expires_at,
    });
  });

  it.each(['issuing', 'active'] as const)(
    'a grant overdue at the end of its job expired, it was not revoked: %s',
    (state) => {
      const existing = grantIn(state, kind);
      expect(endGrant(existing, JOB_FINISHED, existing.expires_at + CLOCK_MARGIN_MS)).toEqual({
        ...existing,
        state: 'expired',
        ended_at: existing.expires_at,
        ended_by: 'expiry',
        job_ended_at: existing.expires_at + CLOCK_MARGIN_MS,
        access_ended_at: existing.expires_at,
      });
    },
  );

  it('the end of the job revokes what may still be live on another clock', () => {
    const active = grantIn('active', kind);
    const ended = endGrant(active, JOB_FINISHED, active.expires_at + CLOCK_MARGIN_MS - 1);
    expect(ended?.state).toBe(kind === 'serviceAccount' ? 'active' : 'revoking');
  });

  it('stores nothing its own schema would refuse', () => {
    for (const state of STATES) {
      const grant = grantIn(state, kind);
      expect(grantSchema.parse(grant)).toEqual(grant);
    }
  });
});

it('a grant whose narrowed tokens outlive its account expires once they have expired on every clock', () => {
  const waiting = confirmRevoked(grantIn('revoking', 'narrowedPool'), LATER);
  if (!waiting) throw new Error('nothing was confirmed');
  const { expires_at } = waiting;
  expect(expire(waiting, expires_at + CLOCK_MARGIN_MS - 1)).toBeUndefined();
  expect(expire(waiting, expires_at + CLOCK_MARGIN_MS)).toEqual({
    ...waiting,
    state: 'expired',
    access_ended_at: expires_at,
  });
});
