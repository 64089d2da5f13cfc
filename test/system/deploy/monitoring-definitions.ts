// The definitions of deploy/monitoring as the tests read them, and the metrics that they read: ours and Google's.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../sandbox/functions.ts';

interface Buckets {
  readonly explicitBuckets?: { readonly bounds: readonly number[] };
  readonly linearBuckets?: { readonly numFiniteBuckets: number; readonly width: number; readonly offset: number };
  readonly exponentialBuckets?: {
    readonly numFiniteBuckets: number;
    readonly growthFactor: number;
    readonly scale: number;
  };
}
export interface LogMetric {
  readonly name: string;
  readonly filter: string;
  readonly metricDescriptor: { readonly valueType: string; readonly labels?: readonly { readonly key: string }[] };
  readonly labelExtractors?: Readonly<Record<string, string>>;
  readonly valueExtractor?: string;
  readonly bucketOptions?: Buckets;
}
export interface Aggregation {
  readonly alignmentPeriod: string;
  readonly perSeriesAligner: string;
  readonly crossSeriesReducer: string;
  readonly groupByFields?: readonly string[];
}
export interface Threshold {
  readonly filter: string;
  readonly aggregations?: readonly Aggregation[];
  readonly denominatorFilter?: string;
  readonly denominatorAggregations?: readonly Aggregation[];
  readonly comparison: string;
  readonly thresholdValue: number;
  readonly duration: string;
  readonly trigger: object;
}
export interface Condition {
  readonly displayName: string;
  readonly conditionThreshold?: Threshold;
  readonly conditionAbsent?: Pick<Threshold, 'filter' | 'aggregations' | 'duration' | 'trigger'>;
}
export interface Policy {
  readonly displayName: string;
  readonly severity: string;
  readonly combiner: string;
  readonly enabled: boolean;
  readonly conditions: readonly Condition[];
  readonly userLabels: { readonly playbook: string };
  readonly documentation: { readonly links: readonly { readonly url: string }[] };
}
interface Slo {
  readonly name: string;
  readonly goal: number;
  readonly rollingPeriod: string;
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
interface UptimeCheck {
  readonly displayName: string;
  readonly httpCheck: {
    readonly path: string;
    readonly requestMethod: string;
    readonly acceptedResponseStatusCodes?: readonly { readonly statusValue: number }[];
  };
  readonly contentMatchers: readonly { readonly content: string }[];
  readonly monitoredResource: { readonly labels: { readonly host: string } };
}
interface Widget {
  readonly title?: string;
  readonly logsPanel?: { readonly filter: string };
  readonly scorecard?: { readonly thresholds: readonly { readonly value: number }[] };
}
interface Dashboard {
  readonly mosaicLayout: {
    readonly columns: number;
    readonly tiles: readonly {
      readonly xPos?: number;
      readonly yPos?: number;
      readonly width: number;
      readonly height: number;
      readonly widget: Widget;
    }[];
  };
}

const readJson = (name: string) => JSON.parse(readFileSync(join(ROOT, 'deploy/monitoring', `${name}.json`), 'utf8'));
export const metrics: readonly LogMetric[] = readJson('metrics');
export const alerts: readonly Policy[] = readJson('alerts');
export const uptimeChecks: readonly UptimeCheck[] = readJson('uptime-checks');
export const dashboard: Dashboard = readJson('dashboard');
export const slos: {
  readonly service: object;
  readonly serviceLevelObjectives: readonly Slo[];
  readonly alertPolicies: readonly Policy[];
} = readJson('slos');
export const policies: readonly Policy[] = [...alerts, ...slos.alertPolicies];
export const widgets: readonly Widget[] = dashboard.mosaicLayout.tiles.map(({ widget }) => widget);

export const USER_METRIC = 'logging.googleapis.com/user/';

/** What is known of a type of metric. */
export interface Descriptor {
  readonly valueType: string;
  readonly resource: string;
  readonly metricLabels: readonly string[];
  readonly resourceLabels: readonly string[];
  readonly log?: LogMetric;
}

const SERVICE_LABELS = ['service_name', 'revision_name', 'configuration_name', 'location', 'project_id'];
/** Google's own that are read. Source: docs.cloud.google.com/monitoring/api/metrics_gcp (run, monitoring). */
const PLATFORM: Readonly<Record<string, Descriptor>> = {
  'run.googleapis.com/request_count': {
    valueType: 'INT64',
    resource: 'cloud_run_revision',
    metricLabels: ['response_code', 'response_code_class'],
    resourceLabels: SERVICE_LABELS,
  },
  'monitoring.googleapis.com/uptime_check/check_passed': {
    valueType: 'BOOL',
    resource: 'uptime_url',
    metricLabels: ['check_id', 'checker_location', 'checked_resource_id'],
    resourceLabels: ['host', 'project_id'],
  },
};

export function descriptorOf(type: string): Descriptor | undefined {
  const log = metrics.find(({ name }) => `${USER_METRIC}${name}` === type);
  if (!log) return PLATFORM[type];
  const { valueType, labels = [] } = log.metricDescriptor;
  const metricLabels = labels.map(({ key }) => key);
  // The lines of a command reach the log by another way than those of functions.
  const [, resource = ''] = /^resource\.type="(\w+)" AND /.exec(log.filter) ?? [];
  const resourceLabels = resource === 'cloud_run_revision' ? SERVICE_LABELS : [];
  return { valueType, resource, metricLabels, resourceLabels, log };
}

export function secondsOf(duration: string): number {
  const [, seconds] = /^(\d+)s$/.exec(duration) ?? [];
  if (seconds === undefined) throw new Error(`not a duration: ${duration}`);
  return Number(seconds);
}

/** The borders of a distribution's buckets, in order: below the first and from the last on are two more buckets. */
export function boundsOf({ explicitBuckets, linearBuckets, exponentialBuckets }: Buckets): readonly number[] {
  if (explicitBuckets) return explicitBuckets.bounds;
  if (linearBuckets) {
    const { numFiniteBuckets, width, offset } = linearBuckets;
    return Array.from({ length: numFiniteBuckets + 1 }, (_, index) => offset + width * index);
  }
  if (!exponentialBuckets) throw new Error('buckets of a kind that is not known here');
  const { numFiniteBuckets, growthFactor, scale } = exponentialBuckets;
  return Array.from({ length: numFiniteBuckets + 1 }, (_, index) => scale * growthFactor ** index);
}

interface Query {
  readonly filter: string;
  readonly aggregation: Aggregation | undefined;
}

/** Every filter of time series in a definition, with each aggregation of the same object. */
export function queriesIn(value: unknown): Query[] {
  if (typeof value !== 'object' || value === null) return [];
  const { aggregation, aggregations, denominatorAggregations } = value as Record<string, Aggregation | Aggregation[]>;
  const all = [aggregation, aggregations, denominatorAggregations].flat().filter((one) => one !== undefined);
  return Object.values(value).flatMap((inner): Query[] => {
    if (typeof inner !== 'string') return queriesIn(inner);
    if (!inner.startsWith('metric.type')) return [];
    return (all.length > 0 ? all : [undefined]).map((one) => ({ filter: inner, aggregation: one }));
  });
}
