// Every field, event and value that a metric, an alert, a tile or a playbook's query names is in lines that the handlers
// write; and the uptime checks get the responses that they accept.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { parseExtractor, parseLogFilter } from './log-filter.ts';
import type { LogEntry } from './log-filter-entry.ts';
import { openWatchedKeydesk, type WatchedKeydesk } from './log-filter-keydesk.ts';
import {
  dashboard,
  metrics,
  policies,
  queriesIn,
  slos,
  USER_METRIC,
  uptimeChecks,
  widgets,
} from './monitoring-definitions.ts';
import { writeEveryLine } from './monitoring-lines.ts';
import { labelOf, parseMonitoringFilter, pointsOf } from './monitoring-query.ts';

let watched: WatchedKeydesk;
let log: readonly LogEntry[];
beforeAll(async () => {
  watched = await openWatchedKeydesk();
  await writeEveryLine(watched);
  log = [...watched.entries];
}, 60_000);
afterAll(() => watched.keydesk.close());

/** The comparisons of a filter; one that excludes a value, as one that asks for it. */
function comparisonsOf(filter: string): string[] {
  const found = filter.match(/[\w.]+(?:!=|=~|>=|[=<>:])(?:"(?:[^"\\]|\\.)*"|[\w.-]+)/g) ?? [];
  return found.map((comparison) => comparison.replace('!=', '='));
}

const eventOf = ({ labels, jsonPayload }: LogEntry) => labels.event ?? jsonPayload.event;
const eventsOf = (entries: readonly LogEntry[]) => new Set(entries.map(eventOf));
const finds = (filter: string, entries = log) => entries.some(parseLogFilter(filter));

describe.each(metrics.map((metric) => [metric.name, metric] as const))('%s', (_, metric) => {
  const { filter, labelExtractors = {}, valueExtractor } = metric;

  it('counts each of its events, and compares fields with values that they have', () => {
    const comparisons = comparisonsOf(filter);
    const events = comparisons.flatMap(
      (comparison) => /^(?:labels|jsonPayload)\.event="(.+)"$/.exec(comparison)?.[1] ?? [],
    );
    expect([...eventsOf(log.filter(parseLogFilter(filter)))].sort()).toEqual([...new Set(events)].sort());
    const ofEvents = log.filter((entry) => events.includes(String(eventOf(entry))));
    expect(comparisons.filter((comparison) => !finds(comparison, ofEvents))).toEqual([]);
  });

  it('has a value for each of its labels, and a number for each line', () => {
    const counted = log.filter(parseLogFilter(filter));
    const empty = Object.entries(labelExtractors).filter(([, source]) => !counted.some(parseExtractor(source)));
    expect(empty).toEqual([]);
    expect([valueExtractor, pointsOf(metric, log).length]).toEqual([valueExtractor, counted.length]);
  });
});

const ours = queriesIn([policies, slos, dashboard]).filter(({ filter }) => filter.includes(USER_METRIC));

it.each([...new Set(ours.map(({ filter }) => filter))])(
  '%s: its labels have the values they are compared with',
  (it) => {
    const { descriptor, terms } = parseMonitoringFilter(it);
    const points = descriptor.log ? pointsOf(descriptor.log, log) : [];
    expect(points.length).toBeGreaterThan(0);
    for (const term of terms)
      for (const value of term.value.split('|')) {
        const pattern = new RegExp(`^(?:${value})$`, 'u');
        expect([value, points.some((point) => pattern.test(labelOf(point, term)))]).toEqual([value, true]);
      }
  },
);

const PLAYBOOKS = join(ROOT, 'docs/playbooks');
const queries = readdirSync(PLAYBOOKS).flatMap((file) =>
  [...readFileSync(join(PLAYBOOKS, file), 'utf8').matchAll(/```logging\n([\s\S]*?)```/g)].map(
    ([, query = '']) => [file, query] as const,
  ),
);

it.each([
  // Cloud Run's own log of requests is not the handlers'.
  ...queries.filter(([, query]) => !query.includes('logName')),
  ...widgets.flatMap(({ title = '', logsPanel }) => (logsPanel ? [[title, logsPanel.filter] as const] : [])),
])('%s: a query finds some lines and not most, and compares fields with values that they have', (_, query) => {
  const found = log.filter(parseLogFilter(query));
  expect([query, found.length > 0, found.length < log.length / 2]).toEqual([query, true, true]);
  expect(comparisonsOf(query).filter((comparison) => !finds(comparison))).toEqual([]);
});

it.each(uptimeChecks.map((check) => [check.displayName, check] as const))(
  '%s: the check gets the response that it accepts',
  async (_, { httpCheck, contentMatchers, monitoredResource }) => {
    const { keydesk, call } = watched;
    const url = { TOKEN_HOST: keydesk.tokenUrl, WEBHOOK_HOST: keydesk.webhookUrl }[monitoredResource.labels.host];
    const { status, text } = await call(`${url}${httpCheck.path}`, { method: httpCheck.requestMethod });
    expect(httpCheck.acceptedResponseStatusCodes ?? [{ statusValue: 200 }]).toEqual([{ statusValue: status }]);
    for (const { content } of contentMatchers) expect(text).toContain(content);
  },
);

it.each([
  ['x-cloud-trace-context', '105445aa7843bc8bf206b12000100000/74;o=1'],
  ['traceparent', '00-105445aa7843bc8bf206b12000100000-000000000000004a-01'],
])('every line of a request carries the trace that its %s header names', async (name, value) => {
  const { keydesk, call, entries } = watched;
  const trace = `projects/${keydesk.project}/traces/105445aa7843bc8bf206b12000100000`;
  for (const url of [`${keydesk.tokenUrl}/token/config`, keydesk.webhookUrl, keydesk.sweepUrl]) {
    const before = entries.length;
    await call(url, { method: 'POST', headers: { [name]: value } });
    const lines = entries.slice(before);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatchObject({ trace, spanId: '000000000000004a', traceSampled: true });
    expect(lines.filter(parseLogFilter(`trace="${trace}"`))).toEqual(lines);
  }
});
