// A whole review: what it names, and what it does not know.

import { describe, expect, it } from 'vitest';
import { reviewCsv } from '../../../../shared/core/review/csv-rows.ts';
import { FINDING_CODES, type FindingCode } from '../../../../shared/core/review/findings.ts';
import { NOT_KNOWN_CODES } from '../../../../shared/core/review/not-known.ts';
import { isClear, type Review, reviewOf } from '../../../../shared/core/review/review.ts';
import type { GrantRow } from '../../../../shared/core/review/row.ts';
import { reviewLines } from '../../../../shared/core/review/text.ts';
import {
  ACT,
  act,
  actLine,
  admin,
  completeInput,
  DAY,
  grant,
  HOUR,
  sha256,
} from '../../../fixtures/complete-review.ts';
import {
  AS_OF,
  doctorReportOf,
  expired,
  FROM,
  grantIdOf,
  inputOf,
  iso,
  linesOf,
  readLines,
  TO,
} from '../../../fixtures/review-world.ts';

const codes = ({ findings }: Review) => findings.map(({ code }) => code);
const unknown = ({ not_known }: Review) => not_known.map(({ code }) => code);

describe('a review', () => {
  it('is clear where nothing is wrong and everything is known', () => {
    const review = reviewOf(completeInput([grant(1, FROM + DAY), grant(2, FROM + 2 * DAY, admin)]));
    expect([codes(review), unknown(review), isClear(review)]).toEqual([[], [], true]);
  });

  it('has every grant as a row, and states their number and time', () => {
    const review = reviewOf(inputOf([grant(2, FROM + DAY), grant(1, FROM - 60_000)]));
    expect(review.grants.map(({ grant_id }) => grant_id)).toEqual([grantIdOf(1), grantIdOf(2)]);
    expect(review.population).toMatchObject({ count: 2, began_in_period: 1, tokens_issued: 2, as_of: iso(AS_OF) });
  });
});

it('has the accounts that served a renewed grant before, also as CSV', () => {
  const lease = {
    service_account: 'ci-009@acme-ci-pool.iam.gserviceaccount.com',
    ...{ leased_at: iso(FROM + DAY), access_ended_at: iso(FROM + DAY + HOUR) },
  };
  const review = reviewOf(completeInput([grant(1, FROM + DAY, { ...admin, past_leases: [lease] })]));
  expect(review.grants[0]?.past_leases).toEqual([lease]);
  expect(reviewCsv(review)).toContain(`${lease.service_account}:${lease.leased_at}/${lease.access_ended_at}`);
});

/** By what a rule for emergencies granted. */
const brokenGlass = (at: number): GrantRow['conditions'] => ({
  ...{ team: null, created_by: null, agent: null },
  approval: {
    ...{ step_key: 'approve-repair', job_id: ACT, approved_by: ACT, approved_at: iso(at), team_id: ACT },
    ...{ read_at: iso(at), reason: 'INC-1', break_glass: true },
  },
});

/** For each code: a change of the clear review after which it is found, and nothing else. */
const later = (at: number) => ({ ended_at: iso(at), access_ended_at: iso(at + 1_000), expires_at: iso(at + HOUR) });
const FINDINGS: Readonly<Record<FindingCode, () => Parameters<typeof reviewOf>[0]>> = {
  basis_not_confirmed: () => {
    const forged = grant(3, FROM + DAY);
    return completeInput([{ ...forged, job: { ...forged.job, build_branch: 'feature' } }]);
  },
  issued_without_line: () => completeInput([grant(3, FROM + DAY)], linesOf(grant(3, FROM + DAY)).slice(1)),
  end_without_line: () => completeInput([grant(3, FROM + DAY)], linesOf(grant(3, FROM + DAY)).slice(0, 1)),
  line_without_grant: () => completeInput([], linesOf(grant(3, FROM + DAY))),
  touch_without_grant: () => ({
    ...completeInput([grant(3, FROM + DAY)]),
    touches: { found: { byPipeline: new Map(), unknown: [grantIdOf(9)] }, malformed: 0 },
  }),
  break_glass: () => completeInput([grant(3, FROM + DAY, { conditions: brokenGlass(FROM + DAY) })]),
  expired_not_revoked: () =>
    completeInput([{ ...grant(3, FROM + DAY), ...expired(grant(3, FROM + DAY), 'kill_switch') }]),
  end_not_reported: () => completeInput([{ ...grant(3, FROM + DAY), ...expired(grant(3, FROM + DAY)) }]),
  accepted_after_end: () =>
    completeInput([
      grant(3, AS_OF - HOUR, {
        ...later(AS_OF - HOUR),
        state: 'revoking',
        access_ended_at: null,
        expires_at: iso(AS_OF + HOUR),
      }),
    ]),
  overdue: () =>
    completeInput([grant(3, FROM + DAY, { state: 'active', ended_at: null, ended_by: null, access_ended_at: null })]),
  act_without_line: () => ({ ...completeInput([]), records: recordsWith({ acts: [act()] }) }),
  line_without_act: () => completeInput([], [actLine()]),
  act_missing: () => completeInput([grant(3, FROM + DAY, { ended_by: 'kill_switch', kill_switch_id: ACT })]),
  doctor_findings: () => {
    const found = {
      finding: 'key_on_account',
      check: 'account',
      resource: 'ci-001',
      evidence: 'a key',
      severity: 'error',
    };
    const doctor = doctorReportOf(sha256, { findings: [found, { ...found, exception: { reason: 'x' } }] });
    return { ...completeInput([]), doctor };
  },
};

describe('what is to be explained', () => {
  it('is no grant for emergencies without a token', () => {
    const blocked = {
      conditions: brokenGlass(FROM + DAY),
      state: 'expired',
      issued_at: null,
      tokens_issued: 0,
    } as const;
    const review = reviewOf(completeInput([{ ...grant(3, FROM + DAY), ...expired(grant(3, FROM + DAY)), ...blocked }]));
    expect(codes(review)).not.toContain('break_glass');
    expect(review.grants).toMatchObject([{ outcome: 'unissued', conditions: { approval: { break_glass: true } } }]);
  });

  it.each(Object.keys(FINDING_CODES) as FindingCode[])('%s', (code) => {
    const review = reviewOf(FINDINGS[code]());
    expect(codes(review)).toEqual([code]);
    expect(review.findings[0]?.items).toHaveLength(1);
    expect(isClear(review)).toBe(false);
  });

  it('is exactly the record and the line that somebody took away', () => {
    const grants = Array.from({ length: 20 }, (_, nth) => grant(nth, FROM + (nth + 1) * DAY));
    const lines = grants.flatMap(linesOf);
    const review = reviewOf(
      completeInput(
        grants.filter((_, nth) => nth !== 7),
        lines.filter((_, nth) => nth !== 2 * 12),
      ),
    );
    expect(review.findings.map(({ code, items }) => [code, items.map(({ grant_id }) => grant_id)])).toEqual([
      ['line_without_grant', [grantIdOf(7)]],
      ['issued_without_line', [grantIdOf(12)]],
    ]);
  });

  it('is not an act before the period that is not on record any more', () => {
    const before = { ended_by: 'kill_switch', kill_switch_id: ACT, ended_at: iso(FROM - 1) } as const;
    expect(
      codes(reviewOf(completeInput([grant(3, FROM - HOUR, { ...before, access_ended_at: iso(FROM + 1) })]))),
    ).toEqual([]);
  });

  it('is not that a job went on after its tokens had expired', () => {
    const long = grant(3, FROM + DAY);
    const review = reviewOf(
      completeInput([{ ...long, ...expired(long), job_finished_at: iso(FROM + DAY + 2 * HOUR) }]),
    );
    expect([codes(review), review.ends.expired_although_revocable]).toEqual([
      [],
      [{ grant_id: grantIdOf(3), ended_by: 'expiry', why: 'job_finished_later' }],
    ]);
  });
});

/** For each code: a change of the clear review after which it is not known, and nothing else. */
const NOT_KNOWN: Readonly<Record<(typeof NOT_KNOWN_CODES)[number], () => Partial<Parameters<typeof reviewOf>[0]>>> = {
  unknown_environment: () => ({
    unknownNames: [{ filter: 'environment', value: 'prod', did_you_mean: 'production' }],
  }),
  unreadable_grants: () => ({ unreadable: [{ grant_id: grantIdOf(8), error: 'tokens_issued' }] }),
  unreadable_acts: () => ({ records: recordsWith({ unreadable_acts: [{ id: ACT, error: 'actor' }] }) }),
  unreadable_policies: () => ({ records: recordsWith({ unreadable_policies: [{ id: 'x', error: 'first_used_at' }] }) }),
  policy_text_missing: () => ({ texts: new Map([[sha256, { problem: 'missing', detail: '' } as const]]) }),
  policy_text_unreadable: () => ({ texts: new Map([[sha256, { problem: 'unreadable', detail: '' } as const]]) }),
  no_policy_on_record: () => ({ records: recordsWith({ policies: [] }) }),
  period_not_over: () => ({ asOf: { text: iso(TO - 1), at: TO - 1 } }),
  before_first_grant: () => ({ records: recordsWith({ first_grant_at: null }) }),
  beyond_retention: () => ({ asOf: { text: 'later', at: FROM + 400 * DAY + 1 } }),
  log_not_given: () => ({ log: undefined }),
  log_incomplete: () => ({ log: { found: readLines(linesOf(grant(1, FROM + DAY))), malformed: 0 } }),
  log_malformed: () => ({ log: { ...completeInput([grant(1, FROM + DAY)]).log, malformed: 3 } }),
  touches_not_given: () => ({ touches: undefined }),
  touches_malformed: () => ({ touches: { found: { byPipeline: new Map(), unknown: [] }, malformed: 1 } }),
  doctor_not_given: () => ({ doctor: undefined }),
  doctor_stale: () => ({ doctor: doctorReportOf(sha256, { made_at: iso(TO - 1) }) }),
  doctor_of_another: () => ({ doctor: doctorReportOf('another') }),
};
const recordsWith = (more: object) => ({ ...completeInput([]).records, ...more });

describe('what is not known', () => {
  it.each(NOT_KNOWN_CODES)('%s', (code) => {
    const review = reviewOf({ ...completeInput([grant(1, FROM + DAY)]), ...NOT_KNOWN[code]() });
    expect([...new Set(unknown(review))]).toEqual([code]);
    expect(isClear(review)).toBe(false);
    const lines = reviewLines(review);
    expect(lines.findIndex((line) => line.startsWith('Not known'))).toBeLessThan(
      lines.findIndex((line) => line.startsWith('Population')),
    );
  });
});

describe("the doctor's report", () => {
  const gapsOf = (more: object, input: Partial<Parameters<typeof reviewOf>[0]> = {}) =>
    unknown(
      reviewOf({ ...completeInput([]), project: 'acme-keydesk', doctor: doctorReportOf(sha256, more), ...input }),
    ).filter((code) => code.startsWith('doctor'));

  it.each([
    ['at the end of the period', { made_at: iso(TO) }],
    ['a day later', { made_at: iso(TO + DAY) }],
    ['from files', { source: { kind: 'files', oldest_at: iso(TO), newest_at: iso(TO) } }],
  ])('is evidence when it was made %s', (_, more) => {
    expect(gapsOf(more)).toEqual([]);
  });

  it.each([
    ['before the end', { made_at: iso(TO - 1) }, 'doctor_stale'],
    ['two days later', { made_at: iso(TO + 2 * DAY) }, 'doctor_stale'],
    ['for another project', { project: 'acme-other' }, 'doctor_of_another'],
    ['for a policy that is not on record', { policy_sha256: '00' }, 'doctor_of_another'],
    ['without a time', { made_at: undefined }, 'doctor_of_another'],
    ['without a check', { checks: [] }, 'doctor_of_another'],
    ['without a source', { source: undefined }, 'doctor_of_another'],
    ['without a project', { project: undefined }, 'doctor_of_another'],
  ])('is a gap when it was made %s', (_, more, code) => {
    expect(gapsOf(more)).toEqual([code]);
  });

  it('is of now, within a day, when the period is not over', () => {
    const asOf = { text: iso(TO - 7 * DAY), at: TO - 7 * DAY };
    expect(gapsOf({ made_at: iso(asOf.at - 3_600_000) }, { asOf })).toEqual([]);
    expect(gapsOf({ made_at: iso(asOf.at - 2 * DAY) }, { asOf })).toEqual(['doctor_stale']);
  });

  it('is compared with no project where the project is not known', () => {
    expect(gapsOf({ project: 'acme-other' }, { project: undefined })).toEqual([]);
  });
});
