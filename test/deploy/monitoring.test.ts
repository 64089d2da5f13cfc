// The definitions of deploy/monitoring against Google's published types, and against each other: what a widget or an
// alert reads exists, what a metric extracts is what happened.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { Unavailable } from '../../shared/unavailable.ts';
import schema from './google-api.schema.json' with { type: 'json' };
import { parseExtractor, parseLogFilter } from './log-filter.ts';
import {
  alerts,
  dashboard,
  MINUTE,
  metrics,
  openWatchedDesk,
  policies,
  SECOND,
  slos,
  type WatchedDesk,
} from './log-filter-desk.ts';
import { countsOf, parseMonitoringFilter, pointsOf, USER_METRIC } from './log-filter-metrics.ts';

const PLAYBOOKS = join(ROOT, 'docs/playbooks');
const playbooks = readdirSync(PLAYBOOKS).map((file) => file.replace(/\.md$/, ''));

type Types = Readonly<Record<string, Readonly<Record<string, string>>>>;
/** Values that the typings leave open. From the API's reference pages; those in use, and no others. */
const VALUES: Readonly<Record<string, RegExp>> = {
  metricKind: /^DELTA$/,
  valueType: /^(INT64|DISTRIBUTION|STRING)$/,
  combiner: /^(OR|AND)$/,
  severity: /^(CRITICAL|ERROR|WARNING)$/,
  comparison: /^COMPARISON_(GT|LT)$/,
  perSeriesAligner: /^ALIGN_(SUM|DELTA|MAX)$/,
  crossSeriesReducer: /^REDUCE_(SUM|MAX|MEAN|PERCENTILE_(50|95|99))$/,
  plotType: /^(LINE|STACKED_BAR)$/,
  sparkChartType: /^SPARK_LINE$/,
  color: /^(RED|YELLOW)$/,
  direction: /^(ABOVE|BELOW)$/,
  alignmentPeriod: /^([6-9]\d|[1-9]\d{2,})s$/,
  duration: /^\d*0s$/,
  mimeType: /^text\/markdown$/,
};

/** What is wrong with `value` as a message of that type, each with its path. */
function problems(value: unknown, type: string, types: Types, path = type): string[] {
  const list = type.endsWith('[]');
  if (list) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((item, index) => problems(item, type.slice(0, -2), types, `${path}[${index}]`));
  }
  const of = /^map<(\w+)>$/.exec(type)?.[1];
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (of !== undefined)
    return isObject
      ? Object.entries(value).flatMap(([key, item]) => problems(item, of, types, `${path}.${key}`))
      : [`${path} is no map`];
  const fields = types[type];
  if (!fields) return typeof value === type ? [] : [`${path} is no ${type}`];
  if (!isObject) return [`${path} is no ${type}`];
  return Object.entries(value).flatMap(([key, item]) => {
    const known = fields[key];
    if (known === undefined) return [`${path}.${key} is not known`];
    const values = VALUES[key];
    if (values && typeof item === 'string' && !values.test(item)) return [`${path}.${key} is ${item}`];
    return problems(item, known, types, `${path}.${key}`);
  });
}

const LOGGING: Types = schema.types['logging/v2'];
const V1: Types = schema.types['monitoring/v1'];
const V3: Types = schema.types['monitoring/v3'];

/** Every object within that has a filter of time series, and the aggregations beside it. */
function queriesIn(value: unknown): { filter: string; groupByFields: string[] }[] {
  if (typeof value !== 'object' || value === null) return [];
  const { filter, aggregation, aggregations } = value as Record<string, unknown>;
  const beside = [aggregation, aggregations].flat().filter(Boolean) as { groupByFields?: string[] }[];
  const own =
    typeof filter === 'string' && filter.startsWith('metric.type')
      ? [{ filter, groupByFields: beside.flatMap(({ groupByFields = [] }) => groupByFields) }]
      : [];
  const others = Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'string' && /(denominatorFilter|ServiceFilter|distributionFilter)$/.test(key)
      ? [{ filter: inner, groupByFields: [] }]
      : queriesIn(inner),
  );
  return [...own, ...others];
}

describe('the definitions', () => {
  it.each([
    ['metrics.json', metrics, 'LogMetric[]', LOGGING],
    ['alerts.json', alerts, 'AlertPolicy[]', V3],
    ['slos.json, the alerts', slos.alertPolicies, 'AlertPolicy[]', V3],
    ['slos.json, the service', slos.service, 'Service', V3],
    ['slos.json, the objectives', slos.serviceLevelObjectives, 'ServiceLevelObjective[]', V3],
    ['dashboard.json', dashboard, 'Dashboard', V1],
  ])('%s is what Google’s API takes', (_, value, type, types) => {
    expect(schema.source).toBe('npm googleapis@188.0.0');
    expect(problems(value, type, types)).toEqual([]);
  });

  it('would not pass with a field that is unknown, misspelt or of another type', () => {
    const [metric] = metrics;
    expect(problems({ ...metric, filters: 'a' }, 'LogMetric', LOGGING)).toEqual(['LogMetric.filters is not known']);
    expect(problems({ ...metric, filter: 1 }, 'LogMetric', LOGGING)).toEqual(['LogMetric.filter is no string']);
    const [alert] = alerts;
    expect(problems({ ...alert, conditions: {} }, 'AlertPolicy', V3)).toEqual(['AlertPolicy.conditions is no list']);
    expect(problems({ ...alert, severity: 'BAD' }, 'AlertPolicy', V3)).toEqual(['AlertPolicy.severity is BAD']);
    expect(problems({ mosaicLayout: { tiles: [{ widget: { xyChart: { sets: [] } } }] } }, 'Dashboard', V1)).toEqual([
      'Dashboard.mosaicLayout.tiles[0].widget.xyChart.sets is not known',
    ]);
  });

  it('have metrics whose labels are declared and extracted, and whose names are unique', () => {
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
    for (const { name, filter, labelExtractors = {}, valueExtractor, metricDescriptor } of metrics) {
      expect(name).toMatch(/^keydesk\/[a-z_]{1,60}$/);
      parseLogFilter(filter);
      for (const source of Object.values(labelExtractors)) parseExtractor(source);
      expect(Object.keys(labelExtractors)).toEqual((metricDescriptor.labels ?? []).map(({ key }) => key));
      expect([name, metricDescriptor.valueType]).toEqual([name, valueExtractor ? 'DISTRIBUTION' : 'INT64']);
    }
  });

  it.each([
    ['dashboard', dashboard],
    ['alerts', alerts],
    ['objectives', slos],
  ])('have a metric, with its labels, for everything the %s read', (_, value) => {
    const queries = queriesIn(value);
    expect(queries.length).toBeGreaterThan(2);
    for (const { filter, groupByFields } of queries) {
      const { metric, labels } = parseMonitoringFilter(filter);
      const found = metrics.find(({ name }) => `${USER_METRIC}${name}` === metric);
      const known = found?.metricDescriptor.labels?.map(({ key }) => key) ?? [];
      expect([filter, found !== undefined]).toEqual([filter, true]);
      for (const { key } of labels) expect(known).toContain(key);
      for (const field of groupByFields) expect(known).toContain(/^metric\.labels\.(\w+)$/.exec(field)?.[1]);
    }
  });

  it('have no metric that nobody reads', () => {
    const read = [...queriesIn(dashboard), ...queriesIn(policies), ...queriesIn(slos)];
    const names = read.map(({ filter }) => parseMonitoringFilter(filter).metric.slice(USER_METRIC.length));
    expect(metrics.map(({ name }) => name).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('have a dashboard without gaps or overlaps, whose panels of logs parse', () => {
    const taken = new Set<string>();
    let cells = 0;
    for (const { xPos = 0, yPos = 0, width, height, widget } of dashboard.mosaicLayout.tiles) {
      for (let x = xPos; x < xPos + width; x += 1) for (let y = yPos; y < yPos + height; y += 1) taken.add(`${x} ${y}`);
      cells += width * height;
      expect(xPos + width).toBeLessThanOrEqual(dashboard.mosaicLayout.columns);
      if (widget.logsPanel) parseLogFilter(widget.logsPanel.filter);
    }
    expect(taken.size).toBe(cells);
  });

  it('have an objective whose border is one of its metric’s buckets', () => {
    for (const { serviceLevelIndicator } of slos.serviceLevelObjectives) {
      const cut = serviceLevelIndicator.requestBased.distributionCut;
      if (!cut) continue;
      const { metric } = parseMonitoringFilter(cut.distributionFilter);
      const found = metrics.find(({ name }) => `${USER_METRIC}${name}` === metric);
      const { bounds } = (found as unknown as { bucketOptions: { explicitBuckets: { bounds: number[] } } })
        .bucketOptions.explicitBuckets;
      expect(bounds).toEqual(expect.arrayContaining([cut.range.min, cut.range.max]));
    }
  });

  it('have a playbook for every alert, an alert for every playbook, and a link from one to the other', () => {
    const named = policies.map(({ userLabels }) => userLabels.playbook);
    expect(playbooks.sort()).toEqual([...new Set(named)].sort());
    for (const { userLabels, documentation, displayName } of policies) {
      const { playbook } = userLabels;
      expect(documentation.content).toContain(`(PLAYBOOKS_URL/${playbook}.md)`);
      expect(documentation.links.map(({ url }) => url)).toEqual([`PLAYBOOKS_URL/${playbook}.md`]);
      expect(readFileSync(join(PLAYBOOKS, `${playbook}.md`), 'utf8')).toContain(displayName);
    }
    for (const name of playbooks) {
      const headings = readFileSync(join(PLAYBOOKS, `${name}.md`), 'utf8').match(/^## .*/gm);
      expect([name, headings]).toEqual([
        name,
        ['## What it means', '## How to check', '## What to do', '## What makes it false'],
      ]);
    }
  });
});

describe('each metric extracts what happened', () => {
  let watched: WatchedDesk;
  let broken = 0;
  beforeAll(async () => {
    watched = await openWatchedDesk();
    await happen(watched);
  });
  afterAll(() => watched.desk.close());

  /** Twenty-two minutes in the life of a desk. What is expected below is what is done here; the figures of pools that run
   * out and of accounts enabled by hand are in monitoring-alerts.test.ts. */
  async function happen({ desk, at, ask, askWith, finish, notify, sweep, startJob, take }: WatchedDesk) {
    const [first, second, third] = [startJob(), startJob(), startJob()];
    const { verifyJobToken } = desk.issuing;
    desk.issuing.verifyJobToken = async (...args) => {
      desk.clock.now = (desk.clock.now ?? 0) + 250;
      return verifyJobToken(...args);
    };
    await ask(first, 'config');
    desk.issuing.verifyJobToken = verifyJobToken;
    at(SECOND);
    for (const credential of ['live', 'export', 'admin', 'artifacts']) await ask(first, credential);
    await ask(second, 'config');
    await ask(third, 'config');

    await ask(startJob({ build_branch: 'feature' }), 'config');
    await ask(second, 'nothing-like-it');
    await askWith('a.b', 'config');
    desk.issuing.verifyJobToken = () => Promise.reject(new Unavailable('issuer keys', 'the test broke it'));
    await ask(second, 'config');
    desk.issuing.verifyJobToken = () => Promise.reject(new Error('the test broke it'));
    await ask(second, 'config');
    desk.issuing.verifyJobToken = verifyJobToken;

    await notify('{}', { signature: 'timestamp=1,signature=00' });
    await notify('{}', { headers: { 'x-buildkite-signature': `timestamp=1,signature=${'0'.repeat(64)}` } });
    await notify(JSON.stringify({ event: 'build.running' }), {});
    const { ledger, closeGrantDocument } = desk.ending;
    desk.ending.ledger = { ...ledger, endJob: () => Promise.reject(new Unavailable('ledger', 'the test broke it')) };
    await finish(first);
    desk.ending.ledger = ledger;

    at(30 * SECOND);
    await sweep();
    // The first ends while the grant document cannot be closed: the sweep of a minute later fails too, the next does not.
    at(MINUTE);
    desk.ending.closeGrantDocument = (grant, now) => {
      broken += 1;
      return Promise.reject(new Unavailable('grant document', `the test broke it for ${grant.grant_id} at ${now}`));
    };
    await finish(first);
    at(2 * MINUTE);
    await sweep();
    desk.ending.closeGrantDocument = closeGrantDocument;
    at(2 * MINUTE + 30 * SECOND);
    await sweep();
    // The webhook of the second is lost. The third outlives its token.
    second.state = 'passed';
    at(7 * MINUTE);
    await sweep();
    at(22 * MINUTE);
    await sweep();
    take();
  }

  /** How often a metric counted, or what it recorded, by its labels. */
  const figures = (name: string, by: readonly string[]) => {
    const metric = metrics.find((one) => one.name === `keydesk/${name}`);
    if (!metric) throw new Error(`no metric ${name}`);
    const points = pointsOf(metric, watched.entries);
    const grouped = Map.groupBy(points, ({ labels }) => by.map((key) => labels[key]).join(' '));
    const counter = metric.metricDescriptor.valueType === 'INT64';
    return Object.fromEntries(
      [...grouped].map(([group, members]) => [group, counter ? members.length : members.map(({ value }) => value)]),
    );
  };

  it.each<[string, string[], object]>([
    [
      'hand_outs',
      ['event', 'credential', 'environment', 'reason'],
      {
        'grant.issued config staging ': 3,
        'grant.issued live production ': 1,
        'grant.issued export staging ': 1,
        'grant.issued admin staging ': 1,
        'grant.issued artifacts staging ': 1,
        'grant.refused   unavailable': 1,
        'request.failed   ': 1,
      },
    ],
    ['refusals', ['reason'], { no_rule_grants: 1, unknown_credential: 1, job_token_malformed: 1, unavailable: 1 }],
    [
      'latency',
      ['event'],
      { 'grant.issued': [0.25, 0, 0, 0, 0, 0, 0], 'grant.refused': [0, 0, 0, 0], 'request.failed': [0] },
    ],
    ['jobs_found_finished', [], { '': 1 }],
    ['sweeps', ['more'], { false: 5 }],
    ['webhooks', ['result'], { ignored: 1, job_ended: 1 }],
    ['webhook_refusals', ['reason'], { signature_malformed: 1, signature_wrong: 1, ledger_unavailable: 1 }],
    ['faults', [], { '': 1 }],
    // Two grants of the first job, each left by one sweep; and three requests.
    ['dependency_failures', ['what'], { 'issuer keys': 1, ledger: 1, 'grant document': 2 }],
    ['unfinished_revocations', ['what'], { 'grant document': 2 }],
    [
      'ends',
      ['credential', 'ended_by'],
      {
        'config job.finished': 1,
        'live job.finished': 1,
        'export job.finished': 1,
        'admin job.finished': 1,
        'artifacts job.finished': 1,
        'config job.found_finished': 1,
        'config clock': 1,
      },
    ],
    // The narrowed tokens and the shared account's die at their expiry, which nobody calls late.
    // Ended at 1:00 and not closed by the sweep of 2:00.
    ['oldest_unfinished_revocation', [], { '': [60] }],
    ['pool_free', ['pool'], { admin: [2, 2, 2, 2, 3], artifacts: [3, 3, 3, 3, 4] }],
    ['pool_leased', ['pool'], { admin: [1, 0, 0, 0, 0], artifacts: [1, 0, 0, 0, 0] }],
    ['pool_resting', ['pool'], { admin: [0, 1, 1, 1, 0], artifacts: [0, 1, 1, 1, 0] }],
  ])('%s, by %j', (name, by, expected) => {
    expect(figures(name, by)).toEqual(expected);
  });

  it('time_to_dead, in seconds, of all but what the clock ended', () => {
    const found = figures('time_to_dead', ['credential', 'revocation']);
    expect(found).toEqual({
      // Ended at 1:00, closed at 2:30. The second config's end was found and was at once.
      'config immediate': expect.arrayContaining([90, 0]),
      'live immediate': [90],
      'admin propagating': [0],
      'export expiry': [expect.closeTo(10 * 60 + 1 - 60, -2)],
      'artifacts expiry': [expect.closeTo(10 * 60 + 1 - 60, -2)],
    });
    const { entries } = watched;
    for (const credential of ['export', 'artifacts']) {
      const line = entries.find(
        ({ jsonPayload, labels }) => labels.event === 'grant.expired' && jsonPayload.credential === credential,
      );
      const { dead_at, ended_at, dead_after_s } = line?.jsonPayload ?? {};
      expect(dead_after_s).toBe((Date.parse(String(dead_at)) - Date.parse(String(ended_at))) / 1000);
    }
    expect(broken).toBeGreaterThan(1);
  });

  it('the objectives, of what they promise', () => {
    const [handOuts, timeToDead] = slos.serviceLevelObjectives;
    const all = { metrics, slos: slos.serviceLevelObjectives, entries: watched.entries, zeros: false };
    const count = (slo: (typeof slos.serviceLevelObjectives)[number] | undefined) =>
      slo && countsOf(all, slo, 0, Number.MAX_SAFE_INTEGER);
    expect(count(handOuts)).toEqual({ good: 7, total: 9 });
    // The first job's two took 90 seconds; its pooled account and the second job's none. Expiry is not counted.
    expect(count(timeToDead)).toEqual({ good: 2, total: 4 });
  });

  it('no sweep takes narrowed tokens, which go on saying that they are being revoked, for unfinished', () => {
    const artifacts = watched.entries.find(
      ({ jsonPayload, labels }) => labels.event === 'grant.renewal_ended' && jsonPayload.credential === 'artifacts',
    );
    const { grant_id, state, dead_at } = artifacts?.jsonPayload ?? {};
    expect([state, typeof dead_at]).toEqual(['revoking', 'string']);
    expect(figures('unfinished_revocations', ['grant_id'])).not.toHaveProperty(String(grant_id));
  });
});

describe('an entry', () => {
  it.each([
    ['x-cloud-trace-context', '105445aa7843bc8bf206b12000100000/74;o=1'],
    ['traceparent', '00-105445aa7843bc8bf206b12000100000-000000000000004a-01'],
  ])('carries the trace of %s in the documented form, so that it is one click to its request', async (name, value) => {
    const watched = await openWatchedDesk();
    const { desk } = watched;
    await desk.call(`${desk.tokenUrl}/token/config`, { method: 'POST', headers: { [name]: value } });
    await desk.call(`${desk.webhookUrl}/`, { method: 'POST', headers: { [name]: value }, body: '{}' });
    await desk.call(`${desk.sweepUrl}/`, { method: 'POST', headers: { [name]: value } });
    watched.take();
    await desk.close();
    expect(watched.entries.length).toBe(3);
    for (const entry of watched.entries) {
      expect(entry).toMatchObject({
        trace: `projects/${desk.project}/traces/105445aa7843bc8bf206b12000100000`,
        spanId: '000000000000004a',
        traceSampled: true,
      });
      expect(Object.keys(entry.jsonPayload).filter((key) => /trace|span|severity|httpRequest/i.test(key))).toEqual([]);
    }
    const [first] = watched.entries;
    if (first) expect(parseLogFilter(`trace="${first.trace}"`)(first)).toBe(true);
  });
});
