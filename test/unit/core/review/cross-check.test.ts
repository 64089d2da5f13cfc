// Orphans both ways: exactly the records and lines that were taken away, in any ledger and log.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GrantSummary } from '../../../../shared/core/operator-api/grant.ts';
import { type CrossCheck, crossCheck } from '../../../../shared/core/review/cross-check.ts';
import { toPopulation } from '../../../../shared/core/review/population.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import { ACT, act, actLine } from '../../../fixtures/complete-review.ts';
import {
  AS_OF,
  expired,
  FROM,
  grantIdOf,
  grantOf,
  iso,
  linesOf,
  readLines,
  TO,
} from '../../../fixtures/review-world.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;

function compare(grants: readonly GrantSummary[], lines: readonly object[], more: object = {}): CrossCheck {
  const { rows } = toPopulation(grants, AS_OF);
  const known = { acts: [], unreadable: new Set<string>(), unreadableActs: new Set<string>() };
  const scope = { from: FROM, to: TO, asOf: AS_OF, environment: undefined, ...known, ...more };
  return crossCheck(rows, readLines(lines), scope);
}

/** The ids of orphans, by kind. */
function orphans({ issued_without_line, end_without_line, line_without_grant }: CrossCheck) {
  const ids = (all: readonly { readonly grant_id: string }[]) => all.map(({ grant_id }) => grant_id).sort();
  return { issued: ids(issued_without_line), ended: ids(end_without_line), lines: ids(line_without_grant) };
}

const NONE = { issued: [], ended: [], lines: [] };

/** Grants within the period, of any end, with one token or several. */
const ledger = fc
  .array(
    fc.record({
      at: fc.integer({ min: FROM, max: TO - DAY }),
      tokens: fc.integer({ min: 1, max: 4 }),
      end: fc.constantFrom('revoked', 'expired', 'live', 'unissued'),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((all) =>
    all.map(({ at, tokens, end }, nth): GrantSummary => {
      const grant = grantOf(nth, at, { tokens_issued: tokens });
      if (end === 'expired') return { ...grant, ...expired(grant) };
      if (end === 'unissued') return { ...grant, ...expired(grant), issued_at: null, tokens_issued: 0 };
      if (end === 'live')
        return {
          ...grant,
          state: 'active',
          ended_at: null,
          ended_by: null,
          access_ended_at: null,
          job_finished_at: null,
        };
      return grant;
    }),
  );

describe('the ledger and the log', () => {
  it('agree where every line and every record is there, in any order', () => {
    fc.assert(
      fc.property(ledger, fc.gen(), (grants, generate) => {
        const lines = generate(fc.shuffledSubarray, grants.flatMap(linesOf), {
          minLength: grants.flatMap(linesOf).length,
        });
        expect(orphans(compare(grants, lines))).toEqual(NONE);
      }),
    );
  });

  it('differ in exactly the records and the lines that were taken away', () => {
    fc.assert(
      fc.property(ledger, fc.infiniteStream(fc.integer({ min: 0, max: 4 })), (grants, chance) => {
        const taken = () => chance.next().value === 0;
        const onRecord = grants.filter(() => !taken());
        const all = grants.flatMap(linesOf) as { jsonPayload: { event: string; grant_id: string } }[];
        const logged = all.filter(() => !taken());
        const gone = all.filter((line) => !logged.includes(line)).map(({ jsonPayload }) => jsonPayload);
        const known = new Set(onRecord.map(({ grant_id }) => grant_id));
        const lacking = (isSo: (event: string) => boolean) =>
          [
            ...new Set(gone.flatMap(({ event, grant_id }) => (isSo(event) && known.has(grant_id) ? [grant_id] : []))),
          ].sort();
        expect(orphans(compare(onRecord, logged))).toEqual({
          issued: lacking((event) => event === 'grant.issued'),
          ended: lacking((event) => event !== 'grant.issued'),
          lines: [...new Set(logged.map(({ jsonPayload }) => jsonPayload.grant_id))]
            .filter((id) => !known.has(id))
            .sort(),
        });
      }),
    );
  });

  it('count tokens that two requests share once, and say how many lines there are', () => {
    const grant = grantOf(1, FROM + DAY, { tokens_issued: 3 });
    const lines = linesOf(grant);
    expect(compare([grant], [...lines, lines[0] ?? {}]).issued_without_line).toEqual([]);
    expect(compare([grant], [lines[0] ?? {}, lines[0] ?? {}, ...lines.slice(3)]).issued_without_line).toEqual([
      { grant_id: grantIdOf(1), issuances: 3, lines: 1 },
    ]);
  });
});

describe('what is at the edge of the period', () => {
  it.each([
    ['issued before it', FROM - 10 * 60_000],
    ['issued at its very end', TO - 60_000],
  ])('is not compared: %s', (_, at) => {
    const { issued_without_line, not_checked } = compare([grantOf(1, at)], []);
    expect([issued_without_line, not_checked.issuances]).toEqual([[], 1]);
  });

  it('is compared by one line where a grant began before and was renewed in it', () => {
    const renewed = grantOf(1, FROM - HOUR, {
      ...{ tokens_issued: 5, issued_at: iso(FROM + HOUR), expires_at: iso(FROM + 2 * HOUR) },
      ...{ ended_at: iso(FROM + HOUR), access_ended_at: iso(FROM + HOUR) },
    });
    const [issued, ...rest] = linesOf(renewed);
    expect(orphans(compare([renewed], [issued ?? {}, ...rest.slice(-1)]))).toEqual(NONE);
    expect(orphans(compare([renewed], rest.slice(-1))).issued).toEqual([grantIdOf(1)]);
  });

  it('is not compared where a grant began before, and some of its lines are missing, which may be from before', () => {
    const renewed = grantOf(1, FROM - HOUR, {
      ...{ tokens_issued: 3, issued_at: iso(FROM + HOUR), expires_at: iso(FROM + 2 * HOUR) },
      ...{ ended_at: iso(FROM + HOUR), access_ended_at: iso(FROM + HOUR) },
    });
    const lines = linesOf(renewed);
    expect(compare([renewed], lines).not_checked.issuances).toBe(0);
    expect(compare([renewed], lines.slice(1)).not_checked.issuances).toBe(1);
  });

  it('is not compared where a line is as young as the ledger was when it was read', () => {
    const at = FROM + DAY;
    const [issued] = linesOf(grantOf(1, at));
    const asOf = at + 1_000;
    expect(compare([], [issued ?? {}], { asOf: asOf + CLOCK_MARGIN_MS })).toMatchObject({
      line_without_grant: [],
      not_checked: { lines: 1 },
    });
    expect(orphans(compare([], [issued ?? {}], { asOf: asOf + CLOCK_MARGIN_MS + 1 })).lines).toEqual([grantIdOf(1)]);
  });

  it.each([
    ['a grant that ended before the period', FROM - DAY],
    ['a grant that began after it', TO + HOUR],
    ['a grant that began as the ledger was read', AS_OF - 1_000],
  ])('is no orphan of the log: %s', (_, at) => {
    const { line_without_grant, not_checked } = compare([], linesOf(grantOf(1, at)));
    expect([line_without_grant, not_checked.lines]).toEqual([[], 1]);
  });

  it('is an orphan when the grant of the line could be used in the period', () => {
    const [issued] = linesOf(grantOf(1, FROM - 60_000));
    expect(orphans(compare([], [issued ?? {}])).lines).toEqual([grantIdOf(1)]);
  });
});

describe('an act of the kill switch', () => {
  const named = ({ act_without_line, line_without_act }: CrossCheck) => [
    act_without_line.map(({ id }) => id),
    line_without_act.map(({ id }) => id),
  ];

  it('has its line, and the line its act', () => {
    expect(named(compare([], [actLine()], { acts: [act()] }))).toEqual([[], []]);
    expect(compare([], [], { acts: [act()] }).act_without_line).toEqual([
      { id: ACT, activated_at: act().activated_at, actor: 'bob@acme.example' },
    ]);
    expect(compare([], [actLine()]).line_without_act).toEqual([
      { id: ACT, at: iso(FROM + 3 * DAY), actor: 'bob@acme.example' },
    ]);
  });

  it('is not missing where its record cannot be read', () => {
    expect(named(compare([], [actLine()], { unreadableActs: new Set([ACT]) }))).toEqual([[], []]);
  });

  it.each([
    ['before the period', FROM - 1],
    ['after it', TO],
    ['as the ledger was read', FROM + DAY],
  ])('is not compared where it is from %s', (_, at) => {
    const scope = { asOf: at === FROM + DAY ? at + CLOCK_MARGIN_MS : AS_OF };
    expect(named(compare([], [], { ...scope, acts: [act({ activated_at: iso(at) })] }))).toEqual([[], []]);
    expect(named(compare([], [actLine(at)], scope))).toEqual([[], []]);
  });

  it('is compared by its first line: it may have been continued', () => {
    const lines = [actLine(FROM + DAY), actLine(FROM - 1)];
    expect(named(compare([], lines))).toEqual([[], []]);
  });

  it('has a line that says which', () => {
    expect(() => readLines([{ timestamp: iso(FROM), jsonPayload: { event: 'kill_switch.activated' } }])).toThrow(
      'malformed',
    );
  });
});

describe('a line without a record', () => {
  const lines = linesOf(grantOf(1, FROM + DAY));

  it('is none where the record is there and cannot be read', () => {
    expect(orphans(compare([], lines, { unreadable: new Set([grantIdOf(1)]) }))).toEqual(NONE);
  });

  it('counts in a review of its environment alone', () => {
    expect(orphans(compare([], lines, { environment: 'staging' })).lines).toEqual([grantIdOf(1)]);
    expect(orphans(compare([], lines, { environment: 'production' }))).toEqual(NONE);
  });

  it('is named with what it says', () => {
    expect(compare([], lines).line_without_grant).toEqual([
      {
        grant_id: grantIdOf(1),
        events: ['grant.issued', 'grant.revoked'],
        first_at: iso(FROM + DAY + 1_000),
        credential: 'staging-config',
        pipeline_slug: 'web',
      },
    ]);
  });
});
