// The alerts that page, condition by condition: each is driven to its border and past it with lines that the handlers
// wrote, whether or not Google writes a counter's zeros.

import { beforeAll, describe, expect, it } from 'vitest';
import { parseLogFilter } from './log-filter.ts';
import type { LogEntry } from './log-filter-entry.ts';
import { openWatchedKeydesk } from './log-filter-keydesk.ts';
import {
  BORDERS,
  COUNTS,
  ENDED,
  event,
  ISSUED,
  LATE,
  OLDEST,
  SHARES,
  SILENCES,
  SWEPT,
  UNAVAILABLE,
  UPTIME,
} from './monitoring-borders.ts';
import { fires, holds } from './monitoring-conditions.ts';
import { policies } from './monitoring-definitions.ts';
import { writeEveryLine } from './monitoring-lines.ts';
import type { PlatformPoint } from './monitoring-query.ts';

const paging = policies.filter(({ severity }) => severity === 'CRITICAL');

let log: readonly LogEntry[];
beforeAll(async () => {
  const watched = await openWatchedKeydesk();
  await writeEveryLine(watched);
  await watched.keydesk.close();
  log = watched.entries;
}, 60_000);

const NOW = Date.UTC(2026, 0, 5, 12);

/** The first line of the log that a query finds, this many seconds ago. */
function line(query: string, seconds: number): LogEntry {
  const found = log.find(parseLogFilter(query));
  if (!found) throw new Error(`no line: ${query}`);
  return { ...found, timestamp: new Date(NOW - seconds * 1000).toISOString() };
}

const lines = (query: string, count: number, seconds = 1) => Array.from({ length: count }, () => line(query, seconds));

const withPayload = (entry: LogEntry, fields: object): LogEntry => ({
  ...entry,
  jsonPayload: { ...entry.jsonPayload, ...fields },
});

const named = <T extends { policy: string; condition: string }>(borders: readonly T[]) =>
  borders.map((border) => [`${border.policy}: ${border.condition}`, border] as const);

/** Whether a condition holds: with a counter's zeros, and without. */
function held(
  { policy, condition }: { readonly policy: string; readonly condition: string },
  entries: readonly LogEntry[],
  platform: readonly PlatformPoint[] = [],
): boolean[] {
  const found = paging
    .find(({ displayName }) => displayName === `Keydesk: ${policy}`)
    ?.conditions.find(({ displayName }) => displayName === condition);
  if (!found) throw new Error(`no condition: ${policy}: ${condition}`);
  return [true, false].map((zeros) => holds({ entries, platform, zeros }, found, NOW));
}

const ON = [true, true];
const OFF = [false, false];

describe('an alert that pages', () => {
  it('has a border for each of its conditions', () => {
    const conditions = paging.flatMap((policy) =>
      policy.conditions.map(({ displayName }) => `${policy.displayName}: ${displayName}`),
    );
    expect(BORDERS.map(({ policy, condition }) => `Keydesk: ${policy}: ${condition}`).sort()).toEqual(
      conditions.sort(),
    );
  });

  it.each(named(COUNTS))('%s: holds from its number of lines on', (_, border) => {
    const { least, within, of, not } = border;
    const others = not.flatMap((query) => lines(query, 3 * least));
    for (const query of of) {
      const recent = [...others, ...lines(query, least - 1, 0)];
      expect([query, held(border, recent)]).toEqual([query, OFF]);
      expect([query, held(border, [...recent, line(query, within + 1)])]).toEqual([query, OFF]);
      expect([query, held(border, [...recent, line(query, within - 1)])]).toEqual([query, ON]);
    }
  });

  it.each(named(SILENCES))('%s: holds when the last line is as old', (_, border) => {
    const { condition, within, of, not } = border;
    const others = not.flatMap((query) => lines(query, 5));
    // One condition sees the silence where zeros are written, the other where they are not.
    const silent = condition.startsWith('fewer') ? [true, false] : [false, true];
    expect(held(border, [...others, line(of, within)])).toEqual(silent);
    expect(held(border, [...others, line(of, within - 1)])).toEqual(OFF);
    expect(held(border, [])).toEqual(OFF);
  });

  it.each(named(SHARES))('%s: holds above its share', (_, border) => {
    const { share, within, good, bad } = border;
    const all = 1000;
    const most = Math.floor(share * all);
    const goods = (count: number) =>
      Array.from({ length: count }, (_, index) => line(good[index % good.length] ?? '', 1));
    const mixed = (count: number) => [...goods(all - count), ...lines(bad, count, within - 1)];
    expect(held(border, mixed(most))).toEqual(OFF);
    expect(held(border, mixed(most + 1))).toEqual(ON);
    expect(held(border, [...mixed(most), ...lines(bad, 100, within + 1)])).toEqual(OFF);
    const old = goods(all).map((entry) => ({ ...entry, timestamp: new Date(NOW - (within + 1) * 1000).toISOString() }));
    expect(held(border, [...old, line(bad, 1)])).toEqual(ON);
  });

  it('holds when one sweep of five minutes left a grant that ended five minutes ago', () => {
    const { from, within } = OLDEST;
    const sweep = (seconds: number, oldest_pending_s: number | null) =>
      withPayload(line(SWEPT, seconds), { oldest_pending_s });
    const rest = [240, 180, 120, 60, 0].map((seconds) => sweep(seconds, from - 0.001));
    expect(held(OLDEST, rest)).toEqual(OFF);
    expect(held(OLDEST, [...rest, sweep(within - 1, from)])).toEqual(ON);
    expect(held(OLDEST, [...rest, sweep(within + 1, from)])).toEqual(OFF);
    expect(held(OLDEST, [sweep(0, null)])).toEqual(OFF);
    // The 99th percentile: one value among a hundred is not above it.
    expect(held(OLDEST, [...Array.from({ length: 99 }, () => sweep(1, 0)), sweep(0, from)])).toEqual(OFF);
  });

  it('counts an end as late above two minutes', () => {
    const ends = (seconds: number) => lines(LATE, 5).map((it) => withPayload(it, { access_after_job_end_s: seconds }));
    const late = [...COUNTS, ...SHARES].filter(({ policy }) => policy.startsWith('Revocation SLO burn'));
    expect(late.length).toBe(3);
    for (const border of late) expect([held(border, ends(120)), held(border, ends(120.001))]).toEqual([OFF, ON]);
  });

  it('holds when an uptime check fails from two places for a minute', () => {
    const { within, places } = UPTIME;
    const check = (place: number, seconds: number, { host = 'token', passed = false } = {}): PlatformPoint => ({
      metric: 'monitoring.googleapis.com/uptime_check/check_passed',
      at: NOW - seconds * 1000,
      labels: { check_id: 'health', checker_location: `place ${place}` },
      resource: { host },
      value: passed ? 1 : 0,
    });
    const failed = (count: number, seconds: number, host?: string) =>
      Array.from({ length: count }, (_, place) => check(place, seconds, { host: host ?? 'token' }));
    expect(held(UPTIME, [], failed(places, 60))).toEqual(ON);
    expect(held(UPTIME, [], failed(places, 59))).toEqual(OFF);
    expect(held(UPTIME, [], failed(places - 1, 60))).toEqual(OFF);
    expect(held(UPTIME, [], [...failed(places - 1, 60), ...failed(places - 1, 60, 'webhook')])).toEqual(OFF);
    expect(held(UPTIME, [], [...failed(places, 90), check(0, 0, { passed: true })])).toEqual(OFF);
    expect([held(UPTIME, [], failed(places, within - 1)), held(UPTIME, [], failed(places, within))]).toEqual([ON, OFF]);
  });

  const OLD = 45 * 60;
  it.each<[string, () => LogEntry[], (() => LogEntry[])[]]>([
    [
      'Token requests failing',
      () => [...lines(UNAVAILABLE, 5), ...lines(ISSUED, 5)],
      [() => [...lines(UNAVAILABLE, 5), ...lines(ISSUED, 95)], () => lines(UNAVAILABLE, 4)],
    ],
    ...(
      [
        ['Token requests burning error budget', UNAVAILABLE, ISSUED],
        ['Revocation SLO burn', LATE, ENDED],
      ] as const
    ).map(([slo, bad, good]): [string, () => LogEntry[], (() => LogEntry[])[]] => [
      `${slo}: 2 % in an hour`,
      () => [...lines(bad, 5), ...lines(good, 5)],
      [
        () => [...lines(bad, 5, OLD), ...lines(good, 5)],
        () => [...lines(good, 995, OLD), ...lines(bad, 5)],
        () => lines(bad, 4),
      ],
    ]),
  ])('%s: fires when all of its conditions hold, and not when one does not', (name, on, off) => {
    const policy = paging.find(({ displayName }) => displayName === `Keydesk: ${name}`);
    if (!policy) throw new Error(`no policy ${name}`);
    const fired = (entries: readonly LogEntry[]) =>
      [true, false].map((zeros) => fires({ entries, platform: [], zeros }, policy, NOW));
    expect([policy.combiner, off.length]).toEqual(['AND', policy.conditions.length]);
    expect(fired(on())).toEqual(ON);
    for (const entries of off) expect(fired(entries())).toEqual(OFF);
  });

  it.each([
    ['Buildkite API token expires soon', event('api_token.expiring'), 7200],
    ['People refused at reader or admin', event('operator.refused'), 600],
  ])('%s: fires at one line, for as long as it looks back', (name, query, within) => {
    const policy = policies.find(({ displayName }) => displayName === `Keydesk: ${name}`);
    if (!policy) throw new Error(`no policy ${name}`);
    const fired = (entries: readonly LogEntry[]) =>
      [true, false].map((zeros) => fires({ entries, platform: [], zeros }, policy, NOW));
    const others = [ISSUED, UNAVAILABLE, SWEPT].flatMap((other) => lines(other, 5));
    expect(fired(others)).toEqual(OFF);
    expect(fired([...others, line(query, within - 1)])).toEqual(ON);
    expect(fired([...others, line(query, within + 1)])).toEqual(OFF);
  });

  it('fires when one of its conditions holds, unless it compares shares', () => {
    const combined = paging.filter(({ combiner }) => combiner === 'AND').map(({ displayName }) => displayName);
    expect(combined).toEqual([...new Set(SHARES.map(({ policy }) => `Keydesk: ${policy}`))]);
  });
});
