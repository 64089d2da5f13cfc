// Names in a test file that its policy does not declare, and keys that the format does not have.

import { closestName, meantOrKnown } from '../closest-name.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { MATCH_KEYS } from '../policy/rule.ts';
import { meantClaim, unknownClaim } from '../policy/unknown-claims.ts';

type Path = PolicyProblem['path'];

/** One problem for each of `names` that is not in `known`. @param noun such as "a credential" */
export function unknownNames(
  names: readonly string[],
  known: readonly string[],
  { noun, path }: { readonly noun: string; readonly path: Path },
): PolicyProblem[] {
  return names.flatMap((name, index) =>
    known.includes(name) ? [] : [{ path: [...path, index], message: unknownName(name, known, noun) }],
  );
}

export function unknownName(name: string, known: readonly string[], noun: string): string {
  return `"${name}" is not ${noun} of the policy. ${meantOrKnown(name, known)}`;
}

/** @returns undefined for a claim that a job can have. @param others the keys that are present */
export function unknownClaimKey(key: string, others: readonly string[]): string {
  const meant = meantClaim(
    key,
    MATCH_KEYS.filter((known) => !others.includes(known)),
  );
  const present = meant !== undefined && others.includes(meant);
  return unknownClaim(key, meant, present).replace('this rule has it', 'it is here too');
}

/** The keys of each map of the format, by its path with `*` for the items of lists. */
const KEYS: Readonly<Record<string, readonly [noun: string, keys: readonly string[]]>> = {
  '': ['a test file', ['version', 'job', 'cases', 'statements']],
  'cases.*': ['a case', ['name', 'job', 'conditions', 'gets', 'granted', 'refused']],
  'cases.*.conditions': ['conditions', ['team', 'created_by', 'approved', 'reason', 'agent']],
  'cases.*.conditions.approved': ['approved', ['step', 'by', 'ago', 'approver']],
  'cases.*.conditions.approved.*': ['approved', ['step', 'by', 'ago', 'approver']],
  'cases.*.conditions.team': ['team', ['name', 'access']],
  'cases.*.conditions.team.*': ['team', ['name', 'access']],
  'cases.*.conditions.created_by': ['created_by', ['team']],
  'cases.*.conditions.agent': ['agent', ['provider', 'claims']],
  'statements.*': ['a statement', ['name', 'never', 'always', 'for', 'unless', 'assume']],
  'statements.*.never': ['never', ['environment', 'credential', 'path', 'verb', 'database', 'bucket', 'prefix']],
  'statements.*.always': ['always', ['credential']],
};

/** Other words for keys of conditions: those of a rule, and those of other maps here. */
const SYNONYMS: Readonly<Record<string, string>> = {
  approval: 'approved',
  within: 'ago',
  not: 'approver',
  name: 'team',
};

/** Says of an unknown key what was probably meant; other problems stay as they are. */
export function explainTestKey(problem: PolicyProblem): PolicyProblem {
  if (problem.at !== 'key') return problem;
  const key = String(problem.path.at(-1));
  const pattern = problem.path.slice(0, -1).map((step) => (typeof step === 'number' ? '*' : step));
  const found = KEYS[pattern.join('.')];
  if (!found) return problem;
  const [noun, keys] = found;
  const synonym = Object.hasOwn(SYNONYMS, key) ? SYNONYMS[key] : undefined;
  const near = keys.find((one) => one === synonym) ?? closestName(key, keys);
  const advice = near === undefined ? `The keys are ${keys.join(', ')}.` : `Did you mean "${near}"?`;
  return { ...problem, message: `"${key}" is not a key of ${noun}. ${advice}` };
}
