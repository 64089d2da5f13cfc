// Filters of Cloud Monitoring and the points that they select, as far as deploy/monitoring uses them; the points of a
// log-based metric are made of log entries. A filter that names an unknown metric or label, or has another form, is an
// error. Sources: docs.cloud.google.com/monitoring/api/v3/filters; Logging API v2, LogMetric.

import { parseExtractor, parseLogFilter } from './log-filter.ts';
import type { LogEntry } from './log-filter-entry.ts';
import { type Descriptor, descriptorOf, type LogMetric } from './monitoring-definitions.ts';

export interface Point {
  readonly at: number;
  /** The metric's, and those of the resource it is of. */
  readonly labels: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
  /** 1 for each line of a counter. */
  readonly value: number;
}

/** A point of one of Google's own metrics. A boolean is 1 or 0. */
export interface PlatformPoint extends Point {
  readonly metric: string;
}

export interface Watched {
  readonly entries: readonly LogEntry[];
  readonly platform: readonly PlatformPoint[];
  /** Whether a counter that was seen before goes on with zeros. Google's documentation leaves it open. */
  readonly zeros: boolean;
}

interface Label {
  readonly of: 'metric' | 'resource';
  readonly key: string;
}

interface Term extends Label {
  /** The value or regular expression that the label is compared with. */
  readonly value: string;
  readonly matches: (found: string) => boolean;
}

/** @throws Error for a metric or label that does not exist, and for a form of filter that is not known here */
export function parseMonitoringFilter(filter: string): {
  readonly metric: string;
  readonly descriptor: Descriptor;
  readonly terms: readonly Term[];
} {
  const [type, resource, ...rest] = filter.split(' AND ');
  const [, metric = ''] = /^metric\.type="([\w./]+)"$/.exec(type ?? '') ?? [];
  const [, resourceType] = /^resource\.type="(\w+)"$/.exec(resource ?? '') ?? [];
  const descriptor = descriptorOf(metric);
  if (!descriptor || descriptor.resource !== resourceType) throw new Error(`no such metric: ${filter}`);
  return { metric, descriptor, terms: rest.map((term) => parseTerm(term, descriptor)) };
}

function parseTerm(term: string, descriptor: Descriptor): Term {
  const [, field = '', operator, value, pattern] =
    /^([\w.]+)(=|!=)(?:"([\w.-]+)"|monitoring\.regex\.full_match\("([^"\\]+)"\))$/.exec(term) ?? [];
  const label = parseLabel(field, descriptor);
  if (value !== undefined) return { ...label, value, matches: (found) => (found === value) === (operator === '=') };
  if (pattern === undefined || operator === '!=') throw new Error(`not known: ${term}`);
  const whole = new RegExp(`^(?:${pattern})$`, 'u');
  return { ...label, value: pattern, matches: (found) => whole.test(found) };
}

/** @param field such as `metric.labels.event` */
export function parseLabel(field: string, { metricLabels, resourceLabels }: Descriptor): Label {
  const [, of, key = ''] = /^(metric|resource)\.labels\.(\w+)$/.exec(field) ?? [];
  if (!(of === 'metric' ? metricLabels : resourceLabels).includes(key)) throw new Error(`no such label: ${field}`);
  return { of: of as Label['of'], key };
}

export function labelOf({ labels, resource }: Point, { of, key }: Label): string {
  return (of === 'metric' ? labels : resource)[key] ?? '';
}

/** What a metric makes of the entries: a point for each that it counts. A label that cannot be extracted is empty. */
export function pointsOf(metric: LogMetric, entries: readonly LogEntry[]): Point[] {
  const matches = parseLogFilter(metric.filter);
  const labels = Object.entries(metric.labelExtractors ?? {}).map(
    ([key, source]) => [key, parseExtractor(source)] as const,
  );
  const value = metric.valueExtractor === undefined ? () => '1' : parseExtractor(metric.valueExtractor);
  return entries.filter(matches).flatMap((entry) => {
    const extracted = Number(value(entry) ?? Number.NaN);
    if (Number.isNaN(extracted)) return [];
    const labelled = Object.fromEntries(labels.map(([key, extract]) => [key, extract(entry) ?? '']));
    return [
      { at: Date.parse(entry.timestamp), labels: labelled, resource: { ...entry.resource.labels }, value: extracted },
    ];
  });
}

/** The points that a filter selects, in no order. */
export function select({ entries, platform }: Watched, filter: string): Point[] {
  const { metric, descriptor, terms } = parseMonitoringFilter(filter);
  const all = descriptor.log ? pointsOf(descriptor.log, entries) : platform.filter((point) => point.metric === metric);
  return all.filter((point) => terms.every((term) => term.matches(labelOf(point, term))));
}
