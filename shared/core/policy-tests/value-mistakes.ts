// Explains a problem of a condition in a test file in more words than the schema has: which map stands for one name, and what a missing
// value must be.

import {
  agentMistake,
  CONDITION_MISTAKES,
  MISSING_OF_CONDITIONS,
  mapMistake,
  quotesMistake,
} from '../policy/condition-mistakes.ts';
import { MISSING, type PolicyProblem } from '../policy/problems.ts';

type Explain = (value: unknown) => string | undefined;

/** By the place in `conditions` of a case, with `*` for names and for the items of lists. */
const OF_CASES: Readonly<Record<string, Explain>> = {
  team: (value) => mapMistake(value, 'name'),
  'team.*': (value) => mapMistake(value, 'name'),
  created_by: (value) => mapMistake(value, 'team'),
  approved: (value) => mapMistake(value, 'step'),
  'approved.*': (value) => mapMistake(value, 'step'),
  agent: agentMistake,
  'agent.claims.*': quotesMistake,
};

const MISSING_OF_CASES: Readonly<Record<string, string>> = {
  'team.name': 'the name of a team',
  'team.*.name': 'the name of a team',
  'created_by.team': 'the name of a team, or a list of names',
  'approved.step': 'the key of the block step',
  'approved.*.step': 'the key of the block step',
  'agent.provider': 'a name from identityProviders',
  'agent.claims': 'a map of every claim that the provider declares, each with its value',
};

/** @param data that the problem was found in. @returns the problem as it is where there is no more to say */
export function explainTestValue(problem: PolicyProblem, data: unknown): PolicyProblem {
  if (problem.at === 'key') return problem;
  const value = problem.path.reduce<unknown>((inner, step) => Object(inner)[step], data);
  const [, ofCase] = /^cases\.\*\.conditions\.(.+)$/.exec(patternOf(problem.path)) ?? [];
  if (ofCase === undefined) return problem;
  const missing = problem.message === MISSING ? MISSING_OF_CASES[ofCase] : undefined;
  if (missing !== undefined) return { ...problem, message: `${MISSING}. It must be ${missing}` };
  const message = OF_CASES[ofCase]?.(value);
  return message === undefined ? problem : { ...problem, message };
}

/** Of a condition in a statement, which is as in a rule. @param problem with its path in `condition` */
export function explainCondition(problem: PolicyProblem, key: string, condition: unknown): PolicyProblem {
  if (problem.at === 'key') return problem;
  const value = problem.path.reduce<unknown>((inner, step) => Object(inner)[step], condition);
  const place = patternOf([key, ...problem.path]);
  const missing = problem.message === MISSING ? MISSING_OF_CONDITIONS[place] : undefined;
  if (missing !== undefined) return { ...problem, message: `${MISSING}. It must be ${missing}` };
  const message = CONDITION_MISTAKES[place]?.(value)?.replace('write another rule', 'write a list of maps');
  return message === undefined ? problem : { ...problem, message };
}

function patternOf(path: PolicyProblem['path']): string {
  const isName = (index: number) => path[index - 1] === 'claims';
  return path.map((step, index) => (typeof step === 'number' || isName(index) ? '*' : step)).join('.');
}
