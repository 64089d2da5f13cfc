// Proves a statement over every job token that Keydesk accepts, or refutes it with a job. Both are exact; where a search exceeds its
// bound, or the policy does not have what decides, the answer is that it cannot be proven or refuted.

import type { Policy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Rule } from '../policy/rule.ts';
import {
  ALL_JOBS,
  type Demands,
  type ExampleJob,
  grantedJobs,
  type JobSet,
  type Jobs,
  meeting,
  organizationDemands,
  ruleDemands,
  type Tools,
} from '../policy-analysis/jobs.ts';
import { jobOutside } from '../policy-analysis/outside.ts';
import { CannotTell } from '../policy-analysis/work.ts';
import { type Unopened, unopenedOf } from './empty-statement.ts';
import { credentialsOpening } from './opening.ts';
import type { Statement } from './statements.ts';

type Verdict = 'proven' | 'refuted' | 'cannot tell';

/** What is against a statement. */
export interface Finding {
  readonly verdict: Exclude<Verdict, 'proven'>;
  /** Of `never`: the rule that grants the credentials. Of `always`: undefined. */
  readonly rule: string | undefined;
  readonly credentials: readonly string[];
  /** A job that the statement is about: it gets the credentials, or for `always`, it does not. Undefined when the search exceeded its bound. */
  readonly job: ExampleJob | undefined;
  /** Why it cannot be proven or refuted: IAM roles that are not in the policy, or rules or paths that are too many or too complex. */
  readonly why: 'iam' | 'complexity' | undefined;
}

export interface Proof {
  readonly statement: Statement;
  readonly verdict: Verdict;
  /** Empty when it is proven. */
  readonly findings: readonly Finding[];
  /** Of `never`: the credentials that it is about. None: it holds whatever the rules are. */
  readonly about: readonly string[];
  /** Of `never`: what it names and no credential opens. It may be misspelt. */
  readonly unopened: Unopened | undefined;
}

/** @param newTools each search has a bound of its own */
export function prove(policy: Policy, statement: Statement, newTools: () => Tools): Proof {
  const { findings, about } =
    'never' in statement.says
      ? proveNever(policy, statement, statement.says.never, newTools)
      : { findings: proveAlways(policy, statement, statement.says.always, newTools), about: statement.says.always };
  const has = (verdict: Verdict) => findings.some((finding) => finding.verdict === verdict);
  const verdict = has('refuted') ? 'refuted' : has('cannot tell') ? 'cannot tell' : 'proven';
  const unopened = 'never' in statement.says ? unopenedOf(policy, statement.says.never) : undefined;
  return { statement, verdict, findings, about, unopened };
}

function proveNever(
  policy: Policy,
  statement: Statement,
  target: Parameters<typeof credentialsOpening>[1],
  newTools: () => Tools,
): { findings: Finding[]; about: string[] } {
  const opening = credentialsOpening(policy, target, newTools);
  const relevant = [...opening.keys()].filter((name) => !isAssumed(statement, opening, name));
  const findings = policy.rules.flatMap((rule) => {
    const granted = relevant.filter((name) => rule.grants.includes(name));
    if (granted.length === 0) return [];
    const found = orTooComplex(() => grantedDespite(policy, rule, statement, newTools));
    if (found === undefined) return [];
    const job = found === TOO_COMPLEX ? undefined : found;
    return (['yes', 'by IAM', 'too complex'] as const).flatMap((opens): Finding[] => {
      const credentials = granted.filter((name) => opening.get(name) === opens);
      if (credentials.length === 0) return [];
      const why = job ? WHY[opens] : 'complexity';
      return [{ verdict: why === undefined ? 'refuted' : 'cannot tell', rule: rule.name, credentials, job, why }];
    });
  });
  return { findings, about: [...opening.keys()] };
}

const WHY = { yes: undefined, 'by IAM': 'iam', 'too complex': 'complexity' } as const;

/** What is certainly opened cannot be assumed away. */
function isAssumed({ assume }: Statement, opening: ReturnType<typeof credentialsOpening>, name: string): boolean {
  return opening.get(name) !== 'yes' && Object.hasOwn(assume, name);
}

/** A job that a rule matches and the statement is about. */
function grantedDespite(
  policy: Policy,
  rule: Rule,
  statement: Statement,
  newTools: () => Tools,
): ExampleJob | undefined {
  const matched = meeting(ALL_JOBS, [...organizationDemands(policy), ...ruleDemands(rule, policy)]);
  return firstOutside(policy, matched, { statement, alternatives: [] }, newTools);
}

function proveAlways(
  policy: Policy,
  statement: Statement,
  credentials: readonly string[],
  newTools: () => Tools,
): Finding[] {
  const all = meeting(ALL_JOBS, organizationDemands(policy));
  return credentials.flatMap((name): Finding[] => {
    const alternatives = grantedJobs(policy, name);
    const found = orTooComplex(() => firstOutside(policy, all, { statement, alternatives }, newTools));
    if (found === undefined) return [];
    const finding = { rule: undefined, credentials: [name] };
    return [
      found === TOO_COMPLEX
        ? { ...finding, verdict: 'cannot tell', job: undefined, why: 'complexity' }
        : { ...finding, verdict: 'refuted', job: found, why: undefined },
    ];
  });
}

/** A job of `jobs` that the statement is about and no alternative covers. @throws CannotTell */
function firstOutside(
  policy: Policy,
  jobs: Jobs,
  { statement, alternatives }: { readonly statement: Statement; readonly alternatives: readonly Demands[] },
  newTools: () => Tools,
): ExampleJob | undefined {
  const demandsOf = (set: JobSet) => ruleDemands(set, policy);
  const exceptions = [...alternatives, ...statement.unless.map(demandsOf)];
  const parts = statement.for?.map((set) => meeting(jobs, demandsOf(set))) ?? [jobs];
  let tooComplex = false;
  for (const part of parts) {
    const found = orTooComplex(() => jobOutside(part, exceptions, newTools()));
    if (found === TOO_COMPLEX) tooComplex = true;
    else if (found) return found;
  }
  if (tooComplex) throw new CannotTell();
  return undefined;
}

const TOO_COMPLEX = 'too complex';

function orTooComplex<Found>(search: () => Found): Found | typeof TOO_COMPLEX {
  try {
    return search();
  } catch (error) {
    if (error instanceof CannotTell) return TOO_COMPLEX;
    throw error;
  }
}

/** `assume` of what needs no assumption, so that no reason is left over. */
export function needlessAssumptions(policy: Policy, statement: Statement, newTools: () => Tools): PolicyProblem[] {
  const names = Object.keys(statement.assume);
  if (names.length === 0 || !('never' in statement.says)) return [];
  const opening = credentialsOpening(policy, statement.says.never, newTools);
  const { findings } = prove(policy, { ...statement, assume: {} }, newTools);
  return names.flatMap((name) => {
    const path = [...statement.path, 'assume', name];
    if (opening.get(name) === 'yes')
      return [{ path, message: `Nothing to assume: by the policy, ${name} opens this. Remove it`, at: 'key' as const }];
    if (findings.some(({ credentials }) => credentials.includes(name))) return [];
    return [
      {
        path,
        message: `Nothing to assume: the statement is proven for ${name} without it. Remove it`,
        at: 'key' as const,
      },
    ];
  });
}
