// What the audit log says of a decision: the rules that decided, bounded in number and length, and how many others there
// were. A policy may have thousands of rules, and Cloud Logging takes 256 KiB an entry
// (docs.cloud.google.com/logging/quotas).

import type { RuleTrace } from './decide.ts';
import { matchesPattern } from './pattern.ts';

/** How many rules of a refusal are reported: those with the fewest claims that do not match. */
const NEAREST = 5;
const CHECKS = 12;
const PATTERNS = 5;
/** Characters. */
const PATTERN_LENGTH = 128;
const VALUE_LENGTH = 256;

type Check = RuleTrace['checks'][number];

export interface TraceFacts {
  readonly trace: readonly RuleTrace[];
  /** How many rules are not in `trace`, by outcome; left out when all are. */
  readonly trace_omitted?: Readonly<Partial<Record<RuleTrace['outcome'], number>>>;
}

/** The rule that grants, or else those that came nearest to it. */
export function toTraceFacts(trace: readonly RuleTrace[]): TraceFacts {
  const granting = trace.find(({ outcome }) => outcome === 'granted');
  const logged = granting ? [granting] : nearest(trace);
  const omitted: Partial<Record<RuleTrace['outcome'], number>> = {};
  for (const rule of trace) if (!logged.includes(rule)) omitted[rule.outcome] = (omitted[rule.outcome] ?? 0) + 1;
  return {
    trace: logged.map((rule) => ({ ...rule, rule: cut(rule.rule, VALUE_LENGTH), checks: toChecks(rule.checks) })),
    ...(logged.length < trace.length ? { trace_omitted: omitted } : {}),
  };
}

function nearest(trace: readonly RuleTrace[]): RuleTrace[] {
  return trace
    .filter(({ outcome }) => outcome !== 'other_credential')
    .map((rule) => ({ rule, failed: rule.checks.filter(({ matched }) => !matched).length }))
    .sort((left, right) => left.failed - right.failed)
    .slice(0, NEAREST)
    .map(({ rule }) => rule);
}

/** Where there are too many, those that do not match come first: they decide. */
function toChecks(checks: readonly Check[]): readonly Check[] {
  const [failed, matched] = [checks.filter((check) => !check.matched), checks.filter((check) => check.matched)];
  const logged = checks.length > CHECKS ? [...failed, ...matched].slice(0, CHECKS) : checks;
  return logged.map((check) => ({
    ...check,
    patterns: toPatterns(check).map((pattern) => cut(pattern, PATTERN_LENGTH)),
    value: check.value === null ? null : cut(check.value, VALUE_LENGTH),
  }));
}

function toPatterns({ patterns, value, matched }: Check): readonly string[] {
  if (patterns.length <= PATTERNS) return patterns;
  if (!matched || value === null) return [...patterns.slice(0, PATTERNS), `… and ${patterns.length - PATTERNS} more`];
  return patterns.filter((pattern) => matchesPattern(pattern, value)).slice(0, 1);
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
