// What Cloud Monitoring reads from metrics: filters, alignment and reduction, as far as deploy/monitoring uses them. Exact
// about what it knows; anything else is an error. Whether Google writes a counter's zeros between its log lines is not
// established: both ways can be had. Sources: Monitoring API v3 Aggregation; docs.cloud.google.com/monitoring/api/v3/filters
// and /monitoring/charts/distribution-metrics (percentiles are estimated within their bucket).

import type { LogEntry } from './log-filter-entry.ts';
import { type Point, pointsOf } from './log-filter-metrics.ts';
import {
  boundsOf,
  type Descriptor,
  descriptorOf,
  type LogMetric,
  type Query,
  type Slo,
  secondsOf,
} from './monitoring-definitions.ts';

/** A point of one of Google's own metrics. A boolean is 1 or 0. */
export interface PlatformPoint extends Point {
  readonly metric: string;
}

export interface Watched {
  readonly metrics: readonly LogMetric[];
  readonly slos: readonly Slo[];
  readonly entries: readonly LogEntry[];
  readonly platform: readonly PlatformPoint[];
  /** Whether a counter that was seen before goes on with zeros. */
  readonly zeros: boolean;
}

interface Term {
  readonly of: 'metric' | 'resource';
  readonly key: string;
  readonly matches: (value: string) => boolean;
}

const DAY_MS = 86_400_000;
const SELECTED = new WeakMap<Watched, Map<string, readonly Point[]>>();

/** A filter of Monitoring: one type of metric, one of resource, and labels that are or are not something. */
export function parseMonitoringFilter(filter: string) {
  const [type, resource, ...rest] = filter.split(' AND ');
  const [, metric] = /^metric\.type="([\w./]+)"$/.exec(type ?? '') ?? [];
  const [, resourceType] = /^resource\.type="(\w+)"$/.exec(resource ?? '') ?? [];
  if (metric === undefined || resourceType === undefined) throw new Error(`not known: ${filter}`);
  return { metric, resourceType, terms: rest.map(parseTerm) };
}

function parseTerm(term: string): Term {
  const [, of, key, operator, value, pattern] =
    /^(metric|resource)\.labels\.(\w+)(=|!=)(?:"([\w.-]+)"|monitoring\.regex\.full_match\("([^"\\]+)"\))$/.exec(term) ??
    [];
  if (of === undefined || key === undefined || (pattern !== undefined && operator === '!='))
    throw new Error(`not known: ${term}`);
  const whole = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`, 'u');
  return {
    of: of as Term['of'],
    key,
    matches: (found) => (whole ? whole.test(found) : (found === value) === (operator === '=')),
  };
}

/** What is read at that moment: one figure for each group, none for a group of which nothing is known. */
export function read(watched: Watched, { filter, aggregation }: Query, now: number): Map<string, number> {
  const { perSeriesAligner, crossSeriesReducer, groupByFields = [], alignmentPeriod } = aggregation;
  const { descriptor, points } = select(watched, filter);
  const since = now - secondsOf(alignmentPeriod) * 1000;
  const groupOf = (point: Point) =>
    JSON.stringify(groupByFields.map((field) => labelOf(point, parseField(field, descriptor))));
  const within = Map.groupBy(between(points, since, now), groupOf);
  const figures = new Map([...within].map(([group, members]) => [group, reduce(members)]));
  if (watched.zeros && descriptor.valueType === 'INT64')
    for (const point of between(points, now - DAY_MS, since)) {
      const group = groupOf(point);
      if (!figures.has(group)) figures.set(group, 0);
    }
  return figures;

  function reduce(members: readonly Point[]): number {
    const how = `${descriptor.valueType} ${perSeriesAligner} ${crossSeriesReducer}`;
    if (how === 'INT64 ALIGN_SUM REDUCE_SUM') return members.reduce((sum, { value }) => sum + value, 0);
    if (how === 'BOOL ALIGN_NEXT_OLDER REDUCE_COUNT_FALSE') {
      const series = Map.groupBy(members, ({ labels, resource }) => JSON.stringify([labels, resource]));
      return [...series.values()].filter((each) => each.at(-1)?.value === 0).length;
    }
    const values = members.map(({ value }) => value);
    if (how === 'DISTRIBUTION ALIGN_DELTA REDUCE_MEAN')
      return values.reduce((sum, value) => sum + value) / values.length;
    const [, percentile] = /^DISTRIBUTION ALIGN_DELTA REDUCE_PERCENTILE_(\d\d)$/.exec(how) ?? [];
    const buckets = descriptor.log?.bucketOptions;
    if (percentile === undefined || !buckets) throw new Error(`not known: ${how}`);
    return percentileOf(values, Number(percentile) / 100, boundsOf(buckets));
  }
}

/** The share of one in the other, by group; of a group of which there is nothing, none. */
export function readRatio(
  watched: Watched,
  { numerator, denominator }: { readonly numerator: Query; readonly denominator: Query },
  now: number,
): Map<string, number> {
  const totals = read(watched, denominator, now);
  const parts = [...read(watched, numerator, now)].filter(([group]) => (totals.get(group) ?? 0) > 0);
  return new Map(parts.map(([group, value]) => [group, value / (totals.get(group) ?? 0)]));
}

/** All points that a filter selects, in order of time. */
export function select(watched: Watched, filter: string): { descriptor: Descriptor; points: readonly Point[] } {
  const { metric, resourceType, terms } = parseMonitoringFilter(filter);
  const descriptor = descriptorOf(metric, watched.metrics);
  if (!descriptor || descriptor.resource !== resourceType) throw new Error(`no such metric: ${filter}`);
  const known = SELECTED.get(watched) ?? new Map<string, readonly Point[]>();
  SELECTED.set(watched, known);
  const points =
    known.get(filter) ??
    (descriptor.log
      ? pointsOf(descriptor.log, watched.entries)
      : watched.platform.filter((point) => point.metric === metric)
    )
      .filter((point) => terms.every((term) => term.matches(labelOf(point, checked(term, descriptor)))))
      .sort((left, right) => left.at - right.at);
  known.set(filter, points);
  return { descriptor, points };
}

/** Those after `since` and until `until`, of points in order. */
export function between(points: readonly Point[], since: number, until: number): readonly Point[] {
  const firstAfter = (time: number) => {
    let [low, high] = [0, points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((points[middle]?.at ?? 0) > time) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return points.slice(firstAfter(since), firstAfter(until));
}

export function parseField(field: string, descriptor: Descriptor): Pick<Term, 'of' | 'key'> {
  const [, of, key] = /^(metric|resource)\.labels\.(\w+)$/.exec(field) ?? [];
  if (of === undefined || key === undefined) throw new Error(`not a field: ${field}`);
  return checked({ of: of as Term['of'], key }, descriptor);
}

function checked<T extends Pick<Term, 'of' | 'key'>>(label: T, { metricLabels, resourceLabels }: Descriptor): T {
  if (!(label.of === 'metric' ? metricLabels : resourceLabels).includes(label.key))
    throw new Error(`no label ${label.of}.${label.key}`);
  return label;
}

function labelOf({ labels, resource }: Point, { of, key }: Pick<Term, 'of' | 'key'>): string {
  return (of === 'metric' ? labels : resource)[key] ?? '';
}

/** As it is estimated from a histogram: evenly spread within the bucket it falls into. */
function percentileOf(values: readonly number[], share: number, bounds: readonly number[]): number {
  const rank = share * values.length;
  let counted = 0;
  for (let index = 0; index <= bounds.length; index += 1) {
    const [from, to] = [bounds[index - 1], bounds[index]];
    const inside = values.filter((value) => value >= (from ?? -Infinity) && value < (to ?? Infinity)).length;
    if (inside > 0 && counted + inside >= rank) {
      if (from === undefined || to === undefined) return from ?? to ?? Number.NaN;
      return from + ((to - from) * (rank - counted)) / inside;
    }
    counted += inside;
  }
  throw new Error('a percentile of nothing');
}
