// Rows, their SHA-256, and how long revocations took.

import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GrantSummary } from '../../../../shared/core/operator-api/grant.ts';
import { latencies } from '../../../../shared/core/review/latency.ts';
import { toPopulation } from '../../../../shared/core/review/population.ts';
import { reviewOf } from '../../../../shared/core/review/review.ts';
import { toRow } from '../../../../shared/core/review/row.ts';
import { AS_OF, expired, FROM, grantOf, inputOf, iso } from '../../../fixtures/review-world.ts';

const grants = fc
  .array(
    fc.record({
      ended: fc.integer({ min: 0, max: 600_000 }),
      took: fc.integer({ min: -5_000, max: 400_000 }),
      finished: fc.option(fc.integer({ min: 0, max: 60_000 })),
      revocation: fc.constantFrom('immediate' as const, 'propagating' as const),
      branch: fc.oneof(fc.string({ unit: 'binary' }), fc.constant('a\ud800\x7f')),
    }),
    { maxLength: 40 },
  )
  .map((all) =>
    all.map(({ ended, took, finished, revocation, branch }, nth): GrantSummary => {
      const grant = grantOf(nth, FROM + nth);
      const at = FROM + nth + ended;
      return {
        ...{ ...grant, revocation, job: { ...grant.job, build_branch: branch } },
        ...{ ended_at: iso(at), access_ended_at: iso(at + took) },
        job_finished_at: finished === null ? null : iso(at - finished),
      };
    }),
  );

describe('the population', () => {
  it('has a SHA-256 of its rows in the JSON, whatever order the ledger had', () => {
    fc.assert(
      fc.property(grants, fc.gen(), (all, generate) => {
        const { sha256 } = toPopulation(all, AS_OF);
        const shuffled = generate(fc.shuffledSubarray, all, { minLength: all.length });
        expect(toPopulation(shuffled, AS_OF)).toMatchObject({ sha256, count: all.length });
        const json = JSON.parse(JSON.stringify(reviewOf(inputOf(all)))) as { grants: object[] };
        const text = json.grants.map((row) => `${JSON.stringify(row)}\n`).join('');
        expect(createHash('sha256').update(text).digest('hex')).toBe(sha256);
        // What versions of jq write in different ways.
        expect(text).not.toMatch(/[\x7f\p{Cs}]/u);
        expect(text).not.toMatch(/\\ud[89a-f]/i);
      }),
      { numRuns: 40 },
    );
  });

  it('changes its SHA-256 with any field of any grant', () => {
    const grant = grantOf(1, FROM);
    const { sha256 } = toPopulation([grant], AS_OF);
    for (const name of Object.keys(grant).filter(
      (one) => one !== 'accepted_until' && one !== 'access',
    ) as (keyof GrantSummary)[]) {
      const changed = {
        ...grant,
        [name]: name === 'job' ? { ...grant.job, step_key: 'x' } : 'changed',
      } as GrantSummary;
      expect([name, toPopulation([changed], AS_OF).sha256]).not.toEqual([name, sha256]);
    }
    expect(toPopulation([{ ...grant, accepted_until: iso(AS_OF), access: 'open' }], AS_OF + 1).sha256).toBe(sha256);
  });

  it.each<[string, Partial<GrantSummary>]>([
    ['revoked', {}],
    ['expired', expired(grantOf(1, FROM))],
    ['still_accepted', { state: 'active', access_ended_at: null, expires_at: iso(AS_OF) }],
    ['still_accepted', { state: 'revoking', access_ended_at: null, expires_at: iso(AS_OF - 60_000) }],
    ['overdue', { state: 'revoking', access_ended_at: null, expires_at: iso(AS_OF - 90_000) }],
    ['overdue', { state: 'active', access_ended_at: iso(AS_OF - 90_000), expires_at: iso(AS_OF) }],
    ['unissued', { ...expired(grantOf(1, FROM)), issued_at: null }],
  ])('says how access ended: %s', (outcome, more) => {
    expect(toRow(grantOf(1, FROM, more), AS_OF).outcome).toBe(outcome);
  });
});

describe('latency', () => {
  it('is what a sorted list of the times says, for each kind of revocation', () => {
    fc.assert(
      fc.property(grants, (all) => {
        const { rows } = toPopulation(all, AS_OF);
        for (const revocation of ['immediate', 'propagating'] as const)
          for (const since of ['ended_at', 'job_finished_at'] as const) {
            const times = all
              .filter((grant) => grant.revocation === revocation && grant[since] !== null)
              .map((grant) => Date.parse(grant.access_ended_at ?? '') - Date.parse(grant[since] ?? ''))
              .sort((one, other) => one - other);
            const found = latencies(rows).find((one) => one.revocation === revocation && one.since === since);
            if (times.length === 0) {
              expect(found).toBeUndefined();
              continue;
            }
            // The least time that at least this share of all does not exceed.
            const rank = (share: number) =>
              times.find((time) => times.filter((one) => one <= time).length >= share * times.length);
            expect(found).toMatchObject({
              count: times.length,
              median_ms: rank(0.5),
              p95_ms: rank(0.95),
              max_ms: times.at(-1),
            });
            expect(found?.slowest.map(({ ms }) => ms)).toEqual(times.slice(-10).reverse());
          }
      }),
    );
  });

  it('has no time of a grant that was not revoked, and none from the finish of a job that did not end it', () => {
    const released = grantOf(1, FROM, { ended_by: 'released' });
    const grant = grantOf(2, FROM);
    const { rows } = toPopulation([released, { ...grant, ...expired(grant) }], AS_OF);
    expect(latencies(rows)).toMatchObject([{ since: 'ended_at', count: 1, max_ms: 2_000 }]);
  });
});
