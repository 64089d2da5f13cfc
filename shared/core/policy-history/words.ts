// Words that several reports on logs have: times, numbers of requests, and why a rule does not match.

import { toIsoOrNull } from '../iso-time.ts';
import type { Pipelines } from '../policy/pipelines.ts';
import type { Mismatch, NearestRule } from './judge.ts';
import type { Use } from './use.ts';

/** UTC, such as `2026-11-17 10:00`. */
export function formatTime(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace('T', ' ');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Such as `2026-11-17 10:00 to 2026-11-18 09:00`. */
export function formatPeriod({ first_at, last_at }: Use): string {
  if (first_at === undefined || last_at === undefined) return 'at an unknown time';
  return first_at === last_at ? formatTime(first_at) : `${formatTime(first_at)} to ${formatTime(last_at)}`;
}

/** A use as JSON. */
export function toUseJson({ count, first_at, last_at }: Use) {
  return { count, first_at: toIsoOrNull(first_at), last_at: toIsoOrNull(last_at) };
}

/** Such as `build_branch is "x", the rule needs main or release/*`. */
export function describeNearest({ rule, mismatches }: NearestRule, pipelines: Pipelines): string {
  return `rule "${rule}": ${mismatches.map((one) => describeMismatch(one, pipelines)).join('; ')}`;
}

function describeMismatch({ claim, value, patterns, isCondition }: Mismatch, pipelines: Pipelines): string {
  if (isCondition) return `${claim} does not hold, the rule needs one that ${patterns.join('')}`;
  if (patterns.length === 0) return 'the build is of a tag, and the rule names build_branch without build_tag';
  const named = (text: string) => (claim === 'pipeline_id' ? nameOf(text, pipelines) : text);
  const needed = patterns.map(named).join(' or ');
  return value === null
    ? `the token has no ${claim}, the rule needs ${needed}`
    : `${claim} is "${named(value)}", the rule needs ${needed}`;
}

function nameOf(id: string, pipelines: Pipelines): string {
  return Object.entries(pipelines).find(([, uuid]) => uuid === id)?.[0] ?? id;
}
