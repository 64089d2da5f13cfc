// Rules that match no job, or no job that does not get the same from other rules, and credentials that no job gets. Exact: these are
// questions about sets of jobs. One that takes too many steps has no warning.

import type { Policy } from '../policy/policy.ts';
import type { Match, Rule } from '../policy/rule.ts';
import { orCannotTell } from '../policy-analysis/change.ts';
import { ANY_VALUE, exampleOf, restrict } from '../policy-analysis/claim-values.ts';
import {
  ALL_JOBS,
  type Demands,
  demandsOf,
  exampleJob,
  meeting,
  organizationDemands,
  ruleDemands,
  type Tools,
} from '../policy-analysis/jobs.ts';
import { jobOutside } from '../policy-analysis/outside.ts';
import { isLiteral, TextFinder } from '../policy-analysis/texts.ts';
import { Work, WorkTogether } from '../policy-analysis/work.ts';
import type { PolicyWarning } from './codes.ts';
import { duplicateKey } from './duplicates.ts';

/** Steps for one rule, and for all rules. */
const MAX_STEPS = 100_000;
const MAX_TOTAL = 2_000_000;
/** Pairs of patterns whose beginnings and ends are compared in about the time of another step. */
const PAIRS_OF_STEP = 16;
/** Rules that a message names. */
const MAX_NAMED = 3;

/** @param work of all questions, apart from those about rules that others cover, which have a bound of their own */
export function matchingWarnings(policy: Policy, work = new WorkTogether(MAX_TOTAL, MAX_STEPS)): PolicyWarning[] {
  const finder = new TextFinder();
  const newTools = () => ({ finder, work: work.next() });
  const organization = organizationDemands(policy);
  const rules = policy.rules.map((rule, index) => {
    const demands = [...organization, ...ruleDemands(rule, policy)];
    const example = orCannotTell(() => exampleJob(meeting(ALL_JOBS, demands), newTools()));
    return { rule, index, demands, grants: new Set(rule.grants), isEmpty: example === undefined };
  });
  return [
    ...rules.flatMap(({ rule, index }) => neverMatches(rule, index, newTools)),
    ...uselessCredentials(policy, rules),
    ...shadowedRules(
      rules.filter(({ isEmpty }) => !isEmpty),
      finder,
    ),
  ];
}

interface ComparedRule {
  readonly rule: Rule;
  readonly index: number;
  readonly demands: Demands;
  readonly grants: ReadonlySet<string>;
  readonly isEmpty: boolean;
}

/** Apart from the organization, for which there is another warning. */
function neverMatches({ match }: Rule, index: number, newTools: () => Tools): PolicyWarning[] {
  const empty = demandsOf(match).filter(
    ([claim, demand]) => orCannotTell(() => exampleOf(claim, restrict(ANY_VALUE, demand), newTools())) === undefined,
  );
  return empty.map(([claim]) => ({
    code: 'rule_never_matches',
    path: ['rules', index, 'match', claim],
    message: 'fits no value that a job token can have, so the rule matches no job. Correct it, or remove the rule.',
  }));
}

/** Of those that a rule grants. Others are unused as well, which is found without a search. */
function uselessCredentials({ credentials }: Policy, rules: readonly ComparedRule[]): PolicyWarning[] {
  return Object.keys(credentials).flatMap((name) => {
    const granting = rules.filter(({ grants }) => grants.has(name));
    if (granting.length === 0 || granting.some(({ isEmpty }) => !isEmpty)) return [];
    return [
      {
        code: 'unused_credential',
        path: ['credentials', name],
        message: 'is granted only by rules that match no job. Correct the rules, or remove it.',
      },
    ];
  });
}

/** All that are found can be removed together. Of two rules that match the same jobs the later one is. */
function shadowedRules(rules: readonly ComparedRule[], finder: TextFinder): PolicyWarning[] {
  const keys = rules.map(({ rule }) => duplicateKey(rule));
  const kept = new Set(rules);
  const warnings: PolicyWarning[] = [];
  const total = new Work(MAX_TOTAL);
  for (const compared of rules.toReversed()) {
    const tools = { finder, work: new Work(MAX_STEPS, total) };
    const covering = orCannotTell(() => coveringRules(compared, kept, tools));
    if (covering === undefined || covering === 'cannot tell') continue;
    kept.delete(compared);
    // Two rules of equal patterns have a warning of their own.
    const key = duplicateKey(compared.rule);
    if (keys.filter((other) => other === key).length > 1) continue;
    warnings.push({
      code: 'rule_shadowed',
      path: ['rules', compared.index],
      message: `Every job of this rule gets the same from ${namesOf(covering)}. Remove it, or correct it.`,
    });
  }
  return warnings.reverse();
}

/** The rules that together grant all credentials of the rule to all of its jobs; undefined when there are none. @throws CannotTell */
function coveringRules(
  compared: ComparedRule,
  kept: ReadonlySet<ComparedRule>,
  tools: Tools,
): ComparedRule[] | undefined {
  const { rule, demands } = compared;
  const jobs = meeting(ALL_JOBS, demands);
  const covers = (others: readonly ComparedRule[]) =>
    !jobOutside(
      jobs,
      others.map((other) => other.demands),
      tools,
    );
  const near = [...kept].filter((other) => other !== compared && mayOverlap(rule.match, other.rule.match, tools.work));
  // Credentials that the same rules grant are one question.
  const questions = new Map<string, readonly ComparedRule[]>();
  for (const name of rule.grants) {
    const others = near.filter(({ grants }) => grants.has(name));
    if (others.length === 0) return undefined;
    questions.set(others.map(({ index }) => index).join(' '), others);
  }
  const found = new Set<ComparedRule>();
  for (const others of questions.values()) {
    if (!covers(others)) return undefined;
    const one = others.find((other) => covers([other]));
    for (const other of one ? [one] : withoutNeedless(others, covers)) found.add(other);
  }
  return [...found];
}

function withoutNeedless(
  others: readonly ComparedRule[],
  covers: (others: readonly ComparedRule[]) => boolean,
): readonly ComparedRule[] {
  let needed = others;
  for (const other of others) {
    const rest = needed.filter((one) => one !== other);
    if (covers(rest)) needed = rest;
  }
  return needed;
}

/** False for rules that name different values of a claim, which most rules of a policy do. */
function mayOverlap(match: Match, other: Match, work: Work): boolean {
  return Object.entries(match).every(([claim, patterns]) => {
    const others = other[claim];
    work.spend((1 + patterns.length * (others?.length ?? 0)) / PAIRS_OF_STEP);
    return !others || patterns.some((pattern) => others.some((one) => mayShareText(pattern, one)));
  });
}

/** False where the texts of two patterns begin or end differently. */
function mayShareText(one: string, other: string): boolean {
  if (isLiteral(one) && isLiteral(other)) return one === other;
  const [start, otherStart] = [one, other].map((pattern) => pattern.slice(0, pattern.indexOf('*') >>> 0)) as [
    string,
    string,
  ];
  const [end, otherEnd] = [one, other].map((pattern) => pattern.slice(pattern.lastIndexOf('*') + 1)) as [
    string,
    string,
  ];
  return (
    (start.startsWith(otherStart) || otherStart.startsWith(start)) && (end.endsWith(otherEnd) || otherEnd.endsWith(end))
  );
}

function namesOf(rules: readonly ComparedRule[]): string {
  const names = rules.map(({ rule }) => `"${rule.name}"`);
  const shown = names.slice(0, MAX_NAMED);
  const more = names.length - shown.length;
  const list = more > 0 ? [...shown, `${more} more`] : shown;
  const last = list.at(-1) ?? '';
  return list.length > 1 ? `rules ${list.slice(0, -1).join(', ')} and ${last}` : `rule ${last}`;
}
