// Checks the text of a policy for people: what parse-yaml.ts does, with more words on each mistake. The functions do without them,
// because their bundle is small; both accept the same policies.

import { explainKeys } from './missing-dashes.ts';
import { repairKeys } from './misspelt-keys.ts';
import { explainNull } from './null-values.ts';
import { parsePolicyText, type ReadPolicy } from './parse-yaml.ts';
import type { LocatedProblem } from './places.ts';
import { explainValue } from './value-mistakes.ts';
import { syntaxMistakes } from './yaml-syntax.ts';

/** @returns the policy, or all of its problems in the order of the file */
export function checkPolicyText(text: string): ReadPolicy | { problems: LocatedProblem[] } {
  return parsePolicyText(text, { syntaxMistakes, repairKeys, explainKeys, explainValue, explainNull });
}
