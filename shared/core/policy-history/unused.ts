// What of a policy nothing used since a time, and when the rest was used last.

import { toIsoOrNull } from '../iso-time.ts';
import type { Pipelines } from '../policy/pipelines.ts';
import type { AccessGap, CredentialAccess } from './access-usage.ts';
import type { CoverageReport, Gap } from './period.ts';
import type { Part, PartUse } from './usage.ts';
import { mergeUses, UNUSED, type Use } from './use.ts';
import { formatTime, plural, toUseJson } from './words.ts';

type PartStatus = 'used' | 'unused' | 'cannot_tell';

export interface JudgedPart {
  readonly part: Part;
  readonly status: PartStatus;
  readonly use: Use;
}

/** @param parts of the policy. @param access of its `firestore` credentials, where the touches are known */
export function judgeParts(parts: readonly PartUse[], access: readonly CredentialAccess[]): JudgedPart[] {
  const judged = parts.map(({ part, use, maybe }): JudgedPart => {
    const status = use.count > 0 ? 'used' : maybe.count > 0 ? 'cannot_tell' : 'unused';
    return { part, status, use };
  });
  const unusedRules = new Set(
    judged.flatMap(({ part, status }) => (part.kind === 'rule' && status === 'unused' ? [part.rule] : [])),
  );
  const unusedCredentials = new Set(
    judged.flatMap(({ part, status }) => (part.kind === 'credential' && status === 'unused' ? [part.credential] : [])),
  );
  return [...judged, ...access.flatMap(accessParts)].filter(({ part }) => {
    if (part.kind === 'grant') return !unusedRules.has(part.rule) && !unusedCredentials.has(part.credential);
    if (part.kind === 'pattern') return !unusedRules.has(part.rule);
    return part.kind !== 'access' || !unusedCredentials.has(part.credential);
  });
}

function accessParts({ credential, entries, gaps }: CredentialAccess): JudgedPart[] {
  return entries.flatMap(({ path, verbs }) =>
    [...verbs].map(([verb, touched]): JudgedPart => {
      const use = touched.map((one) => one.use).reduce(mergeUses, UNUSED);
      const status = use.count > 0 ? 'used' : gaps.length > 0 ? 'cannot_tell' : 'unused';
      return { part: { kind: 'access', credential, path, verb }, status, use };
    }),
  );
}

/** A pipeline by its name, as the file has it. */
function describePattern({ claim, pattern }: Extract<Part, { kind: 'pattern' }>, pipelines: Pipelines): string {
  const [name] = Object.entries(pipelines).find(([, id]) => claim === 'pipeline_id' && id === pattern) ?? [];
  return name === undefined ? `${claim}: ${pattern}` : `pipeline: ${name}`;
}

/** What a part is, for people. */
export function describePart(part: Part, pipelines: Pipelines): string {
  switch (part.kind) {
    case 'rule':
      return `rule "${part.rule}"`;
    case 'grant':
      return `rule "${part.rule}", grants: ${part.credential}`;
    case 'pattern':
      return `rule "${part.rule}", ${describePattern(part, pipelines)}`;
    case 'credential':
      return `credential ${part.credential}`;
    case 'pipeline':
      return `pipeline ${part.pipeline}`;
    case 'access':
      return `credential ${part.credential}, ${part.path}: ${part.verb}`;
  }
}

/** Why a log does not prove that something did not happen. */
export function describeGap(gap: Gap): string {
  switch (gap.gap) {
    case 'no_times':
      return 'No entry of the log has a time.';
    case 'no_requests':
      return 'The log has no allowed request of the period.';
    case 'unread_entries':
      return `${plural(gap.count, 'entry', 'entries')} of the log could not be read.`;
    case 'begins_late':
      return `The log begins at ${formatTime(gap.at)}, after the start of the period.`;
    case 'ends_early':
      return `The log ends at ${formatTime(gap.at)}, before the end of the period.`;
    case 'no_entries':
      return `The log has no entry from ${formatTime(gap.from)} to ${formatTime(gap.until)}.`;
    case 'other_policy':
      return `Another version of the policy decided until ${formatTime(gap.at)}. What is new in this one had less time.`;
  }
}

const ACCESS_GAPS: Readonly<Record<AccessGap, string>> = {
  no_grants: 'no grant was issued in the period',
  few_touches: "fewer than half of its grants have entries in Google's log",
  quarter_without_touches: "in a quarter of the period it was granted, and Google's log has no entry of it",
  unclear_touches: 'entries do not say which documents they are about',
  outside_touches: 'Google accepted touches that no entry of allow opens',
  unknown_grants: "grants that Keydesk's log does not have touched its database",
  unread_touches: "entries of Google's log could not be read",
};

/** Why the log of touches does not prove what a credential does not need. */
export function describeAccessGaps({ credential, gaps }: CredentialAccess): string {
  return `${credential}: ${gaps.map((gap) => ACCESS_GAPS[gap]).join('; ')}.`;
}

export interface UnusedReport {
  readonly since: number;
  readonly coverage: CoverageReport;
  readonly allowed: Use;
  readonly parts: readonly JudgedPart[];
  readonly access: readonly CredentialAccess[];
  /** Of the policy. */
  readonly pipelines: Pipelines;
}

export function unusedLines({ since, coverage, allowed, parts, access, pipelines }: UnusedReport): string[] {
  const describe = (part: Part) => describePart(part, pipelines);
  const { first_at, last_at, gaps } = coverage;
  const of = (status: PartStatus) => parts.filter((one) => one.status === status);
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
  const accessGaps = access.filter((one) => one.grants > 0 && one.gaps.length > 0);
  const reach =
    first_at === undefined || last_at === undefined
      ? ''
      : `, log from ${formatTime(first_at)} to ${formatTime(last_at)}`;
  const used = of('used').sort((left, right) => (left.use.last_at ?? 0) - (right.use.last_at ?? 0));
  const width = Math.max(0, ...used.map(({ part }) => describe(part).length));
  return [
    `Since ${formatTime(since)} UTC${reach}: ${plural(allowed.count, 'request')} allowed`,
    ...section(
      gaps.length > 0
        ? 'Not seen in this log. That they are unused is not proven:'
        : first_at !== undefined && first_at > since
          ? `Unused since ${formatTime(first_at)} UTC, when the log begins. Before that, nothing is proven`
          : 'Unused',
      of('unused').map(({ part }) => describe(part)),
    ),
    ...section(
      'Cannot tell',
      of('cannot_tell').map(({ part }) => describe(part)),
    ),
    ...section('What the logs do not prove', [...gaps.map(describeGap), ...accessGaps.map(describeAccessGaps)]),
    ...section(
      'Last use of the others',
      used.map(
        ({ part, use }) =>
          `${describe(part).padEnd(width)}  ${use.last_at === undefined ? 'time not known' : formatTime(use.last_at)}  ${use.count}`,
      ),
    ),
  ];
}

export function unusedJson({ since, coverage, allowed, parts, access }: UnusedReport) {
  return {
    since: toIsoOrNull(since),
    log: { first_at: toIsoOrNull(coverage.first_at), last_at: toIsoOrNull(coverage.last_at) },
    proven: coverage.gaps.length === 0,
    gaps: coverage.gaps.map(toGapJson),
    requests: toUseJson(allowed),
    parts: parts.map(({ part, status, use }) => ({ ...part, status, use: toUseJson(use) })),
    access: access.map(({ entries: _, touches, ...rest }) => ({ ...rest, touches: toUseJson(touches) })),
  };
}

export function toGapJson(gap: Gap) {
  if (gap.gap === 'unread_entries') return gap;
  const times = Object.entries(gap).filter(([, value]) => typeof value === 'number');
  return { ...gap, ...Object.fromEntries(times.map(([name, at]) => [name, toIsoOrNull(Number(at))])) };
}
