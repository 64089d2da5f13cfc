// Rules and items of `allow` whose dash is missing: YAML then reads their keys as further keys of the map above.

import type { PolicyProblem } from './problems.ts';
import type { KeyProblem } from './yaml-values.ts';

/** The first key of an item, by the list that it is in. */
const FIRST_KEYS: Readonly<Record<string, string>> = { rules: 'name', allow: 'path' };

/** One problem for each missing dash, and not one for each key after it. */
export function explainKeys(keys: readonly KeyProblem[]): readonly KeyProblem[] {
  return keys.flatMap((problem) => {
    const { path, repeated } = problem;
    const list = path.findLast((step) => typeof step === 'string' && Object.hasOwn(FIRST_KEYS, step));
    const depth = path.length - 1 - path.lastIndexOf(list ?? '');
    if (!repeated || list === undefined || depth > 2) return [problem];
    // Not a list at all, which is a problem of its own.
    if (depth === 1) return [];
    const first = FIRST_KEYS[list];
    if (path.at(-1) === first)
      return [{ ...problem, message: `A dash is missing in front of this item of ${list}. Write "- ${first}:".` }];
    return keys.some((other) => other.repeated && isSameMap(other.path, path) && other.path.at(-1) === first)
      ? []
      : [problem];
  });
}

function isSameMap(left: PolicyProblem['path'], right: PolicyProblem['path']): boolean {
  return left.length === right.length && left.slice(0, -1).every((step, index) => step === right[index]);
}
