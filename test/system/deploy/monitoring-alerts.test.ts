// Every alert, condition by condition, over the lines of a real desk: on in the bad situation it is about, exactly from its
// border on, and off through ordinary hours and a quiet weekend in which Google hiccups once; whether or not Google writes a
// counter's zeros. And each query of its playbook finds the lines it is for.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { parseLogFilter } from './log-filter.ts';
import { HOUR, MINUTE, openWatchedDesk, SECOND } from './log-filter-desk.ts';
import type { LogEntry } from './log-filter-entry.ts';
import {
  BORDERS,
  type Border,
  BURNS,
  COUNTS,
  OLDEST,
  PLATFORM_COUNT,
  PLATFORM_SHARE,
  SHARES,
  SILENCES,
  UPTIME,
} from './monitoring-borders.ts';
import { fires, holds } from './monitoring-conditions.ts';
import { metrics, type Policy, policies, slos } from './monitoring-definitions.ts';
import {
  anOrdinaryHour,
  answered,
  aQuietHour,
  aQuietHourWithAHiccup,
  checked,
  go,
  manyHours,
  type Went,
} from './monitoring-hours.ts';
import type { PlatformPoint, Watched } from './monitoring-query.ts';
import { BAD, CANARY_DENIED_IS_GRANTED } from './monitoring-situations.ts';

const went: Record<string, Went> = {};
let ordinary: Went;
let weekend: Went;

beforeAll(async () => {
  const watched = await openWatchedDesk();
  ordinary = await go(watched, anOrdinaryHour);
  for (const [name, situation] of Object.entries(BAD)) went[name] = await go(watched, situation);
  const quiet = await go(watched, aQuietHour);
  weekend = manyHours(quiet, await go(watched, aQuietHourWithAHiccup), 48);
  await watched.desk.close();
  const lax = await openWatchedDesk('[canary, canary-denied]');
  went['probe-granted'] = await go(lax, CANARY_DENIED_IS_GRANTED);
  await lax.desk.close();
}, 240_000);

const playbookOf = (situation: string): string => situation.split(',')[0] ?? '';
const situationsOf = (playbook: string): Went[] =>
  Object.entries(went).flatMap(([name, one]) => (playbookOf(name) === playbook ? [one] : []));

/** As it is seen with a counter's zeros, and without. */
function seen(entries: readonly LogEntry[], platform: readonly PlatformPoint[] = []): Watched[] {
  return [true, false].map((zeros) => ({ metrics, slos: slos.serviceLevelObjectives, entries, platform, zeros }));
}

/** Moments of a situation, a minute apart, and some of quiet after it. */
function moments({ from, until }: Pick<Went, 'from' | 'until'>, after = 0): number[] {
  return Array.from({ length: Math.ceil((until + after - from) / MINUTE) + 1 }, (_, index) => from + index * MINUTE);
}

const each = policies.map((policy) => [policy.displayName, policy] as const);

describe('alerts', () => {
  it('have a bad situation each', () => {
    expect([...new Set(Object.keys(went).map(playbookOf))].sort()).toEqual(
      [...new Set(policies.map(({ userLabels }) => userLabels.playbook))].sort(),
    );
  });

  it.each(each)('%s: fires in each of its bad situations', (_, policy) => {
    for (const bad of situationsOf(policy.userLabels.playbook))
      for (const watched of seen(bad.entries, bad.platform))
        expect([watched.zeros, moments(bad, 5 * MINUTE).some((now) => fires(watched, policy, now))]).toEqual([
          watched.zeros,
          true,
        ]);
  });

  it.each(each)('%s: is quiet through an ordinary hour, and through a weekend in which Google hiccups', (_, policy) => {
    for (const { entries, platform, ...time } of [ordinary, weekend])
      for (const watched of seen(entries, platform))
        expect(moments(time).filter((now) => fires(watched, policy, now))).toEqual([]);
  });

  it.each([
    ['no-sweep, overdue', 10],
    ['revocation-stuck', 5],
    ['revocation-stuck, unreadable', 5],
    ['dependency-errors, API token revoked', 14],
    ['probe-failing', 30],
    ['probe-no-webhook', 30],
  ])('%s is told after %d minutes, neither later nor earlier', (name, minutes) => {
    const bad = went[name] as Went;
    const policy = policies.find(({ userLabels }) => userLabels.playbook === playbookOf(name)) as Policy;
    for (const watched of seen(bad.entries)) {
      const first = moments(bad).find((now) => fires(watched, policy, now));
      expect([watched.zeros, ((first ?? 0) - bad.from) / MINUTE]).toEqual([watched.zeros, minutes]);
    }
  });

  it('an ordinary hour is one in which much happens, and a weekend is one in which something does', () => {
    const eventsOf = ({ entries }: Went) => new Set(entries.map(({ labels }) => labels.event));
    for (const event of ['grant.issued', 'grant.refused', 'grant.revoked', 'grant.expired', 'job.found_finished'])
      expect(eventsOf(ordinary)).toContain(event);
    expect(ordinary.until - ordinary.from).toBe(HOUR);
    expect(weekend.until - weekend.from).toBe(48 * HOUR);
    // Google's hiccup, once.
    const failed = weekend.entries.filter(({ severity }) => severity === 'ERROR').map(({ labels }) => labels.event);
    expect(failed).toEqual(['grant.refused', 'webhook.refused', 'sweep.completed']);
  });
});

describe('playbooks', () => {
  it.each([...new Set(policies.map(({ userLabels }) => userLabels.playbook))])(
    '%s: its queries find the lines they speak of, and not those of an ordinary hour',
    (playbook) => {
      const text = readFileSync(join(ROOT, `docs/playbooks/${playbook}.md`), 'utf8');
      const queries = [...text.matchAll(/```logging\n([\s\S]*?)```/g)].map(([, query]) => query as string);
      expect(queries.length).toBeGreaterThan(0);
      const entries = situationsOf(playbook).flatMap((one) => one.entries);
      for (const query of queries) {
        const matches = parseLogFilter(query);
        expect([query, entries.some(matches)]).toEqual([query, true]);
        expect([query, ordinary.entries.filter(matches).length < ordinary.entries.length / 2]).toEqual([query, true]);
      }
    },
  );
});

/** The first line, of all that was seen, that a query finds. */
function lineOf(query: string): LogEntry {
  const matches = parseLogFilter(query);
  const found = [ordinary, ...Object.values(went)].flatMap(({ entries }) => entries).find(matches);
  if (!found) throw new Error(`no line: ${query}`);
  return found;
}

const NOW = Date.UTC(2026, 0, 5, 12);
const ago = (seconds: number) => NOW - seconds * SECOND;

function stamped(entry: LogEntry, at: number): LogEntry {
  return { ...entry, timestamp: new Date(at).toISOString() };
}

/** So many of a line, from `oldest` seconds ago until now. */
function spread(query: string, count: number, oldest: number): LogEntry[] {
  const entry = lineOf(query);
  return Array.from({ length: count }, (_, index) =>
    stamped(entry, ago(count === 1 ? oldest : (oldest * (count - 1 - index)) / (count - 1))),
  );
}

/** The same line of another pool, of another that failed. */
function ofAnother(entry: LogEntry, by: string): LogEntry {
  const [where, key = ''] = by.split('.');
  return where === 'labels'
    ? { ...entry, labels: { ...entry.labels, [key]: 'another' } }
    : { ...entry, jsonPayload: { ...entry.jsonPayload, [key]: 'another' } };
}

function conditionOf({ policy, condition }: Border) {
  const found = policies
    .find(({ displayName }) => displayName === `Keydesk: ${policy}`)
    ?.conditions.find(({ displayName }) => displayName === condition);
  if (!found) throw new Error(`no condition: ${policy}: ${condition}`);
  return found;
}

/** Whether it holds with these lines, with zeros and without. */
function held(border: Border, entries: readonly LogEntry[], platform: readonly PlatformPoint[] = []): boolean[] {
  return seen(entries, platform).map((watched) => holds(watched, conditionOf(border), NOW));
}

const ON = [true, true];
const OFF = [false, false];
const named = <T extends Border>(borders: readonly T[]) =>
  borders.map((border) => [`${border.policy}: ${border.condition}`, border] as const);

describe('the border of', () => {
  it('every condition is known', () => {
    const known = policies.flatMap(({ displayName, conditions }) =>
      conditions.map((condition) => `${displayName}: ${condition.displayName}`),
    );
    expect(BORDERS.map(({ policy, condition }) => `Keydesk: ${policy}: ${condition}`).sort()).toEqual(known.sort());
  });

  it.each(named(COUNTS))('%s', (_, border) => {
    const { least, within, of, not, by } = border;
    const others = not.flatMap((query) => spread(query, 3 * least, within - 1));
    for (const query of of) {
      expect([query, held(border, [...others, ...spread(query, least, within - 1)])]).toEqual([query, ON]);
      expect([query, held(border, [...others, ...spread(query, least - 1, within - 1)])]).toEqual([query, OFF]);
      const tooOld = [stamped(lineOf(query), ago(within + 1)), ...spread(query, least - 1, within - 1)];
      expect([query, held(border, [...others, ...tooOld])]).toEqual([query, OFF]);
      if (by === undefined) continue;
      const few = spread(query, least - 1, within - 1);
      expect([query, held(border, [...few, ...few.map((entry) => ofAnother(entry, by))])]).toEqual([query, OFF]);
    }
    // Those of all kinds count together.
    if (of.length > 1 && by === undefined && least > 1) {
      const [first = '', second = ''] = of;
      expect(held(border, [...spread(first, 1, 1), ...spread(second, least - 1, 1)])).toEqual(ON);
    }
  });

  it.each(named(SILENCES))('%s', (_, border) => {
    const { within, of, not } = border;
    const others = not.flatMap((query) => spread(query, 5, within - 1));
    // One of the two conditions sees it with zeros, the other without.
    const zeros = 'conditionThreshold' in conditionOf(border);
    expect(held(border, [...others, stamped(lineOf(of), ago(within))])).toEqual([zeros, !zeros]);
    expect(held(border, [...others, stamped(lineOf(of), ago(within - 1))])).toEqual(OFF);
    // What never was is not missed.
    expect(held(border, [])).toEqual(OFF);
  });

  it.each(named(SHARES))('%s', (_, border) => {
    const { share, within, of, not } = border;
    const all = 100;
    const part = Math.round(share * all);
    for (const query of of) {
      const others = (count: number) =>
        not.flatMap((one, index) => spread(one, index === 0 ? count - (not.length - 1) : 1, within - 1));
      expect([query, held(border, [...others(all - part), ...spread(query, part, within - 1)])]).toEqual([query, OFF]);
      const more = spread(query, part + 1, within - 1);
      expect([query, held(border, [...others(all - part - 1), ...more])]).toEqual([query, ON]);
      const tooOld = more.map((entry, index) => (index === 0 ? stamped(entry, ago(within + 1)) : entry));
      expect([query, held(border, [...others(all - part), ...tooOld])]).toEqual([query, OFF]);
      // All that is divided by is of the same time.
      const before = others(all).map((entry) => stamped(entry, ago(within + 1)));
      expect([query, held(border, [...before, ...spread(query, 1, 1)])]).toEqual([query, ON]);
    }
  });

  it.each(named(BURNS))('%s', (_, border) => {
    const { share, within, good, bad } = border;
    const all = 10_000;
    const most = Math.floor(share * all + 1e-9);
    const with_ = (count: number, oldest: number) => {
      const [line, rest] = [lineOf(bad), lineOf(good)];
      return Array.from({ length: all }, (_, index) =>
        stamped(index < count ? line : rest, ago(index < count ? oldest : 1)),
      );
    };
    expect(held(border, with_(most, within - 1))).toEqual(OFF);
    expect(held(border, with_(most + 1, within - 1))).toEqual(ON);
    expect(held(border, with_(most + 1, within + 1))).toEqual(OFF);
  });

  it(`${OLDEST.policy}: ${OLDEST.condition}`, () => {
    const { from, within, line } = OLDEST;
    const aged = (at: number, oldest_unfinished_s: number | null): LogEntry => {
      const entry = stamped(lineOf(line), ago(at));
      return { ...entry, jsonPayload: { ...entry.jsonPayload, oldest_unfinished_s } };
    };
    const rest = [240, 180, 120, 60, 0].map((at) => aged(at, from - 0.001));
    expect(held(OLDEST, rest)).toEqual(OFF);
    // The estimate is of a bucket's inside, so that one sweep among all of the period is enough.
    for (const at of [within - 1, 120, 0]) expect(held(OLDEST, [...rest, aged(at, from)])).toEqual(ON);
    expect(held(OLDEST, [...rest, aged(within + 1, from)])).toEqual(OFF);
    expect(held(OLDEST, [aged(0, 0), aged(60, null)])).toEqual(OFF);
    expect(held(OLDEST, [...Array.from({ length: 60 }, () => aged(1, 0)), aged(0, 90_000)])).toEqual(ON);
  });

  const SERVICES = ['keydesk-token', 'keydesk-webhook', 'keydesk-sweep'];
  const count = (at: number, service: string, failed: number, fine: number) => [
    answered(ago(at), service, '5xx', failed),
    answered(ago(at), service, '2xx', fine),
    answered(ago(at), service, '4xx', 0),
  ];

  it.each(SERVICES)(`${PLATFORM_SHARE.policy}, of %s`, (service) => {
    const { within, share } = PLATFORM_SHARE;
    const others = SERVICES.filter((one) => one !== service).flatMap((one) => count(1, one, 0, 1000));
    const failed = share * 100;
    expect(held(PLATFORM_SHARE, [], [...others, ...count(within - 1, service, failed, 100 - failed)])).toEqual(OFF);
    expect(held(PLATFORM_SHARE, [], [...others, ...count(within - 1, service, failed + 1, 99 - failed)])).toEqual(ON);
    const [tooOld, fine] = count(within + 1, service, failed + 1, 99 - failed) as [PlatformPoint, PlatformPoint];
    expect(held(PLATFORM_SHARE, [], [...others, tooOld, { ...fine, at: NOW }])).toEqual(OFF);
    expect(held(PLATFORM_SHARE, [], [...others, answered(NOW, service, '4xx', 100)])).toEqual(OFF);

    const { least } = PLATFORM_COUNT;
    expect(held(PLATFORM_COUNT, [], [...others, ...count(within - 1, service, least, 9_000)])).toEqual(ON);
    expect(held(PLATFORM_COUNT, [], [...others, ...count(within - 1, service, least - 1, 0)])).toEqual(OFF);
    expect(held(PLATFORM_COUNT, [], [...others, ...count(within + 1, service, least, 0)])).toEqual(OFF);
    expect(
      held(
        PLATFORM_COUNT,
        [],
        SERVICES.flatMap((one) => count(1, one, least - 1, 0)),
      ),
    ).toEqual(OFF);
  });

  it(`${UPTIME.policy}: ${UPTIME.condition}`, () => {
    const { within, places } = UPTIME;
    const fails = (locations: number, at: number, host = 'token') =>
      Array.from({ length: locations }, (_, place) => checked(ago(at), `place ${place}`, host, false));
    expect(held(UPTIME, [], [...fails(places, 60), ...fails(places, 1)])).toEqual(ON);
    // A minute ago it was not yet so.
    expect(held(UPTIME, [], fails(places, 59))).toEqual(OFF);
    expect(held(UPTIME, [], fails(places - 1, 60))).toEqual(OFF);
    expect(held(UPTIME, [], [...fails(places - 1, 60), ...fails(places - 1, 60, 'webhook')])).toEqual(OFF);
    expect(held(UPTIME, [], [...fails(places, 90), checked(NOW, 'place 0', 'token', true)])).toEqual(OFF);
    expect(held(UPTIME, [], fails(places, within - 1))).toEqual(ON);
    expect(held(UPTIME, [], fails(places, within + 1))).toEqual(OFF);
  });
});

describe('conditions that must all hold', () => {
  const lines = (...of: readonly (readonly [string, number])[]) =>
    of.flatMap(([query, many]) => spread(query, many, 60));
  const issued = 'labels.event="grant.issued" labels.credential="config"';
  const failed = 'labels.event="grant.refused" labels.reason="unavailable" httpRequest.requestUrl="/token/config"';
  const denied = 'labels.event="grant.refused" labels.reason="no_rule_grants"';
  const byClock = 'labels.event="grant.expired" jsonPayload.ended_by="clock"';
  const byWebhook = 'labels.event="grant.revoked" jsonPayload.dead_after_job_end_s<1';
  const late = 'labels.event="grant.revoked" jsonPayload.dead_after_job_end_s>120';
  const old = (entries: LogEntry[]) => entries.map((entry) => stamped(entry, ago(45 * 60)));
  const on: Record<string, () => readonly LogEntry[]> = {
    'hand-outs fail': () => lines([failed, 5], [issued, 5]),
    'most jobs are refused': () => lines([denied, 21], [issued, 5]),
    'most grants end by the clock': () => lines([byClock, 10], [byWebhook, 5]),
    'hand-outs: two per cent of the budget gone in an hour': () => lines([failed, 5], [issued, 5]),
    'hand-outs: five per cent of the budget gone in six hours': () => lines([failed, 10], [issued, 10]),
    'time to dead: two per cent of the budget gone in an hour': () => lines([late, 5], [byWebhook, 5]),
    'time to dead: five per cent of the budget gone in six hours': () => lines([late, 10], [byWebhook, 10]),
  };
  /** All but one of the conditions hold. */
  const off: Record<string, () => readonly (readonly LogEntry[])[]> = {
    'hand-outs fail': () => [lines([failed, 5], [issued, 995]), lines([failed, 4])],
    'most jobs are refused': () => [lines([denied, 21], [issued, 30]), lines([denied, 20])],
    'most grants end by the clock': () => [lines([byClock, 10], [byWebhook, 10]), lines([byClock, 9])],
    // The long window alone, the short one alone, and few.
    'hand-outs: two per cent of the budget gone in an hour': () => [
      [...old(lines([failed, 5])), ...lines([issued, 5])],
      [...old(lines([issued, 995])), ...lines([failed, 5])],
      lines([failed, 4]),
    ],
    'hand-outs: five per cent of the budget gone in six hours': () => [
      [...old(lines([failed, 10])), ...lines([issued, 5])],
      [...old(lines([issued, 995])), ...lines([failed, 10])],
      lines([failed, 9]),
    ],
    'time to dead: two per cent of the budget gone in an hour': () => [
      [...old(lines([late, 5])), ...lines([byWebhook, 5])],
      [...old(lines([byWebhook, 995])), ...lines([late, 5])],
      lines([late, 4]),
    ],
    'time to dead: five per cent of the budget gone in six hours': () => [
      [...old(lines([late, 10])), ...lines([byWebhook, 5])],
      [...old(lines([byWebhook, 995])), ...lines([late, 10])],
      lines([late, 9]),
    ],
  };
  const all = policies.filter(({ combiner }) => combiner === 'AND');

  it.each(all.map((policy) => [policy.displayName.replace('Keydesk: ', ''), policy] as const))('%s', (name, policy) => {
    if (policy.userLabels.playbook === 'platform-errors') {
      const with_ = (bad: number, good: number) => [
        answered(ago(1), 'a', '5xx', bad),
        answered(ago(1), 'a', '2xx', good),
      ];
      const fired = (platform: PlatformPoint[]) => seen([], platform).map((watched) => fires(watched, policy, NOW));
      expect([fired(with_(10, 10)), fired(with_(10, 990)), fired(with_(9, 0))]).toEqual([ON, OFF, OFF]);
      return;
    }
    const fired = (entries: readonly LogEntry[]) => seen(entries).map((watched) => fires(watched, policy, NOW));
    expect(fired(on[name]?.() ?? [])).toEqual(ON);
    const others = off[name]?.() ?? [];
    expect(others).toHaveLength(policy.conditions.length);
    for (const entries of others) expect(fired(entries)).toEqual(OFF);
  });

  it('are those of alerts on shares and on budgets, and of no others', () => {
    expect(all.map(({ userLabels }) => userLabels.playbook).sort()).toEqual([
      'ended-by-clock',
      'hand-out-failing',
      'jobs-refused',
      'platform-errors',
      'slo-hand-outs',
      'slo-hand-outs',
      'slo-time-to-dead',
      'slo-time-to-dead',
    ]);
  });
});
