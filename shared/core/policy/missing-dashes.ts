// Rules, cases and items of `allow` whose dash is missing: YAML then reads their keys as further keys of the map above.

import type { PolicyProblem } from './problems.ts';
import type { KeyProblem } from './yaml-values.ts';

/** Lists of maps: where they are in the file, and the first key of an item. */
const LISTS = [
  { pattern: /^rules$/, list: 'rules', first: 'name' },
  { pattern: /^cases$/, list: 'cases', first: 'name' },
  { pattern: /^credentials\n[^\n]*\nfirestore\nallow$/, list: 'allow', first: 'path' },
] as const;

/** One problem for each missing dash, and not one for each key after it. */
export function explainKeys(keys: readonly KeyProblem[]): readonly KeyProblem[] {
  return keys.flatMap((problem) => {
    const { path, repeated } = problem;
    if (!repeated) return [problem];
    const map = path.slice(0, -1);
    // A map in place of the list has a problem of its own.
    if (listAt(map)) return [];
    const within = typeof map.at(-1) === 'number' ? listAt(map.slice(0, -1)) : undefined;
    if (!within) return [problem];
    const { list, first } = within;
    if (path.at(-1) === first)
      return [{ ...problem, message: `A dash is missing in front of this item of ${list}. Write "- ${first}:".` }];
    return keys.some((other) => other.repeated && isSameMap(other.path, path) && other.path.at(-1) === first)
      ? []
      : [problem];
  });
}

function listAt(path: PolicyProblem['path']) {
  return LISTS.find(({ pattern }) => pattern.test(path.join('\n')));
}

function isSameMap(left: PolicyProblem['path'], right: PolicyProblem['path']): boolean {
  return left.length === right.length && left.slice(0, -1).every((step, index) => step === right[index]);
}
