// When an alert is on: conditions over what is read from metrics, and how fast an objective's budget burns. Sources:
// Monitoring API v3 AlertPolicy, ServiceLevelObjective; docs.cloud.google.com/stackdriver/docs/solutions/slo-monitoring.

import {
  type Condition,
  type Policy,
  type Query,
  type Slo,
  secondsOf,
  type Threshold,
} from './monitoring-definitions.ts';
import { between, read, readRatio, select, type Watched } from './monitoring-query.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Whether a policy's alert is on at that moment. */
export function fires(watched: Watched, { combiner, conditions }: Policy, now: number): boolean {
  if (combiner === 'OR') return conditions.some((condition) => holds(watched, condition, now));
  if (combiner === 'AND') return conditions.every((condition) => holds(watched, condition, now));
  throw new Error(`not known: ${combiner}`);
}

/** Whether a condition holds at that moment: of one group, in each minute of its duration. */
export function holds(watched: Watched, { conditionThreshold, conditionAbsent }: Condition, now: number): boolean {
  if (conditionAbsent) {
    const silent = secondsOf(conditionAbsent.duration) * 1000;
    if (watched.zeros) return false;
    const { points } = select(watched, conditionAbsent.filter);
    return between(points, now - silent, now).length === 0 && between(points, now - DAY_MS, now).length > 0;
  }
  if (!conditionThreshold) throw new Error('a condition of a kind that is not known here');
  const lasts = secondsOf(conditionThreshold.duration) * 1000;
  const times = Array.from({ length: lasts / MINUTE_MS + 1 }, (_, index) => now - index * MINUTE_MS);
  const [first = new Set<string>(), ...others] = times.map((at) => groupsOver(watched, conditionThreshold, at));
  return [...first].some((group) => others.every((groups) => groups.has(group)));
}

/** The groups that are beyond the threshold at that moment. */
function groupsOver(watched: Watched, threshold: Threshold, now: number): Set<string> {
  const { comparison, thresholdValue } = threshold;
  const over = (value: number) => {
    if (comparison === 'COMPARISON_GT') return value > thresholdValue;
    if (comparison === 'COMPARISON_LT') return value < thresholdValue;
    throw new Error(`not known: ${comparison}`);
  };
  return new Set([...figures(watched, threshold, now)].filter(([, value]) => over(value)).map(([group]) => group));
}

function figures(watched: Watched, threshold: Threshold, now: number): Map<string, number> {
  const { filter, aggregations, denominatorFilter, denominatorAggregations } = threshold;
  const [, slo, window] = /^select_slo_burn_rate\("([^"]+)", "([^"]+)"\)$/.exec(filter) ?? [];
  if (slo && window) return new Map([['', burnRate(watched, slo, secondsOf(window), now)]]);
  const numerator = toQuery(filter, aggregations);
  if (denominatorFilter === undefined) return read(watched, numerator, now);
  return readRatio(watched, { numerator, denominator: toQuery(denominatorFilter, denominatorAggregations) }, now);
}

function toQuery(filter: string, aggregations: Threshold['aggregations'] = []): Query {
  const [aggregation, ...more] = aggregations;
  if (!aggregation || more.length > 0) throw new Error('one aggregation');
  return { filter, aggregation };
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
  const within = (filter: string) => between(select(watched, filter).points, since, until);
  if (goodTotalRatio) {
    const good = within(goodTotalRatio.goodServiceFilter).length;
    return { good, total: good + within(goodTotalRatio.badServiceFilter).length };
  }
  if (!distributionCut) throw new Error('an indicator of a kind that is not known here');
  const { min, max } = distributionCut.range;
  const values = within(distributionCut.distributionFilter).map(({ value }) => value);
  return { good: values.filter((value) => value >= min && value <= max).length, total: values.length };
}
