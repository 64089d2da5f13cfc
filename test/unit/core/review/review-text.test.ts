// What a review says to people: review.golden.txt and review.golden.csv, for people to read; RECORD=1 writes the files.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { reviewCsv } from '../../../../shared/core/review/csv-rows.ts';
import { type Review, reviewOf } from '../../../../shared/core/review/review.ts';
import type { GrantRow } from '../../../../shared/core/review/row.ts';
import { reviewLines } from '../../../../shared/core/review/text.ts';
import { Touches } from '../../../../shared/core/review/touches.ts';
import {
  ACT,
  act,
  admin,
  completeInput,
  DAY,
  grant,
  HOSTILE,
  HOUR,
  policy,
  sha256,
} from '../../../fixtures/complete-review.ts';
import {
  AS_OF,
  doctorReportOf,
  expired,
  FROM,
  grantIdOf,
  grantOf,
  iso,
  linesOf,
  RELEASE,
  TO,
} from '../../../fixtures/review-world.ts';
import { DOCUMENTS, touchEntry } from '../../../fixtures/touches.ts';

const approvedAt = (at: number): GrantRow['conditions'] => ({
  ...{ team: null, created_by: null, agent: null },
  approval: {
    ...{ step_key: 'approve', job_id: ACT, approved_by: '0184990a-4782-42b5-afc1-16715b10b8ee', approved_at: iso(at) },
    ...{ team_id: ACT, read_at: iso(at), reason: null, break_glass: false },
  },
});

function everything(): Review {
  const forged = grant(9, FROM + 9 * DAY, { rule: 'deploy to production' });
  const production = grant(5, FROM + 5 * DAY, {
    ...{
      credential: 'production-config',
      environment: 'production',
      rule: 'deploy to production',
      policy_sha256: 'f'.repeat(64),
    },
    database: 'acme-production/(default)',
    job: { ...forged.job, pipeline_id: RELEASE, pipeline_slug: 'web-release', step_key: HOSTILE },
  });
  const grants = [
    grant(1, FROM + DAY, { tokens_issued: 3 }),
    grant(2, FROM + 2 * DAY, admin),
    { ...grant(3, FROM + 3 * DAY, admin), ...expired(grant(3, FROM + 3 * DAY), 'kill_switch'), kill_switch_id: ACT },
    { ...grant(4, FROM + 4 * DAY), ...expired(grant(4, FROM + 4 * DAY)) },
    { ...production, conditions: approvedAt(FROM + 5 * DAY - 60_000) },
    grant(10, FROM + 10 * DAY, { conditions: approvedAt(FROM + 10 * DAY + 60_000) }),
    grant(6, AS_OF - HOUR, {
      state: 'active',
      ended_at: null,
      ended_by: null,
      access_ended_at: null,
      expires_at: iso(AS_OF + HOUR),
    }),
    forged,
  ];
  const complete = completeInput(grants, [...grants.flatMap(linesOf).slice(1), ...linesOf(grantOf(7, FROM + 7 * DAY))]);
  const touches = new Touches(complete.population.rows, new Map([[sha256, policy]]), { from: FROM, to: TO });
  for (const [id, method, request] of [
    [1, 'GetDocument', { name: `${DOCUMENTS}/config/app` }],
    [1, 'GetDocument', { name: `${DOCUMENTS}/config/web` }],
    [77, 'GetDocument', { name: `${DOCUMENTS}/config/web` }],
  ] as const) {
    const entry = toLogEntry(touchEntry(iso(FROM + DAY + 60_000), grantIdOf(id), method, request));
    if (entry) touches.add(entry);
  }
  const doctor = doctorReportOf(sha256, {
    findings: [{ finding: 'key_on_account', resource: 'ci-001', evidence: HOSTILE }],
  });
  return reviewOf({
    ...complete,
    unreadable: [{ grant_id: grantIdOf(8), error: 'grants/8 cannot be read (tokens_issued)' }],
    records: {
      ...complete.records,
      acts: [
        act(),
        act({ id: 'removed', deactivated_at: iso(TO), deactivated_by: 'al@acme.example', reason: HOSTILE }),
      ],
    },
    touches: { found: touches.report(), malformed: 0 },
    doctor,
  });
}

describe('for people', () => {
  it.each([
    ['review.golden.txt', (review: Review) => `${reviewLines(review).join('\n')}\n`],
    ['review.golden.csv', reviewCsv],
  ] as const)('%s', (name, write) => {
    const file = new URL(name, import.meta.url);
    const written = write(everything());
    if (process.env.RECORD === '1') writeFileSync(file, written);
    expect(written).toBe(readFileSync(file, 'utf8'));
  });

  it('keeps what a job chooses on its line, and shows what is invisible', () => {
    const lines = reviewLines(everything());
    expect(lines.filter((line) => /[\p{Cc}\u202e]/u.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('#'))).toEqual([]);
    expect(lines.join('\n')).toContain('<U+202E><U+0007>');
  });

  it('has no formula in the CSV, and a line for each grant and each record that cannot be read', () => {
    const review = everything();
    const records = parseCsv(reviewCsv(review));
    expect(records).toHaveLength(1 + review.grants.length + 1);
    expect(new Set(records.map(({ length }) => length)).size).toBe(1);
    expect(records.flat().filter((cell) => /^\s*[=+@-]/.test(cell))).toEqual([]);
    const [header = [], ...rows] = records;
    const step = header.indexOf('step_key');
    expect(rows.some((row) => row[step]?.startsWith("'=HYPERLINK("))).toBe(true);
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  return text
    .split('\r\n')
    .slice(0, -1)
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = '']) =>
        quoted === undefined ? plain : quoted.replaceAll('""', '"'),
      ),
    );
}
