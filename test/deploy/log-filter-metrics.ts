// Log-based metrics made from log entries, and the conditions of alerts over them, as far as deploy/monitoring uses both.
// Exact about what it knows; anything else is an error. Whether Google writes a counter's zeros between its log lines is
// not established: both ways can be had. Sources: Logging API v2 LogMetric; Monitoring API v3 AlertPolicy, Aggregation.

import { type LogFilter, parseExtractor, parseLogFilter } from './log-filter.ts';
import type { LogEntry } from './log-filter-entry.ts';

export interface LogMetric {
  readonly name: string;
  readonly filter: string;
  readonly metricDescriptor: { readonly valueType: string; readonly labels?: readonly { readonly key: string }[] };
  readonly labelExtractors?: Readonly<Record<string, string>>;
  readonly valueExtractor?: string;
}

export interface Point {
  readonly at: number;
  readonly labels: Readonly<Record<string, string>>;
  /** 1 for each line of a counter. */
  readonly value: number;
}

/** What a metric makes of the entries: a point for each that it counts. A label that cannot be extracted is empty. */
export function pointsOf(metric: LogMetric, entries: readonly LogEntry[]): Point[] {
  const matches: LogFilter = parseLogFilter(metric.filter);
  const labels = Object.entries(metric.labelExtractors ?? {}).map(
    ([key, source]) => [key, parseExtractor(source)] as const,
  );
  const value = metric.valueExtractor === undefined ? () => '1' : parseExtractor(metric.valueExtractor);
  return entries.filter(matches).flatMap((entry) => {
    const extracted = Number(value(entry) ?? Number.NaN);
    if (Number.isNaN(extracted)) return [];
    const labelled = Object.fromEntries(labels.map(([key, extract]) => [key, extract(entry) ?? '']));
    return [{ at: Date.parse(entry.timestamp), labels: labelled, value: extracted }];
  });
}

interface Aggregation {
  readonly alignmentPeriod: string;
  readonly perSeriesAligner: string;
  readonly crossSeriesReducer: string;
  readonly groupByFields?: readonly string[];
}
interface Threshold {
  readonly filter: string;
  readonly aggregations?: readonly Aggregation[];
  readonly denominatorFilter?: string;
  readonly denominatorAggregations?: readonly Aggregation[];
  readonly comparison: string;
  readonly thresholdValue: number;
  readonly duration: string;
}
export interface Condition {
  readonly displayName: string;
  readonly conditionThreshold?: Threshold;
  readonly conditionAbsent?: Pick<Threshold, 'filter' | 'aggregations' | 'duration'>;
}
export interface Policy {
  readonly displayName: string;
  readonly severity: string;
  readonly combiner: string;
  readonly conditions: readonly Condition[];
  readonly userLabels: { readonly playbook: string };
  readonly documentation: { readonly content: string; readonly links: readonly { readonly url: string }[] };
}
export interface Slo {
  readonly name: string;
  readonly goal: number;
  readonly serviceLevelIndicator: {
    readonly requestBased: {
      readonly goodTotalRatio?: { readonly goodServiceFilter: string; readonly badServiceFilter: string };
      readonly distributionCut?: {
        readonly distributionFilter: string;
        readonly range: { readonly min: number; readonly max: number };
      };
    };
  };
}

export interface Watched {
  readonly metrics: readonly LogMetric[];
  readonly slos: readonly Slo[];
  readonly entries: readonly LogEntry[];
  /** Whether a counter that was seen before goes on with zeros. */
  readonly zeros: boolean;
}

export const USER_METRIC = 'logging.googleapis.com/user/';
const DAY_MS = 86_400_000;

/** A filter of Monitoring: one metric, one type of resource, and labels that are or are not something. */
export function parseMonitoringFilter(filter: string): {
  readonly metric: string;
  readonly labels: readonly { readonly key: string; readonly is: boolean; readonly value: string }[];
} {
  const [type, resource, ...rest] = filter.split(' AND ');
  const [, metric] = /^metric\.type="([\w./]+)"$/.exec(type ?? '') ?? [];
  if (metric === undefined || resource !== 'resource.type="cloud_run_revision"')
    throw new Error(`not known: ${filter}`);
  const labels = rest.map((term) => {
    const [, key, operator, value] = /^metric\.labels\.(\w+)(=|!=)"([\w.-]+)"$/.exec(term) ?? [];
    if (key === undefined || value === undefined) throw new Error(`not known: ${term}`);
    return { key, is: operator === '=', value };
  });
  return { metric, labels };
}

function metricOf({ metrics }: Pick<Watched, 'metrics'>, filter: string): LogMetric {
  const { metric } = parseMonitoringFilter(filter);
  const found = metrics.find(({ name }) => `${USER_METRIC}${name}` === metric);
  if (!found) throw new Error(`no metric ${metric}`);
  return found;
}

function selected(watched: Watched, filter: string): Point[] {
  const { labels } = parseMonitoringFilter(filter);
  return pointsOf(metricOf(watched, filter), watched.entries).filter((point) =>
    labels.every(({ key, is, value }) => (point.labels[key] === value) === is),
  );
}

function secondsOf(duration: string): number {
  const [, seconds] = /^(\d+)s$/.exec(duration) ?? [];
  if (seconds === undefined) throw new Error(`not a duration: ${duration}`);
  return Number(seconds);
}

/** What was summed up in the period that ends now, by group; a group of which nothing is known has no sum. */
function sums(watched: Watched, filter: string, [aggregation, ...more]: readonly Aggregation[], now: number) {
  if (!aggregation || more.length > 0) throw new Error('one aggregation');
  if (aggregation.perSeriesAligner !== 'ALIGN_SUM' || aggregation.crossSeriesReducer !== 'REDUCE_SUM')
    throw new Error(`not known: ${aggregation.perSeriesAligner} ${aggregation.crossSeriesReducer}`);
  if (metricOf(watched, filter).metricDescriptor.valueType !== 'INT64') throw new Error(`no counter: ${filter}`);
  const since = now - secondsOf(aggregation.alignmentPeriod) * 1000;
  const keys = (aggregation.groupByFields ?? []).map((field) => field.replace(/^metric\.labels\./, ''));
  const found = new Map<string, number>();
  for (const { at, labels, value } of selected(watched, filter)) {
    if (at > now) continue;
    const group = JSON.stringify(keys.map((key) => labels[key]));
    if (at > since) found.set(group, (found.get(group) ?? 0) + value);
    else if (watched.zeros && at > now - DAY_MS) found.set(group, found.get(group) ?? 0);
  }
  return found;
}

/** Whether a condition holds at that moment. */
export function holds(watched: Watched, { conditionThreshold, conditionAbsent }: Condition, now: number): boolean {
  if (conditionAbsent) {
    const silent = secondsOf(conditionAbsent.duration) * 1000;
    const seen = selected(watched, conditionAbsent.filter).filter(({ at }) => at <= now && at > now - DAY_MS);
    if (watched.zeros) return false;
    return seen.length > 0 && !seen.some(({ at }) => at > now - silent);
  }
  if (!conditionThreshold) throw new Error('a condition of a kind that is not known here');
  const { filter, comparison, thresholdValue, duration, aggregations = [] } = conditionThreshold;
  if (duration !== '0s') throw new Error('only thresholds that hold at once are known here');
  const over = (value: number) => {
    if (comparison === 'COMPARISON_GT') return value > thresholdValue;
    if (comparison === 'COMPARISON_LT') return value < thresholdValue;
    throw new Error(`not known: ${comparison}`);
  };
  const [, slo, window] = /^select_slo_burn_rate\("([^"]+)", "([^"]+)"\)$/.exec(filter) ?? [];
  if (slo && window) return over(burnRate(watched, slo, secondsOf(window), now));
  const found = sums(watched, filter, aggregations, now);
  const { denominatorFilter, denominatorAggregations = [] } = conditionThreshold;
  if (denominatorFilter === undefined) return [...found.values()].some(over);
  const totals = sums(watched, denominatorFilter, denominatorAggregations, now);
  return [...found].some(([group, value]) => (totals.get(group) ?? 0) > 0 && over(value / (totals.get(group) ?? 0)));
}

/** Whether a policy's alert is on at that moment. */
export function fires(watched: Watched, { combiner, conditions }: Policy, now: number): boolean {
  if (combiner === 'OR') return conditions.some((condition) => holds(watched, condition, now));
  if (combiner === 'AND') return conditions.every((condition) => holds(watched, condition, now));
  throw new Error(`not known: ${combiner}`);
}

/** How many times as fast as the objective allows its budget is being used up; 0 when nothing happened. */
function burnRate(watched: Watched, name: string, seconds: number, now: number): number {
  const slo = watched.slos.find((one) => one.name === name);
  if (!slo) throw new Error(`no objective ${name}`);
  const { good, total } = countsOf(watched, slo, now - seconds * 1000, now);
  return total === 0 ? 0 : (total - good) / total / (1 - slo.goal);
}

/** What was good, and what there was. */
export function countsOf(watched: Watched, slo: Slo, since: number, until: number) {
  const { goodTotalRatio, distributionCut } = slo.serviceLevelIndicator.requestBased;
  const within = (filter: string) => selected(watched, filter).filter(({ at }) => at > since && at <= until);
  if (goodTotalRatio) {
    const good = within(goodTotalRatio.goodServiceFilter).length;
    return { good, total: good + within(goodTotalRatio.badServiceFilter).length };
  }
  if (!distributionCut) throw new Error('an indicator of a kind that is not known here');
  const { min, max } = distributionCut.range;
  const values = within(distributionCut.distributionFilter).map(({ value }) => value);
  return { good: values.filter((value) => value >= min && value <= max).length, total: values.length };
}
