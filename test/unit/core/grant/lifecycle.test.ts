// What a reservation is refused for although the job runs and its grant is live (limits, blocks), and what becomes of a
// grant that is ended before its job is.

import { describe, expect, it } from 'vitest';
import { activate } from '../../../../shared/core/grant/activate.ts';
import type { EndCause } from '../../../../shared/core/grant/end.ts';
import { confirmRevoked, endGrant, expire } from '../../../../shared/core/grant/end.ts';

import { blockedNow, reserve } from '../../../../shared/core/grant/reserve.ts';
import { toWireError } from '../../../../shared/core/oauth/refusal.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import {
  CAPS,
  CREDENTIALS,
  expectDefined,
  FREE,
  firestore,
  GRANT_ID,
  granted,
  grantIn,
  KINDS,
  LATER,
  NOW,
  newToken,
  outcomeOf,
  request,
  STATES,
  subject,
  TTL,
} from '../../../fixtures/grants.ts';

describe.each(KINDS)('requests for a %s grant within a minute', (kind) => {
  const requestToken = request(CREDENTIALS[kind], { limits: { ...CAPS, tokensPerMinute: 3 } });
  const requestedAt = (...times: number[]) =>
    times.reduce((grant, at) => granted(reserve(grant, FREE, requestToken, at)), first);
  const first = granted(reserve(undefined, FREE, requestToken, NOW));

  it('are counted from the first of them on, and one more than the cap is refused until the minute is over', () => {
    const third = requestedAt(NOW + 1, NOW + 2);
    expect(third).toMatchObject({ rate_window_at: NOW, rate_window_count: 3 });
    const refusal = { reason: 'rate_limited', grant_id: GRANT_ID };
    expect(reserve(third, FREE, requestToken, NOW + 3)).toEqual({ refusal: { ...refusal, retryAfter: 60 } });
    expect(reserve(third, FREE, requestToken, NOW + 20_500)).toEqual({ refusal: { ...refusal, retryAfter: 40 } });
    expect(reserve(third, FREE, requestToken, NOW + 59_999)).toEqual({ refusal: { ...refusal, retryAfter: 1 } });
  });

  it('are counted each, also those of one millisecond', () => {
    expect(requestedAt(NOW, NOW)).toMatchObject({ rate_window_at: NOW, rate_window_count: 3 });
  });

  it('are counted from zero at the very end of the minute', () => {
    const again = granted(reserve(requestedAt(NOW + 1, NOW + 2), FREE, requestToken, NOW + 60_000));
    expect(again).toMatchObject({ rate_window_at: NOW + 60_000, rate_window_count: 1 });
  });

  it('are counted from zero when a clock was set back, instead of being refused until it has caught up', () => {
    expect(granted(reserve(requestedAt(NOW + 1, NOW + 2), FREE, requestToken, NOW - 1))).toMatchObject({
      rate_window_at: NOW - 1,
      rate_window_count: 1,
    });
  });

  it('may be one, and then the second is refused', () => {
    const one = request(CREDENTIALS[kind], { limits: { ...CAPS, tokensPerMinute: 1 } });
    const only = granted(reserve(undefined, FREE, one, NOW));
    expect(outcomeOf(reserve(only, FREE, one, NOW + 1))).toBe('rate_limited');
    expect(outcomeOf(reserve(only, FREE, one, NOW + 60_000))).toBe('issuing');
  });

  it('are not counted by the tokens that leave', () => {
    const active = granted(activate(first, FREE, newToken(NOW + TTL * 1000), NOW + 1));
    expect(active).toMatchObject({ rate_window_at: NOW, rate_window_count: 1 });
  });
});

describe('what a pipeline holds', () => {
  const requestToken = request(firestore, { limits: { ...CAPS, liveGrantsPerPipeline: 10 } });
  const full = { ...FREE, pipelineGrantCount: 10 };
  const refusal = { reason: 'pipeline_grant_limit', live_grants: 10, limit: 10, retryAfter: 30 } as const;

  it('keeps a first grant and one that expired from being given, once it is as much as the cap', () => {
    for (const existing of [undefined, grantIn('expired', 'firestore')]) {
      expect(reserve(existing, full, requestToken, LATER)).toEqual({ refusal });
      expect(outcomeOf(reserve(existing, { ...FREE, pipelineGrantCount: 9 }, requestToken, LATER))).toBe('issuing');
    }
  });

  it('keeps no job from renewing what it has', () => {
    for (const state of ['issuing', 'active'] as const)
      expect(
        outcomeOf(reserve(grantIn(state, 'firestore'), { ...FREE, pipelineGrantCount: 99 }, requestToken, LATER)),
      ).toBe(state);
  });

  it.each([refusal, { reason: 'rate_limited', grant_id: GRANT_ID, retryAfter: 7 } as const])(
    'and a request over a limit gets 429 with Retry-After: $reason',
    (refused) => {
      expect(toWireError(refused, { bearer: false })).toMatchObject({
        status: 429,
        error: 'temporarily_unavailable',
        retryAfter: refused.retryAfter,
      });
    },
  );
});

describe('what an operator has blocked', () => {
  const blocks = (selector: object) => [{ id: 'switch-1', selector, activated_at: NOW }];
  const refusal = { reason: 'blocked', kill_switch_id: 'switch-1' } as const;

  it.each([
    ['the job', { job_id: '0184990a-477b-4fa8-9968-496074483cee' }],
    ['the pipeline', { pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0' }],
    ['the credential', { credential: 'staging-config' }],
    ['the environment', { environment: 'staging' }],
    ['the policy', { policy_sha256: 'a'.repeat(64) }],
    ['everything', { issued_since: 0 }],
    ['whatever is given from now on', { issued_since: LATER }],
  ])('is refused by %s, first or again', (_, selector) => {
    for (const kind of KINDS)
      for (const existing of [
        undefined,
        ...(['issuing', 'active', 'expired'] as const).map((state) => grantIn(state, kind)),
      ])
        expect(reserve(existing, { ...FREE, blocks: blocks(selector) }, request(CREDENTIALS[kind]), LATER)).toEqual({
          refusal,
        });
    expect(blockedNow(blocks(selector), request(firestore), LATER)).toEqual(refusal);
  });

  it('does not reach what is another', () => {
    const other = blocks({ environment: 'production' });
    expect(outcomeOf(reserve(undefined, { ...FREE, blocks: other }, request(firestore), NOW))).toBe('issuing');
    expect(blockedNow(other, request(firestore), NOW)).toBeUndefined();
    expect(blockedNow([], request(firestore), NOW)).toBeUndefined();
  });

  it('reaches a job that does not say which pipeline it is of, when it may be meant', () => {
    const blocked = blocks({ pipeline_id: subject.pipeline_id ?? '' });
    const nameless = request(firestore, { subject: { ...subject, pipeline_id: null } });
    expect(blockedNow(blocked, nameless, NOW)).toEqual(refusal);
    expect(reserve(undefined, { ...FREE, blocks: blocked }, nameless, NOW)).toEqual({ refusal });
  });

  it('is job_ended for an ended job, since that is final', () => {
    const circumstances = { ...FREE, blocks: blocks({ issued_since: 0 }), jobEndedAt: NOW };
    expect(outcomeOf(reserve(undefined, circumstances, request(firestore), LATER))).toBe('job_ended');
  });

  it('is a refusal that an immediate retry does not change', () => {
    expect(toWireError(refusal, { bearer: false })).toEqual({
      status: 400,
      error: 'invalid_grant',
      description: expect.stringContaining('An operator has blocked this'),
    });
  });
});

describe.each(KINDS)('a %s grant that is ended while its job runs', (kind) => {
  const requestToken = request(CREDENTIALS[kind]);
  const takesAway = kind !== 'serviceAccount';
  const refusal = { reason: 'grant_revoked', grant_id: GRANT_ID };

  it.each([
    ['issuing', 'released', null],
    ['active', 'released', null],
    ['issuing', 'kill_switch', 'switch-1'],
    ['active', 'kill_switch', 'switch-1'],
  ] as const)('says by whom, and that the job has not ended: %s by %s', (state, by, kill_switch_id) => {
    const existing = grantIn(state, kind);
    const ended = expectDefined(endGrant(existing, { by, ...(kill_switch_id ? { kill_switch_id } : {}) }, LATER));
    expect(ended).toEqual({
      ...existing,
      state: takesAway ? 'revoking' : state,
      ended_at: LATER,
      ended_by: by,
      kill_switch_id,
    });
    expect(endGrant(ended, { by: 'released' }, LATER + 1)).toBeUndefined();
    expect(endGrant(ended, { by: 'kill_switch', kill_switch_id: 'switch-2' }, LATER + 1)).toBeUndefined();
  });

  it.each(['revoking', 'revoked', 'expired'] as const)('is left as it is when it was over before: %s', (state) => {
    expect(endGrant(grantIn(state, kind), { by: 'released' }, LATER)).toBeUndefined();
    expect(endGrant(grantIn(state, kind), { by: 'kill_switch', kill_switch_id: 'switch-1' }, LATER)).toBeUndefined();
  });

  it.each(['released', 'kill_switch'] as const)(
    'stays ended for its job, also when all that it could do was to expire: %s',
    (by) => {
      const ended = expectDefined(endGrant(grantIn('active', kind), { by }, LATER));
      const over = ended.expires_at + CLOCK_MARGIN_MS;
      const afterwards = [ended, expectDefined(expire(ended, over)), confirmRevoked(ended, over)];
      for (const grant of afterwards) {
        if (!grant) continue;
        expect(reserve(grant, FREE, requestToken, over)).toEqual({ refusal });
        expect(activate(grant, FREE, newToken(over + TTL * 1000), over)).toEqual({ refusal });
      }
      expect(afterwards[1]).toMatchObject({ state: 'expired', ended_at: LATER, ended_by: by });
    },
  );

  it('is still marked with the end of its job, where that end can come to matter', () => {
    const returned = expectDefined(endGrant(grantIn('active', kind), { by: 'released' }, LATER));
    const marked = { ...returned, job_ended_at: LATER + 5 };
    expect(endGrant(returned, { by: 'job.finished' }, LATER + 5)).toEqual(takesAway ? undefined : marked);
    const expired = expectDefined(expire(returned, returned.expires_at + CLOCK_MARGIN_MS));
    expect(endGrant(expired, { by: 'job.finished' }, LATER + 5)).toEqual({ ...expired, job_ended_at: LATER + 5 });
  });

  it('had expired when its time was up before, and then its job gets it again', () => {
    const active = grantIn('active', kind);
    const over = active.expires_at + CLOCK_MARGIN_MS;
    const expired = expectDefined(endGrant(active, { by: 'released' }, over));
    expect(expired).toEqual({
      ...active,
      state: 'expired',
      ended_at: active.expires_at,
      ended_by: 'expiry',
      access_ended_at: active.expires_at,
    });
    expect(outcomeOf(reserve(expired, FREE, requestToken, over + 1))).toBe('issuing');
  });
});

describe('who ended a grant', () => {
  it.each<[EndCause['by'], boolean]>([
    ['job.finished', true],
    ['job.reconciled', true],
    ['released', false],
    ['kill_switch', false],
  ])('is on record, and with it whether the job ended: %s', (by, jobEnded) => {
    expect(endGrant(grantIn('active', 'firestore'), { by }, LATER)).toMatchObject({
      state: 'revoking',
      ended_by: by,
      job_ended_at: jobEnded ? LATER : null,
    });
  });

  it('is the first one', () => {
    const returned = expectDefined(endGrant(grantIn('active', 'serviceAccount'), { by: 'released' }, LATER));
    expect(endGrant(returned, { by: 'job.finished' }, LATER + 5)).toMatchObject({
      ended_at: LATER,
      ended_by: 'released',
      job_ended_at: LATER + 5,
    });
  });

  it('is forgotten by no state: what was ended by somebody is given to its job in none', () => {
    for (const kind of KINDS)
      for (const state of STATES) {
        const grant = { ...grantIn(state, kind), ended_at: NOW, ended_by: 'kill_switch' as const };
        expect(outcomeOf(reserve(grant, FREE, request(CREDENTIALS[kind]), LATER))).toBe('grant_revoked');
        expect(outcomeOf(activate(grant, FREE, newToken(NOW + 60_000), LATER))).toBe('grant_revoked');
      }
  });
});
