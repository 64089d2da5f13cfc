import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { activate, refusalIfLate } from '../../../../shared/core/grant/activate.ts';
import { confirmRevoked, endGrant, expire } from '../../../../shared/core/grant/end.ts';
import type { Grant } from '../../../../shared/core/grant/grant.ts';
import { MAX_LIVE_TOKENS, reserve } from '../../../../shared/core/grant/reserve.ts';
import { assertGrantTransition } from '../../../../shared/core/grant/transitions.ts';
import { toWireError } from '../../../../shared/core/oauth/refusal.ts';
import { CLOCK_MARGIN_MS, MINT_MARGIN_MS, RECORD_RETENTION_MS } from '../../../../shared/core/timing.ts';
import {
  ACCOUNTS,
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
  onRecord,
  outcomeOf,
  pool,
  request,
  serviceAccount,
  TTL,
  type Written,
} from '../../../fixtures/grants.ts';

const JOB_FINISHED = { by: 'job.finished' } as const;

describe('what a reservation promises', () => {
  it.each([
    ['firestore', 0],
    ['serviceAccount', MINT_MARGIN_MS],
    ['pool', MINT_MARGIN_MS],
  ] as const)(
    "says until when a token could live before one is minted, with the mint's deadline for an account's token (%s)",
    (kind, margin) => {
      const reserved = reserve(undefined, FREE, request(CREDENTIALS[kind]), NOW);
      const { expires_at, delete_at } = granted(reserved);
      expect(expires_at).toBe(NOW + TTL * 1000 + margin);
      expect(delete_at).toBe(expires_at + RECORD_RETENTION_MS);
      expect(reserved).toMatchObject({ latestExpiry: NOW + TTL * 1000 + margin });
    },
  );

  it('says of a renewal until when its own token may live, however long the grant is', () => {
    const first = granted(reserve(undefined, FREE, request(pool, { ttl: 3600 }), NOW));
    expect(reserve(first, FREE, request(pool, { ttl: 60 }), LATER)).toMatchObject({
      grant: { expires_at: first.expires_at },
      latestExpiry: LATER + 60_000 + MINT_MARGIN_MS,
    });
  });

  it('never brings the end of a grant forward', () => {
    const first = granted(reserve(undefined, FREE, request(firestore), NOW));
    expect(granted(reserve(first, FREE, request(firestore, { ttl: 60 }), LATER)).expires_at).toBe(first.expires_at);
    expect(granted(activate(first, FREE, newToken(NOW + 60_000), LATER)).expires_at).toBe(first.expires_at);
    expect(granted(reserve(first, FREE, request(firestore), LATER)).expires_at).toBe(LATER + TTL * 1000);
  });

  it('opens an expired grant again while its job runs, as if it had not ended', () => {
    const expired = grantIn('expired', 'firestore');
    const again = granted(reserve(expired, FREE, request(firestore), expired.expires_at + CLOCK_MARGIN_MS));
    expect(again).toMatchObject({
      state: 'issuing',
      ended_at: null,
      ended_by: null,
      access_ended_at: null,
      tokens: [],
    });
    expect(again.tokens_issued).toBe(1);
    const active = granted(activate(again, FREE, newToken(again.expires_at), expired.expires_at + CLOCK_MARGIN_MS));
    expect(active).toMatchObject({ state: 'active', tokens_issued: 2 });
  });

  it('names the rule and the policy of the latest request, and keeps who and since when', () => {
    const active = grantIn('active', 'firestore');
    const again = granted(
      reserve(active, FREE, request(firestore, { rule: 'another', policySha256: 'c'.repeat(64) }), LATER),
    );
    expect(again).toEqual({
      ...active,
      rule: 'another',
      policy_sha256: 'c'.repeat(64),
      superseded: [
        {
          rule: active.rule,
          policy_sha256: active.policy_sha256,
          approved_by: null,
          scopes: [],
          storage: null,
          expires_at: active.tokens[0]?.expires_at,
        },
      ],
      requested_at: LATER,
      rate_window_count: 2,
      expires_at: LATER + TTL * 1000,
      delete_at: active.delete_at + 1000,
    });
  });

  it('names a token once, however often Google gives the same one', () => {
    const once = granted(activate(grantIn('issuing', 'firestore'), FREE, newToken(NOW + 60_000), NOW));
    const twice = granted(activate(once, FREE, newToken(NOW + 60_500), LATER));
    expect(twice.tokens).toEqual([{ sha256: once.tokens[0]?.sha256, expires_at: NOW + 60_500 }]);
    expect(twice.expires_at).toBe(once.expires_at);
  });

  it('remembers until when a token could be accepted, and of a token that rules judge that its grant ends it', () => {
    for (const [kind, ends] of [
      ['firestore', NOW + TTL * 1000],
      ['serviceAccount', NOW + 3_600_000],
    ] as const) {
      const active = granted(activate(grantIn('issuing', kind), FREE, newToken(NOW + 3_600_000), NOW));
      const renewed = granted(reserve(active, FREE, request(CREDENTIALS[kind]), LATER));
      expect(renewed.tokens).toEqual([{ sha256: active.tokens[0]?.sha256, expires_at: NOW + 3_600_000 }]);
      expect(active.expires_at).toBe(ends);
    }
  });

  it('is over once its latest token would have expired', () => {
    expect(refusalIfLate({ latestExpiry: NOW }, NOW - 1)).toBeUndefined();
    expect(refusalIfLate({ latestExpiry: NOW }, NOW)).toMatchObject({ dependency: 'mint', code: 'token_unusable' });
  });

  it.each(['pool', 'narrowedPool'] as const)(
    'takes no token of a %s that outlives what is on record: its cooldown is no longer',
    (kind) => {
      const issuing = grantIn('issuing', kind);
      expect(granted(activate(issuing, FREE, newToken(issuing.expires_at), NOW)).tokens).toHaveLength(1);
      expect(activate(issuing, FREE, newToken(issuing.expires_at + 1), NOW)).toMatchObject({
        refusal: { reason: 'dependency_unavailable', dependency: 'mint' },
      });
    },
  );

  it('forgets tokens that have ended by every clock and keeps those that are not', () => {
    const issuing = grantIn('issuing', 'firestore');
    const one = granted(activate(issuing, FREE, newToken(NOW + 60_000, '1'.repeat(64)), NOW));
    const two = granted(activate(one, FREE, newToken(NOW + 60_001, '2'.repeat(64)), NOW));
    expect(two.tokens.map(({ sha256 }) => sha256[0])).toEqual(['1', '2']);
    const renewed = granted(reserve(two, FREE, request(firestore), NOW + 60_000 + CLOCK_MARGIN_MS));
    expect(renewed.tokens.map(({ sha256 }) => sha256[0])).toEqual(['2']);
    const three = granted(activate(two, FREE, newToken(NOW + 180_000, '3'.repeat(64)), NOW + 60_000 + CLOCK_MARGIN_MS));
    expect(three.tokens.map(({ sha256 }) => sha256[0])).toEqual(['2', '3']);
  });
});

describe('a credential that was redefined while the job ran', () => {
  it.each([
    ['another project', 'firestore', { ...firestore, project: 'acme-production' }],
    ['another database', 'firestore', { ...firestore, database: 'other' }],
    ['another kind', 'firestore', serviceAccount],
    ['another account', 'serviceAccount', { ...serviceAccount, email: 'admin@acme-staging.iam.gserviceaccount.com' }],
    ['another kind', 'serviceAccount', firestore],
    ['a pool', 'serviceAccount', pool],
    ['a pool', 'firestore', pool],
    ['another kind', 'pool', firestore],
    ['one account for all', 'pool', { ...serviceAccount, email: ACCOUNTS[0] }],
  ] as const)('is refused when it opens %s (%s)', (_, kind, redefined) => {
    for (const state of ['issuing', 'active', 'expired'] as const)
      expect(reserve(grantIn(state, kind), FREE, request(redefined), LATER)).toEqual({
        refusal: { reason: 'credential_changed', grant_id: GRANT_ID },
      });
  });

  it('is given with its new scopes when it still opens the same account', () => {
    const scopes = ['https://www.googleapis.com/auth/devstorage.read_only'];
    const again = reserve(grantIn('active', 'serviceAccount'), FREE, request({ ...serviceAccount, scopes }), LATER);
    expect(granted(again)).toMatchObject({ scopes });
  });
});

describe('too many live tokens', () => {
  const withTokens = (count: number): Grant => ({
    ...grantIn('active', 'firestore'),
    tokens: Array.from({ length: count }, (_, index) => onRecord(NOW + 30_500 + index * 1000)),
  });

  it('refuses one more than the limit and says when the first of them dies', () => {
    const written = reserve(withTokens(MAX_LIVE_TOKENS), FREE, request(firestore), NOW);
    expect(written).toEqual({
      refusal: { reason: 'live_token_limit', grant_id: GRANT_ID, retryAfter: 31 + CLOCK_MARGIN_MS / 1000 },
    });
    if (!('refusal' in written)) return;
    expect(toWireError(written.refusal, { bearer: false })).toEqual({
      status: 429,
      error: 'temporarily_unavailable',
      description: expect.stringContaining('too many live tokens'),
      retryAfter: 31 + CLOCK_MARGIN_MS / 1000,
    });
  });

  it('issues again once the first of them has expired', () => {
    expect(
      outcomeOf(reserve(withTokens(MAX_LIVE_TOKENS), FREE, request(firestore), NOW + 30_500 + CLOCK_MARGIN_MS)),
    ).toBe('active');
    expect(outcomeOf(reserve(withTokens(MAX_LIVE_TOKENS - 1), FREE, request(firestore), NOW))).toBe('active');
  });
});

describe('when the access of a grant ended', () => {
  it('is not said before it is so', () => {
    for (const kind of KINDS)
      for (const state of ['issuing', 'active', 'revoking'] as const)
        expect(grantIn(state, kind).access_ended_at).toBeNull();
  });

  it('is when access was taken away, and not when the job ended', () => {
    expect(grantIn('revoked', 'firestore')).toMatchObject({ ended_at: NOW + 200, access_ended_at: NOW + 300 });
  });

  it('is the end of its tokens when they could only expire, however early the job ended', () => {
    const ended = expectDefined(endGrant(grantIn('active', 'serviceAccount'), JOB_FINISHED, LATER));
    expect(ended).toMatchObject({ state: 'active', ended_at: LATER, access_ended_at: null });
    expect(expire(ended, ended.expires_at + CLOCK_MARGIN_MS)).toMatchObject({
      state: 'expired',
      ended_at: LATER,
      ended_by: 'job.finished',
      access_ended_at: ended.expires_at,
    });
  });
});

describe('whatever happens in whatever order', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3_700_000 }) }),
    fc.record({ do: fc.constant('reserve' as const), ttl: fc.integer({ min: 60, max: 3600 }) }),
    fc.record({ do: fc.constant('activate' as const), ttl: fc.integer({ min: 60, max: 3600 }) }),
    fc.record({ do: fc.constant('end' as const), by: fc.constantFrom('job.finished', 'job.reconciled') }),
    fc.record({ do: fc.constant('end' as const), by: fc.constantFrom('released', 'kill_switch') }),
    fc.record({ do: fc.constantFrom('confirm' as const, 'expire' as const) }),
  );

  it.each(KINDS)('a %s grant keeps its promises and comes to an end by itself', (kind) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let now = NOW;
        let endedAt: number | undefined;
        let taken = false;
        let grant: Grant | undefined;
        const become = (next: Grant | undefined) => {
          if (!next) return;
          assertGrantTransition(grant, next);
          if (grant) {
            expect(next.expires_at).toBeGreaterThanOrEqual(grant.expires_at);
            if (grant.state === 'revoked') throw new Error('a revoked grant changed');
            const after = kind === 'narrowedPool' ? ['revoking', 'expired'] : ['revoked', 'expired'];
            if (grant.state === 'revoking') expect(after).toContain(next.state);
          }
          if (kind !== 'firestore')
            for (const token of next.tokens) expect(token.expires_at).toBeLessThanOrEqual(next.expires_at);
          if (kind === 'serviceAccount') expect(['revoking', 'revoked']).not.toContain(next.state);
          const over = next.state === 'revoked' || next.state === 'expired';
          const waits = kind === 'narrowedPool' && next.state === 'revoking';
          if (waits) expect([null, next.expires_at]).toContain(next.access_ended_at);
          else expect(next.access_ended_at === null).toBe(!over);
          if (over) expect(next.access_ended_at).toBeLessThanOrEqual(now);
          grant = next;
        };
        const written = (result: Written) => {
          if (endedAt !== undefined) expect(outcomeOf(result)).toBe('job_ended');
          else if (taken) expect(outcomeOf(result)).toBe('grant_revoked');
          if ('grant' in result) become(result.grant);
        };
        for (const step of steps) {
          const circumstances = { ...FREE, jobEndedAt: endedAt };
          if (step.do === 'wait') now += step.ms;
          if (step.do === 'reserve')
            written(reserve(grant, circumstances, request(CREDENTIALS[kind], { ttl: step.ttl }), now));
          if (step.do === 'activate') written(activate(grant, circumstances, newToken(now + step.ttl * 1000), now));
          if (step.do === 'end') {
            become(grant && endGrant(grant, { by: step.by }, now));
            const by = grant?.ended_by;
            taken ||= by === 'released' || by === 'kill_switch';
            if (step.by.startsWith('job.')) endedAt ??= now;
          }
          if (step.do === 'confirm') become(grant && confirmRevoked(grant, now));
          if (step.do === 'expire') become(grant && expire(grant, now));
        }
        now += 4_000_000;
        become(grant && confirmRevoked(grant, now));
        become(grant && expire(grant, now));
        if (grant) expect(['revoked', 'expired']).toContain(grant.state);
      }),
      { numRuns: 500 },
    );
  });
});
