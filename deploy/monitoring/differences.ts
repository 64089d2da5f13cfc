// In what a definition and the one in force differ, given how Google answers: zero values are left out, lists of labels
// come in any order, and some fields are Google's or other people's to fill. Pure.
// Seen in the recordings of real answers in GoogleCloudPlatform/k8s-config-connector, pkg/test/resourcefixture/testdata.

import type { Body } from './google.ts';

export type Kind = 'metric' | 'dashboard' | 'uptime check' | 'service' | 'objective' | 'alert';

export interface Difference {
  /** Such as `conditions[0].conditionThreshold.thresholdValue`. */
  readonly path: string;
  /** Undefined when it is not set. */
  readonly is: unknown;
  readonly wanted: unknown;
}

/** What may be in force without being in the file. A dashboard, a check and a service are filled with defaults by Google. */
const ADDED: Readonly<Record<Kind, RegExp>> = {
  metric:
    /^(resourceName|createTime|updateTime|version|metricDescriptor\.(name|type|description|unit|launchStage|metadata))$/,
  dashboard: /./,
  'uptime check': /./,
  service: /./,
  objective: /^(name|userLabels\..+)$/,
  alert: /^(name|creationRecord|mutationRecord|validity|notificationChannels|conditions\[\]\.name|userLabels\..+)$/,
};

export function differencesOf(kind: Kind, wanted: Body, live: Body): readonly Difference[] {
  return compare(wanted, live, '', (path) => ADDED[kind].test(path.replace(/\[\d+\]/g, '[]')));
}

/** The fields of the uppermost level that differ, as an updateMask. */
export function maskOf(found: readonly Difference[]): string {
  return [...new Set(found.map(({ path }) => path.replace(/[.[].*$/, '')))].join(',');
}

function compare(wanted: unknown, is: unknown, path: string, mayBeAdded: (path: string) => boolean): Difference[] {
  if (isZero(wanted) && isZero(is)) return [];
  if (Array.isArray(wanted) && Array.isArray(is) && wanted.length === is.length) {
    const [ours, theirs] = [inOrder(wanted), inOrder(is)];
    return ours.flatMap((item, index) => compare(item, theirs[index], `${path}[${index}]`, mayBeAdded));
  }
  if (isObject(wanted) && isObject(is))
    return [...new Set([...Object.keys(wanted), ...Object.keys(is)])].flatMap((key) => {
      const inner = path ? `${path}.${key}` : key;
      if (!(key in wanted) && mayBeAdded(inner)) return [];
      return compare(wanted[key], is[key], inner, mayBeAdded);
    });
  return toComparable(wanted) === toComparable(is) ? [] : [{ path, is, wanted }];
}

/** What a message of Google's leaves out. STRING is zero among a label's types. */
function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.values(value).every(isZero);
  return [undefined, null, false, 0, '', '0s', 'STRING'].includes(value as string);
}

/** Labels by their keys, channels by their names; other lists mean something by their order. */
function inOrder(list: readonly unknown[]): readonly unknown[] {
  const key = (item: unknown) => (isObject(item) ? item.key : /\/notificationChannels\/.+$/.exec(String(item))?.[0]);
  if (!list.every((item) => typeof key(item) === 'string')) return list;
  return [...list].sort((one, other) => (String(key(one)) < String(key(other)) ? -1 : 1));
}

/** 64 bits come as text; a project is named by its id or its number; an objective's filter may come with its project before it. */
function toComparable(value: unknown): unknown {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') return value;
  return value
    .replace(/^projects\/[^/]+(?=\/notificationChannels\/)/, '')
    .replace(/^project\s*=\s*\S+\s+(AND\s+)?/, '');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
