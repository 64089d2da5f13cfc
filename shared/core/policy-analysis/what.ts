// What jobs get when only some of their claims are stated: what every such job gets, what some of them get and on which conditions,
// and what none gets.

import type { Conditions } from '../policy/conditions.ts';
import type { Policy } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import { orCannotTell } from './change.ts';
import { ANY_VALUE, type Demand, exampleOf, exclude, restrict } from './claim-values.ts';
import { isConditionClaim } from './condition-claims.ts';
import { type Demands, type Jobs, meeting, organizationDemands, ruleDemands, type Tools } from './jobs.ts';
import { jobOutside } from './outside.ts';
import { type PartialJob, toJobs } from './partial-job.ts';
import { TextFinder } from './texts.ts';
import { MAX_STEPS, Work, WorkTogether } from './work.ts';

type Answer = 'granted' | 'conditional' | 'never' | 'cannot tell';

/** A rule that matches some of the jobs: those that also meet the conditions. Without conditions it matches all of them. */
interface GrantingRule {
  readonly rule: string;
  /** Those of claims. */
  readonly conditions: Demands;
  /** What the rule demands beyond claims, which nobody can state. */
  readonly ofRule: Conditions;
  /** All of them, as demands. */
  readonly demands: Demands;
}

/** A rule that matches none of the jobs, and the demands that none of them meets. */
interface RefusingRule {
  readonly rule: string;
  readonly unmet: Demands;
}

export interface CredentialAnswer {
  readonly credential: string;
  readonly answer: Answer;
  /** Without those whose jobs another one matches too. */
  readonly granting: readonly GrantingRule[];
  readonly refusing: readonly RefusingRule[];
}

/** Steps for the comparisons of rules, for all credentials together. */
const MAX_TOTAL = 5 * MAX_STEPS;

interface ComparedRule {
  readonly rule: Rule;
  readonly result: { readonly unmet: Demands; readonly conditions: Demands } | 'cannot tell';
}

/** One answer for each credential, in the order of the policy. */
export function whatJobsGet(policy: Policy, job: PartialJob): CredentialAnswer[] {
  const finder = new TextFinder();
  const jobs = toJobs(job);
  const total = new Work(MAX_TOTAL);
  const newTools = () => ({ finder, work: new Work(MAX_STEPS, total) });
  const ofRules = new WorkTogether();
  const rules = policy.rules.map((rule): ComparedRule => {
    const tools = { finder, work: ofRules.next() };
    return { rule, result: orCannotTell(() => compare(jobs, demandsOfRule(policy, rule), tools)) ?? 'cannot tell' };
  });
  // Credentials that the same rules grant have the same answer.
  const known = new Map<string, Omit<CredentialAnswer, 'credential'>>();
  return Object.keys(policy.credentials).map((credential) => {
    const granting = rules.filter(({ rule }) => rule.grants.includes(credential));
    const key = granting.map((compared) => rules.indexOf(compared)).join(' ');
    const answer = known.get(key) ?? answerBy(granting, jobs, newTools);
    known.set(key, answer);
    return { credential, ...answer };
  });
}

function answerBy(
  rules: readonly ComparedRule[],
  jobs: Jobs,
  newTools: () => Tools,
): Omit<CredentialAnswer, 'credential'> {
  const granting: GrantingRule[] = [];
  const refusing: RefusingRule[] = [];
  for (const { rule, result } of rules) {
    if (result === 'cannot tell') return { answer: 'cannot tell', granting: [], refusing: [] };
    if (result.unmet.length > 0) refusing.push({ rule: rule.name, unmet: result.unmet });
    else {
      const demands = result.conditions;
      const conditions = demands.filter(([claim]) => !isConditionClaim(claim));
      granting.push({ rule: rule.name, conditions, ofRule: rule.conditions, demands });
    }
  }
  if (granting.length === 0) return { answer: 'never', granting, refusing };
  const always = granting.filter(({ demands }) => demands.length === 0);
  if (always.length > 0) return { answer: 'granted', granting: always.slice(0, 1), refusing };
  const all = granting.map(({ demands }) => demands);
  const refused = orCannotTell(() => jobOutside(jobs, all, newTools()));
  return {
    answer: refused === 'cannot tell' ? 'cannot tell' : refused ? 'conditional' : 'granted',
    granting: withoutRedundant(granting, jobs, newTools),
    refusing,
  };
}

/** The rules that match some of the jobs. */
export function grantingRules(answers: readonly CredentialAnswer[]): ReadonlySet<string> {
  return new Set(answers.flatMap(({ granting }) => granting.map(({ rule }) => rule)));
}

export function demandsOfRule(policy: Policy, rule: Rule): Demands {
  return [...organizationDemands(policy), ...ruleDemands(rule, policy)];
}

/** The demands that none of the jobs meets, and those that only some of them meet. */
function compare(jobs: Jobs, demands: Demands, tools: Tools): { unmet: Demands; conditions: Demands } {
  const unmet: [string, Demand][] = [];
  const conditions: [string, Demand][] = [];
  for (const [claim, demand] of demands) {
    const values = jobs.get(claim) ?? ANY_VALUE;
    if (exampleOf(claim, restrict(values, demand), tools) === undefined) unmet.push([claim, demand]);
    else if (exampleOf(claim, exclude(values, demand), tools) !== undefined) conditions.push([claim, demand]);
  }
  return { unmet, conditions };
}

/** More rules are not compared with each other. */
const MAX_COMPARED = 50;

/** Of two rules that match the same of the jobs, the first stays. */
function withoutRedundant(
  granting: readonly GrantingRule[],
  jobs: Jobs,
  newTools: () => Tools,
): readonly GrantingRule[] {
  if (granting.length > MAX_COMPARED) return granting;
  const tools = newTools();
  const includes = (wide: GrantingRule, narrow: GrantingRule) =>
    orCannotTell(() => jobOutside(meeting(jobs, narrow.demands), [wide.demands], tools)) === undefined;
  return granting.filter(
    (rule, index) =>
      !granting.some(
        (other, place) => place !== index && includes(other, rule) && (place < index || !includes(rule, other)),
      ),
  );
}
