// Whether an alert's condition holds at a moment: the part of Cloud Monitoring that the alerts which page use. Anything
// else is an error. Sources: Monitoring API v3 AlertPolicy and Aggregation;
// docs.cloud.google.com/monitoring/charts/distribution-metrics;
// docs.cloud.google.com/stackdriver/docs/solutions/slo-monitoring.

import {
  type Aggregation,
  boundsOf,
  type Condition,
  type Descriptor,
  type Policy,
  secondsOf,
  slos,
  type Threshold,
} from './monitoring-definitions.ts';
import { labelOf, type Point, parseLabel, parseMonitoringFilter, select, type Watched } from './monitoring-query.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** @param now milliseconds since the epoch */
export function fires(watched: Watched, { combiner, conditions }: Policy, now: number): boolean {
  const all = conditions.map((condition) => holds(watched, condition, now));
  return combiner === 'AND' ? all.every(Boolean) : all.some(Boolean);
}

/** @param now milliseconds since the epoch */
export function holds(watched: Watched, { conditionThreshold, conditionAbsent }: Condition, now: number): boolean {
  if (conditionAbsent) {
    const times = select(watched, conditionAbsent.filter).map(({ at }) => at);
    const last = Math.max(...times.filter((at) => at <= now && at > now - DAY_MS));
    return !watched.zeros && Number.isFinite(last) && last <= now - secondsOf(conditionAbsent.duration) * 1000;
  }
  if (!conditionThreshold) throw new Error('a condition of a kind that is not known here');
  const minutes = secondsOf(conditionThreshold.duration) / 60;
  const moments = Array.from({ length: minutes + 1 }, (_, minute) => now - minute * MINUTE_MS);
  const [first = new Set<string>(), ...others] = moments.map((at) => groupsBeyond(watched, conditionThreshold, at));
  return [...first].some((group) => others.every((groups) => groups.has(group)));
}

/** The groups whose figure is beyond the threshold. */
function groupsBeyond(watched: Watched, threshold: Threshold, now: number): Set<string> {
  const { filter, comparison, thresholdValue, denominatorFilter } = threshold;
  const isBeyond = (figure: number) =>
    comparison === 'COMPARISON_GT' ? figure > thresholdValue : figure < thresholdValue;
  const [, slo, window] = /^select_slo_burn_rate\("([^"]+)", "([^"]+)"\)$/.exec(filter) ?? [];
  if (slo && window) return new Set(isBeyond(burnRate(watched, slo, secondsOf(window), now)) ? [''] : []);

  const aggregation = only(threshold.aggregations);
  const { descriptor } = parseMonitoringFilter(filter);
  const how = `${descriptor.valueType} ${aggregation.perSeriesAligner} ${aggregation.crossSeriesReducer}`;
  const totals =
    denominatorFilter && pointsByGroup(watched, denominatorFilter, only(threshold.denominatorAggregations), now);
  const groups = [...pointsByGroup(watched, filter, aggregation, now)].filter(([group, points]) => {
    if (`${how} ${comparison}` === 'DISTRIBUTION ALIGN_DELTA REDUCE_PERCENTILE_99 COMPARISON_GT')
      return is99thAbove(descriptor, points, thresholdValue);
    const figure = figureOf(how, points);
    if (!totals) return isBeyond(figure);
    const total = figureOf(how, totals.get(group) ?? []);
    return total > 0 && isBeyond(figure / total);
  });
  return new Set(groups.map(([group]) => group));
}

/** The points of the last period by group. A counter that goes on with zeros keeps the groups of the last day. */
function pointsByGroup(watched: Watched, filter: string, aggregation: Aggregation, now: number): Map<string, Point[]> {
  const { descriptor } = parseMonitoringFilter(filter);
  const by = (aggregation.groupByFields ?? []).map((field) => parseLabel(field, descriptor));
  const since = now - secondsOf(aggregation.alignmentPeriod) * 1000;
  const points = select(watched, filter).filter(({ at }) => at <= now && at > now - DAY_MS);
  const groups = Map.groupBy(points, (point) => by.map((label) => labelOf(point, label)).join());
  for (const [group, all] of groups) {
    const recent = all.filter(({ at }) => at > since);
    if (recent.length > 0 || (watched.zeros && descriptor.valueType === 'INT64')) groups.set(group, recent);
    else groups.delete(group);
  }
  return groups;
}

function figureOf(how: string, points: readonly Point[]): number {
  if (how === 'INT64 ALIGN_SUM REDUCE_SUM') return points.reduce((sum, { value }) => sum + value, 0);
  if (how !== 'BOOL ALIGN_NEXT_OLDER REDUCE_COUNT_FALSE') throw new Error(`not known: ${how}`);
  const series = Map.groupBy(points, ({ labels, resource }) => JSON.stringify([labels, resource]));
  const last = (each: readonly Point[]) => each.toSorted((left, right) => left.at - right.at).at(-1);
  return [...series.values()].filter((each) => last(each)?.value === 0).length;
}

/**
 * Google estimates a percentile inside the bucket that it falls into. Where the threshold is the border of two buckets,
 * the 99th is above it exactly when more than one per cent of the values are.
 */
function is99thAbove({ log }: Descriptor, points: readonly Point[], threshold: number): boolean {
  const buckets = log?.bucketOptions;
  if (!buckets || !boundsOf(buckets).includes(threshold)) throw new Error(`not a border of a bucket: ${threshold}`);
  return points.filter(({ value }) => value >= threshold).length > points.length / 100;
}

/** How many times as fast as the objective allows its budget is being used up; 0 when nothing happened. */
function burnRate(watched: Watched, name: string, seconds: number, now: number): number {
  const slo = slos.serviceLevelObjectives.find((one) => one.name === name);
  if (!slo) throw new Error(`no objective ${name}`);
  const { goodTotalRatio, distributionCut } = slo.serviceLevelIndicator.requestBased;
  const within = (filter: string) => select(watched, filter).filter(({ at }) => at <= now && at > now - seconds * 1000);
  let [good, bad] = [0, 0];
  if (goodTotalRatio) {
    good = within(goodTotalRatio.goodServiceFilter).length;
    bad = within(goodTotalRatio.badServiceFilter).length;
  } else if (distributionCut) {
    const { distributionFilter, range } = distributionCut;
    const values = within(distributionFilter).map(({ value }) => value);
    good = values.filter((value) => value >= range.min && value <= range.max).length;
    bad = values.length - good;
  }
  return bad === 0 ? 0 : bad / (good + bad) / (1 - slo.goal);
}

function only(aggregations: Threshold['aggregations'] = []): Aggregation {
  const [aggregation, ...more] = aggregations;
  if (!aggregation || more.length > 0) throw new Error('one aggregation');
  return aggregation;
}
