// Explains a problem of a value in more words than the schema has: which part is wrong, and what to write. For the command line.

import { accountMistake } from './account-mistakes.ts';
import type { PolicyProblem } from './problems.ts';

type Explain = (value: string) => string | undefined;

const sharedAccount: Explain = (value) => accountMistake(value, 'shared');
const pooledAccount: Explain = (value) => accountMistake(value, 'pooled');

/** By the place of the value, with `*` for names and for the items of lists. */
const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  'databases.*.signer': sharedAccount,
  'credentials.*.serviceAccount.email': sharedAccount,
  'credentials.*.storage.serviceAccount': sharedAccount,
  'credentials.*.serviceAccount.pool.*': pooledAccount,
  'credentials.*.storage.pool.*': pooledAccount,
};

/** @param data that the problem was found in */
export function explainValue(problem: PolicyProblem, data: unknown): PolicyProblem {
  const { path, at } = problem;
  const value = path.reduce<unknown>((inner, step) => Object(inner)[step], data);
  if (at === 'key' || typeof value !== 'string') return problem;
  const message = EXPLANATIONS[patternOf(path)]?.(value);
  return message === undefined ? problem : { ...problem, message };
}

function patternOf(path: PolicyProblem['path']): string {
  return path.map((step, index) => (index === 1 || typeof step === 'number' ? '*' : step)).join('.');
}
