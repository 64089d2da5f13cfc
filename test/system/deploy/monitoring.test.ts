// The definitions of deploy/monitoring against Google's published types and rules, and against each other: what a widget or
// an alert reads exists and can be read so. That the figures are right is monitoring-metrics.test.ts, that alerts come
// when they should monitoring-alerts.test.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { JOB_TOKEN_REASONS } from '../../../shared/core/refusal.ts';
import schema from './google-api.schema.json' with { type: 'json' };
import { problemsOf, type Types } from './google-api-types.ts';
import { parseExtractor, parseLogFilter } from './log-filter.ts';
import {
  type Aggregation,
  alerts,
  boundsOf,
  dashboard,
  descriptorOf,
  metrics,
  policies,
  secondsOf,
  slos,
  USER_METRIC,
  uptimeChecks,
  widgets,
} from './monitoring-definitions.ts';
import { parseField, parseMonitoringFilter } from './monitoring-query.ts';

const PLAYBOOKS = join(ROOT, 'docs/playbooks');
const playbooks = readdirSync(PLAYBOOKS).map((file) => file.replace(/\.md$/, ''));
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

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

function problems(value: unknown, type: string, types: Types): string[] {
  return problemsOf(value, type, types, ({ key, item }) =>
    typeof item === 'string' && VALUES[key]?.test(item) === false ? `is ${item}` : undefined,
  );
}

const LOGGING: Types = schema.types['logging/v2'];
const V1: Types = schema.types['monitoring/v1'];
const V3: Types = schema.types['monitoring/v3'];

interface Found {
  readonly filter: string;
  readonly aggregation: Aggregation | undefined;
}

/** Every filter of time series within, with the aggregation beside it. */
function queriesIn(value: unknown): Found[] {
  if (typeof value !== 'object' || value === null) return [];
  const { filter, aggregation, aggregations, denominatorAggregations } = value as Record<string, unknown>;
  const first = (...lists: unknown[]) => lists.flat().find(Boolean) as Aggregation | undefined;
  const own =
    typeof filter === 'string' && filter.startsWith('metric.type')
      ? [{ filter, aggregation: first(aggregation, aggregations) }]
      : [];
  const others = Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'denominatorFilter') return [{ filter: String(inner), aggregation: first(denominatorAggregations) }];
    if (/(ServiceFilter|distributionFilter)$/.test(key)) return [{ filter: String(inner), aggregation: undefined }];
    return queriesIn(inner);
  });
  return [...own, ...others];
}

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
    for (const { name, filter, labelExtractors = {}, valueExtractor, metricDescriptor, bucketOptions } of metrics) {
      expect(name).toMatch(/^keydesk\/[a-z_]{1,60}$/);
      // Only lines of functions, whatever else may come to have such a label.
      expect(filter).toMatch(/^resource\.type="cloud_run_revision" AND /);
      parseLogFilter(filter);
      for (const source of Object.values(labelExtractors)) parseExtractor(source);
      expect(Object.keys(labelExtractors)).toEqual((metricDescriptor.labels ?? []).map(({ key }) => key));
      expect([name, metricDescriptor.valueType]).toEqual([name, valueExtractor ? 'DISTRIBUTION' : 'INT64']);
      expect([name, bucketOptions !== undefined]).toEqual([name, valueExtractor !== undefined]);
      if (bucketOptions) {
        const bounds = boundsOf(bucketOptions);
        expect(bounds).toEqual([...new Set(bounds)].sort((left, right) => left - right));
        expect(bounds.length).toBeLessThanOrEqual(200);
      }
    }
  });

  it('have no label that takes a value of its own for each grant, job or caller: labels cannot be deleted later', () => {
    const few = ['credential', 'environment', 'event', 'reason', 'revocation', 'ended_by', 'pool', 'more', 'result'];
    // As many as there are pipelines that may ask, accounts in pools, and things that can fail.
    const bounded = [...few, 'pipeline', 'service_account', 'what'];
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
      const { metric, resourceType, terms } = parseMonitoringFilter(filter);
      const descriptor = descriptorOf(metric);
      if (!descriptor) throw new Error(`no metric ${metric}`);
      expect([filter, resourceType]).toEqual([filter, descriptor.resource]);
      for (const { of, key } of terms) parseField(`${of}.labels.${key}`, descriptor);
      if (!aggregation) continue;
      for (const field of aggregation.groupByFields ?? []) parseField(field, descriptor);
      const { perSeriesAligner, crossSeriesReducer, alignmentPeriod } = aggregation;
      // From the API's pages on Aligner and Reducer: a percentile or a mean only of a distribution's deltas, a count of
      // what is false only of a boolean gauge, sums of deltas.
      expect([filter, `${perSeriesAligner} ${crossSeriesReducer}`]).toEqual([
        filter,
        expect.stringMatching(
          descriptor.valueType === 'INT64'
            ? /^ALIGN_SUM REDUCE_SUM$/
            : descriptor.valueType === 'BOOL'
              ? /^ALIGN_NEXT_OLDER REDUCE_COUNT_FALSE$/
              : /^ALIGN_DELTA REDUCE_(MEAN|PERCENTILE_\d\d)$/,
        ),
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
});

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

  it('is critical where access is open that should not be, or the desk is closed, and only then', () => {
    const of = (wanted: string) =>
      alerts.filter(({ severity }) => severity === wanted).map(({ userLabels }) => userLabels.playbook);
    const open = ['revocation-stuck', 'account-disabled-again', 'probe-granted'];
    const closed = ['no-sweep', 'hand-out-failing', 'desk-unreachable', 'not-starting'];
    expect(of('CRITICAL').sort()).toEqual([...open, ...closed].sort());
    expect(of('WARNING').sort()).toEqual(['ended-by-clock', 'jobs-refused', 'pool-exhaustion', 'sweep-behind']);
    expect(slos.alertPolicies.map(({ severity }) => severity)).toEqual(['CRITICAL', 'WARNING', 'CRITICAL', 'WARNING']);
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

  it('comes at once when its border is passed, but the uptime check’s, which must be so for a minute', () => {
    const lasting = conditions.flatMap(({ condition: { displayName, conditionThreshold } }) =>
      conditionThreshold && conditionThreshold.duration !== '0s' ? [[displayName, conditionThreshold.duration]] : [],
    );
    expect(lasting).toEqual([['an uptime check fails from more than one place', '60s']]);
  });

  it('is one for each function, account, pool, dependency or host that it is about', () => {
    const grouped = conditions.flatMap(({ policy, condition: { conditionThreshold } }) =>
      (conditionThreshold?.aggregations ?? []).flatMap(({ groupByFields }) =>
        groupByFields ? [[policy.userLabels.playbook, ...groupByFields]] : [],
      ),
    );
    expect(grouped).toEqual([
      ['desk-unreachable', 'resource.labels.host'],
      ['not-starting', 'resource.labels.service_name'],
      ['platform-errors', 'resource.labels.service_name'],
      ['platform-errors', 'resource.labels.service_name'],
      ['account-disabled-again', 'metric.labels.service_account'],
      ['account-disabled-again', 'metric.labels.service_account'],
      ['pool-exhaustion', 'metric.labels.pool'],
      ['dependency-errors', 'metric.labels.what'],
    ]);
  });

  it('is closed half an hour after its figures stop, but a week later where their stopping is what it is about', () => {
    for (const { displayName, conditions: own, alertStrategy } of policies) {
      const silence = own.some(({ conditionAbsent }) => conditionAbsent);
      expect([displayName, alertStrategy.autoClose]).toEqual([displayName, silence ? '604800s' : '1800s']);
    }
  });

  it('is told again each hour while it goes on, if it is critical', () => {
    for (const { displayName, severity, alertStrategy } of policies)
      expect([displayName, alertStrategy.notificationChannelStrategy]).toEqual([
        displayName,
        severity === 'CRITICAL' ? [{ renotifyInterval: '3600s' }] : undefined,
      ]);
  });

  it('on silence comes both ways: whether a counter stops, or goes on with zeros', () => {
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

  it('takes as a refusal of many jobs every reason that is about them, and none that a stranger makes', () => {
    const { conditions: own } = policies.find(({ userLabels }) => userLabels.playbook === 'jobs-refused') ??
      alerts[0] ?? { conditions: [] };
    for (const { conditionThreshold } of own) {
      const [{ matches } = { matches: () => false }] = parseMonitoringFilter(conditionThreshold?.filter ?? '').terms;
      const strangers = ['job_token_missing', 'job_token_malformed'];
      expect(JOB_TOKEN_REASONS.filter((reason) => !matches(reason))).toEqual(strangers);
      expect(['no_rule_grants', 'unknown_credential', 'claims_missing'].every(matches)).toBe(true);
      expect(['pool_exhausted', 'unavailable', 'too_often', 'not_found'].some(matches)).toBe(false);
    }
  });

  it('has a playbook, every playbook an alert, and there is a link from one to the other', () => {
    const named = policies.map(({ userLabels }) => userLabels.playbook);
    expect(playbooks.sort()).toEqual([...new Set(named)].sort());
    for (const { userLabels, documentation, displayName } of policies) {
      const { playbook } = userLabels;
      for (const value of Object.values(userLabels)) expect(value).toMatch(/^[a-z0-9_-]{1,63}$/);
      expect(documentation).toMatchObject({ subject: displayName });
      expect(documentation.content).toContain(`(PLAYBOOKS_URL/${playbook}.md)`);
      expect(documentation.links.map(({ url }) => url)).toEqual([`PLAYBOOKS_URL/${playbook}.md`]);
      expect(readFileSync(join(PLAYBOOKS, `${playbook}.md`), 'utf8')).toContain(displayName);
    }
    for (const name of playbooks) {
      const text = readFileSync(join(PLAYBOOKS, `${name}.md`), 'utf8');
      expect([name, text.match(/^## .*/gm)]).toEqual([
        name,
        ['## What it means', '## How to check', '## What to do', '## What makes it false'],
      ]);
      // One page.
      expect([name, text.length < 4_000]).toEqual([name, true]);
      for (const [, page] of text.matchAll(/\]\(([\w-]+)\.md\)/g)) expect(playbooks).toContain(page);
    }
  });
});

describe('the objectives', () => {
  it('have alerts whose rates are the share of the budget that may be gone, by period and window', () => {
    const said = [
      { words: 'two per cent of the budget gone in an hour', share: 0.02, long: HOUR_S },
      { words: 'five per cent of the budget gone in six hours', share: 0.05, long: 6 * HOUR_S },
    ];
    expect(slos.alertPolicies.length).toBe(slos.serviceLevelObjectives.length * said.length);
    for (const { displayName, combiner, conditions: own } of slos.alertPolicies) {
      const { share, long } = said.find(({ words }) => displayName.endsWith(`: ${words}`)) ?? { share: 0, long: 0 };
      const burning = own.flatMap(({ conditionThreshold }) => {
        const [, name, window] =
          /^select_slo_burn_rate\("([^"]+)", "(\d+)s"\)$/.exec(conditionThreshold?.filter ?? '') ?? [];
        return name ? [{ name, window: Number(window), rate: conditionThreshold?.thresholdValue }] : [];
      });
      const [{ name } = { name: '' }] = burning;
      const slo = slos.serviceLevelObjectives.find((one) => one.name === name);
      const rate = (share * secondsOf(slo?.rollingPeriod ?? '')) / long;
      // Both the long window and its twelfth, so that it ends when the burning does; and never of one event alone.
      expect(burning).toEqual([long, long / 12].map((window) => ({ name, window, rate: expect.closeTo(rate, 9) })));
      expect([displayName, combiner, own.length]).toEqual([displayName, 'AND', 3]);
    }
  });

  it('are of 28 days, as they say, and have a border that is one of their metric’s buckets', () => {
    for (const {
      displayName,
      rollingPeriod,
      serviceLevelIndicator,
    } of slos.serviceLevelObjectives as readonly ((typeof slos.serviceLevelObjectives)[number] & {
      displayName: string;
    })[]) {
      expect([displayName, secondsOf(rollingPeriod)]).toEqual([expect.stringContaining('28 days'), 28 * DAY_S]);
      const cut = serviceLevelIndicator.requestBased.distributionCut;
      if (cut)
        expect(bucketsOf(cut.distributionFilter)).toEqual(expect.arrayContaining([cut.range.min, cut.range.max]));
    }
  });

  it('count as late what the metric of late ends counts', () => {
    const cut = slos.serviceLevelObjectives.flatMap(
      ({ serviceLevelIndicator }) => serviceLevelIndicator.requestBased.distributionCut ?? [],
    );
    const late = metrics.find(({ name }) => name === 'keydesk/late_ends');
    expect(cut.map(({ range }) => range.max)).toEqual([120]);
    expect(late?.filter).toContain('jsonPayload.dead_after_job_end_s>120');
  });
});

function bucketsOf(filter: string): readonly number[] {
  const options = descriptorOf(parseMonitoringFilter(filter).metric)?.log?.bucketOptions;
  if (!options) throw new Error(`no distribution: ${filter}`);
  return boundsOf(options);
}

describe('a percentile', () => {
  it('is compared only with a border of its metric’s buckets, where its estimate is exact', () => {
    const compared = [
      ...conditions.flatMap(({ condition: { conditionThreshold: one } }) =>
        one?.aggregations?.[0]?.crossSeriesReducer.startsWith('REDUCE_PERCENTILE')
          ? [{ filter: one.filter, values: [one.thresholdValue] }]
          : [],
      ),
      ...widgets.flatMap(({ scorecard }) => {
        const query = scorecard?.timeSeriesQuery.timeSeriesFilter;
        return query?.aggregation.crossSeriesReducer.startsWith('REDUCE_PERCENTILE')
          ? [{ filter: query.filter, values: scorecard?.thresholds.map(({ value }) => value) ?? [] }]
          : [];
      }),
    ];
    expect(compared.map(({ values }) => values)).toEqual([[300], [60, 300]]);
    for (const { filter, values } of compared) expect(bucketsOf(filter)).toEqual(expect.arrayContaining(values));
  });
});

describe('the dashboard', () => {
  it('has no gaps or overlaps, and panels of logs that parse', () => {
    const taken = new Set<string>();
    let cells = 0;
    let bottom = 0;
    for (const { xPos = 0, yPos = 0, width, height, widget } of dashboard.mosaicLayout.tiles) {
      for (let x = xPos; x < xPos + width; x += 1) for (let y = yPos; y < yPos + height; y += 1) taken.add(`${x} ${y}`);
      cells += width * height;
      bottom = Math.max(bottom, yPos + height);
      expect(xPos + width).toBeLessThanOrEqual(dashboard.mosaicLayout.columns);
      if (widget.logsPanel) parseLogFilter(widget.logsPanel.filter);
    }
    expect([taken.size, cells]).toEqual([bottom * dashboard.mosaicLayout.columns, cells]);
    expect(taken.size).toBe(cells);
  });

  it('colours no tile that shows nothing out of order: a value at a border is beyond it', () => {
    const coloured = widgets.flatMap(({ title, scorecard }) => (scorecard ? [{ title, ...scorecard }] : []));
    expect(coloured.length).toBe(12);
    for (const { title, thresholds } of coloured) {
      expect([title, thresholds.length > 0]).toEqual([title, true]);
      for (const { direction, value } of thresholds)
        expect([title, direction === 'ABOVE' ? value > 0 : value >= 0]).toEqual([title, true]);
      const at = (color: string) => thresholds.find((one) => one.color === color);
      const [yellow, red] = [at('YELLOW'), at('RED')];
      if (yellow && red)
        expect([title, red.direction === 'ABOVE' ? red.value > yellow.value : red.value < yellow.value]).toEqual([
          title,
          true,
        ]);
    }
  });
});
