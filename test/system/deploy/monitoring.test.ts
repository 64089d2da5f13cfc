// The definitions of deploy/monitoring against Google's published types and rules, and against each other: what a tile or
// an alert reads exists and can be read so. That the fields exist in log lines is monitoring-metrics.test.ts; that alerts
// come when they should is monitoring-alerts.test.ts.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import schema from './google-api.schema.json' with { type: 'json' };
import { problemsOf, type Types } from './google-api-types.ts';
import { parseExtractor, parseLogFilter } from './log-filter.ts';
import {
  alerts,
  boundsOf,
  dashboard,
  metrics,
  policies,
  queriesIn,
  secondsOf,
  slos,
  USER_METRIC,
  uptimeChecks,
  widgets,
} from './monitoring-definitions.ts';
import { parseLabel, parseMonitoringFilter } from './monitoring-query.ts';

const OF_COMMAND = 'keydesk/observed_revocation_latency';
const OF_FUNCTIONS = /^resource\.type="cloud_run_revision" AND /;
const MINUTE_S = 60;
const HOUR_S = 3600;

/** Values that the typings leave open. From the API's reference pages; those in use, and no others. */
const VALUES: Readonly<Record<string, RegExp>> = {
  metricKind: /^DELTA$/,
  valueType: /^(INT64|DISTRIBUTION|STRING)$/,
  combiner: /^(OR|AND)$/,
  severity: /^(CRITICAL|ERROR|WARNING)$/,
  comparison: /^COMPARISON_(GT|LT)$/,
  perSeriesAligner: /^ALIGN_(SUM|DELTA|NEXT_OLDER)$/,
  crossSeriesReducer: /^REDUCE_(SUM|MEAN|COUNT_FALSE|PERCENTILE_(50|95|99))$/,
  plotType: /^(LINE|STACKED_BAR)$/,
  sparkChartType: /^SPARK_LINE$/,
  color: /^(RED|YELLOW)$/,
  direction: /^(ABOVE|BELOW)$/,
  alignmentPeriod: /^\d+s$/,
  duration: /^\d+s$/,
  mimeType: /^text\/markdown$/,
  matcher: /^CONTAINS_STRING$/,
  requestMethod: /^GET$/,
  period: /^(60|300)s$/,
};

/** How a metric of each type may be aligned and reduced. From the API's pages on Aligner and Reducer. */
const READ: Readonly<Record<string, RegExp>> = {
  INT64: /^ALIGN_SUM REDUCE_SUM$/,
  BOOL: /^ALIGN_NEXT_OLDER REDUCE_COUNT_FALSE$/,
  DISTRIBUTION: /^ALIGN_DELTA REDUCE_(MEAN|PERCENTILE_\d\d)$/,
};

function problems(value: unknown, type: string, types: Types): string[] {
  return problemsOf(value, type, types, ({ key, item }) =>
    typeof item === 'string' && VALUES[key]?.test(item) === false ? `is ${item}` : undefined,
  );
}

const LOGGING: Types = schema.types['logging/v2'];
const V1: Types = schema.types['monitoring/v1'];
const V3: Types = schema.types['monitoring/v3'];

const conditions = policies.flatMap((policy) => policy.conditions.map((condition) => ({ policy, condition })));

describe('the definitions', () => {
  it.each([
    ['metrics.json', metrics, 'LogMetric[]', LOGGING],
    ['alerts.json', alerts, 'AlertPolicy[]', V3],
    ['slos.json, the alerts', slos.alertPolicies, 'AlertPolicy[]', V3],
    ['slos.json, the service', slos.service, 'Service', V3],
    ['slos.json, the objectives', slos.serviceLevelObjectives, 'ServiceLevelObjective[]', V3],
    ['uptime-checks.json', uptimeChecks, 'UptimeCheckConfig[]', V3],
    ['dashboard.json', dashboard, 'Dashboard', V1],
  ])('%s is of the type that Google publishes', (_, value, type, types) => {
    expect(problems(value, type, types)).toEqual([]);
  });

  it('would not pass with a field that is unknown, misspelt or of another type', () => {
    const [metric] = metrics;
    const [alert] = alerts;
    expect(problems({ ...metric, filters: 'a' }, 'LogMetric', LOGGING)).toEqual(['LogMetric.filters is not known']);
    expect(problems({ ...metric, filter: 1 }, 'LogMetric', LOGGING)).toEqual(['LogMetric.filter is no string']);
    expect(problems({ ...alert, conditions: {} }, 'AlertPolicy', V3)).toEqual(['AlertPolicy.conditions is no list']);
    expect(problems({ ...alert, severity: 'BAD' }, 'AlertPolicy', V3)).toEqual(['AlertPolicy.severity is BAD']);
  });

  it('have metrics whose labels are declared and extracted, and whose names are unique', () => {
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length);
    for (const { name, filter, labelExtractors = {}, valueExtractor, metricDescriptor, bucketOptions } of metrics) {
      expect(name).toMatch(/^keydesk\/[a-z_]{1,60}$/);
      // Only lines of functions, whatever else has such a label; and those of a command, from a log of its own.
      const source =
        name === OF_COMMAND ? /^resource\.type="global" AND logName:"\/logs\/keydesk-doctor" AND / : OF_FUNCTIONS;
      expect(filter).toMatch(source);
      parseLogFilter(filter);
      for (const source of Object.values(labelExtractors)) parseExtractor(source);
      expect(Object.keys(labelExtractors)).toEqual((metricDescriptor.labels ?? []).map(({ key }) => key));
      expect([name, metricDescriptor.valueType]).toEqual([name, valueExtractor ? 'DISTRIBUTION' : 'INT64']);
      const bounds = bucketOptions ? boundsOf(bucketOptions) : [];
      expect([name, bounds.length > 0]).toEqual([name, valueExtractor !== undefined]);
      expect(bounds).toEqual([...new Set(bounds)].sort((left, right) => left - right));
      expect(bounds.length).toBeLessThanOrEqual(200);
    }
  });

  it('have no label that takes a value of its own for each grant, job or caller: labels cannot be deleted later', () => {
    const few = [
      'credential',
      'environment',
      'event',
      'reason',
      'revocation',
      'ended_by',
      'pool',
      'has_backlog',
      'result',
      'outcome',
      'problem',
    ];
    // As many as there are pipelines that may ask, accounts in the policy, things that can fail, and calls that Keydesk makes.
    const bounded = [...few, 'pipeline', 'service_account', 'dependency', 'cause', 'permission', 'api'];
    const used = metrics.flatMap(({ metricDescriptor }) => metricDescriptor.labels ?? []).map(({ key }) => key);
    expect([...new Set(used)].sort()).toEqual(bounded.sort());
  });

  it.each([
    ['dashboard', dashboard],
    ['alerts', alerts],
    ['objectives and their alerts', slos],
  ])('read in the %s what exists, by labels that it has, aligned as its kind and type allow', (_, value) => {
    const queries = queriesIn(value);
    expect(queries.length).toBeGreaterThan(5);
    for (const { filter, aggregation } of queries) {
      const { descriptor } = parseMonitoringFilter(filter);
      if (!aggregation) continue;
      const { perSeriesAligner, crossSeriesReducer, alignmentPeriod, groupByFields = [] } = aggregation;
      for (const field of groupByFields) parseLabel(field, descriptor);
      expect([filter, `${perSeriesAligner} ${crossSeriesReducer}`]).toEqual([
        filter,
        expect.stringMatching(READ[descriptor.valueType] ?? 'unknown type'),
      ]);
      expect(secondsOf(alignmentPeriod) % MINUTE_S).toBe(0);
      expect(secondsOf(alignmentPeriod)).toBeGreaterThanOrEqual(MINUTE_S);
      expect(secondsOf(alignmentPeriod)).toBeLessThanOrEqual(25 * HOUR_S);
    }
  });

  it('have no metric that nobody reads', () => {
    const read = [...queriesIn(dashboard), ...queriesIn(policies), ...queriesIn(slos)];
    const names = read.map(({ filter }) => parseMonitoringFilter(filter).metric);
    expect(metrics.map(({ name }) => `${USER_METRIC}${name}`).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('compare a percentile only with a border of its buckets, where the estimate is exact', () => {
    const compared = [
      ...conditions.map(({ condition: { conditionThreshold: one } }) => ({
        query: queriesIn(one)[0],
        values: [one?.thresholdValue],
      })),
      ...widgets.map(({ scorecard }) => ({
        query: queriesIn(scorecard)[0],
        values: scorecard?.thresholds.map(({ value }) => value),
      })),
    ].filter(({ query }) => query?.aggregation?.crossSeriesReducer.startsWith('REDUCE_PERCENTILE'));
    expect(compared.map(({ values }) => values)).toEqual([[300], [60, 300]]);
    for (const { query, values } of compared)
      expect(bucketsOf(query?.filter)).toEqual(expect.arrayContaining(values ?? []));
  });
});

function bucketsOf(filter = ''): readonly number[] {
  const options = parseMonitoringFilter(filter).descriptor.log?.bucketOptions;
  if (!options) throw new Error(`no distribution: ${filter}`);
  return boundsOf(options);
}

describe('every alert', () => {
  it('is on, has a name of its own, and one to six conditions with names of their own', () => {
    expect(new Set(policies.map(({ displayName }) => displayName)).size).toBe(policies.length);
    for (const { displayName, enabled, conditions: own } of policies) {
      expect([displayName, enabled]).toEqual([displayName, true]);
      expect(own.length).toBeGreaterThanOrEqual(1);
      expect(own.length).toBeLessThanOrEqual(6);
      expect(new Set(own.map((condition) => condition.displayName)).size).toBe(own.length);
    }
  });

  it('pages where access is open that should not be or that a person has to look at, or nothing is issued, and only then', () => {
    const paging = policies.filter(({ severity }) => severity === 'CRITICAL');
    const open = [
      'revocation-stuck',
      'account-enabled-externally',
      'break-glass',
      'firebase-user-changed',
      'probe-granted',
      'slo-revocation',
    ];
    const closed = [
      'sweep-not-running',
      'token-requests-failing',
      'service-unreachable',
      'not-starting',
      'slo-token-requests',
      'google-refuses',
    ];
    expect(paging.map(({ userLabels }) => userLabels.playbook).sort()).toEqual([...open, ...closed].sort());
  });

  it('is raised by one time series, over durations that the API takes', () => {
    for (const { condition } of conditions) {
      const { conditionThreshold, conditionAbsent } = condition;
      const kind = conditionThreshold ?? conditionAbsent;
      expect([condition.displayName, kind?.trigger]).toEqual([condition.displayName, { count: 1 }]);
      const seconds = secondsOf(kind?.duration ?? '');
      expect(seconds % MINUTE_S).toBe(0);
      if (conditionAbsent) expect(seconds).toBeGreaterThanOrEqual(2 * MINUTE_S);
      expect(seconds).toBeLessThanOrEqual(23.5 * HOUR_S);
      if (!conditionThreshold?.denominatorFilter) continue;
      // Else there is nothing to divide by.
      expect(conditionThreshold.denominatorAggregations).toEqual(conditionThreshold.aggregations);
    }
  });

  it('on silence has two conditions: for a counter that stops, and for one that goes on with zeros', () => {
    const absent = conditions.filter(({ condition }) => condition.conditionAbsent);
    expect(absent.length).toBe(4);
    for (const { policy, condition } of absent) {
      const { filter, duration } = condition.conditionAbsent ?? { filter: '', duration: '' };
      const twin = policy.conditions.find(({ conditionThreshold }) => conditionThreshold?.filter === filter);
      expect(twin?.conditionThreshold).toMatchObject({
        comparison: 'COMPARISON_LT',
        thresholdValue: 1,
        aggregations: [{ alignmentPeriod: duration }],
      });
      // Log-based metrics may come ten minutes late.
      expect(secondsOf(duration)).toBeGreaterThanOrEqual(10 * MINUTE_S);
    }
  });

  it('has a playbook that it links to, and every playbook has an alert', () => {
    const playbooks = readdirSync(join(ROOT, 'docs/playbooks')).map((file) => file.replace(/\.md$/, ''));
    const named = policies.map(({ userLabels }) => userLabels.playbook);
    expect(playbooks.sort()).toEqual([...new Set(named)].sort());
    for (const { userLabels, documentation } of policies)
      expect(documentation.links.map(({ url }) => url)).toEqual([`PLAYBOOKS_URL/${userLabels.playbook}.md`]);
  });
});

describe('the objectives', () => {
  it('are of 28 days, and have a range whose ends are borders of their metric’s buckets', () => {
    for (const { rollingPeriod } of slos.serviceLevelObjectives) expect(rollingPeriod).toBe(`${28 * 24 * HOUR_S}s`);
    const cuts = slos.serviceLevelObjectives.flatMap(
      ({ serviceLevelIndicator }) => serviceLevelIndicator.requestBased.distributionCut ?? [],
    );
    expect(cuts.length).toBe(1);
    for (const { distributionFilter, range } of cuts)
      expect(bucketsOf(distributionFilter)).toEqual(expect.arrayContaining([range.min, range.max]));
  });
});

describe('the dashboard', () => {
  it('has tiles that leave no gap and do not overlap', () => {
    const taken = new Set<string>();
    let cells = 0;
    let bottom = 0;
    for (const { xPos = 0, yPos = 0, width, height } of dashboard.mosaicLayout.tiles) {
      for (let x = xPos; x < xPos + width; x += 1) for (let y = yPos; y < yPos + height; y += 1) taken.add(`${x} ${y}`);
      cells += width * height;
      bottom = Math.max(bottom, yPos + height);
      expect(xPos + width).toBeLessThanOrEqual(dashboard.mosaicLayout.columns);
    }
    expect([taken.size, cells]).toEqual([bottom * dashboard.mosaicLayout.columns, cells]);
  });
});
