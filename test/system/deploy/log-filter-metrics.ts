// Log-based metrics made from log entries: which entries a metric counts, and what it takes from each. Source: Logging API
// v2, LogMetric.

import { type LogFilter, parseExtractor, parseLogFilter } from './log-filter.ts';
import type { LogEntry } from './log-filter-entry.ts';
import type { LogMetric } from './monitoring-definitions.ts';

export interface Point {
  readonly at: number;
  /** The metric's, and those of the resource it is of. */
  readonly labels: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
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
    return [
      { at: Date.parse(entry.timestamp), labels: labelled, resource: { ...entry.resource.labels }, value: extracted },
    ];
  });
}
