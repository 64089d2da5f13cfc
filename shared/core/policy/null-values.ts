// Values of a policy file that YAML reads as null, though their author did not leave them out: null, ~, &main, #channel.

import { isWithin, type PolicyProblem } from './problems.ts';
import type { Findings } from './yaml-values.ts';

/** Why a value is null that its author did not leave out. */
export function explainNull(problem: PolicyProblem, nulls: Findings['nulls'], text: string): PolicyProblem {
  const found = nulls.find(({ path }) => path.length > 0 && isWithin(problem.path, path));
  const { scalar } = found ?? {};
  if (!found || !scalar || problem.at === 'key') return problem;
  if (scalar.source) {
    if (found.path[0] !== 'rules') return problem;
    return {
      ...problem,
      message: `YAML reads ${scalar.source} as no value. Write ${JSON.stringify(scalar.source)} if it is text.`,
    };
  }
  if (scalar.anchor !== undefined)
    return {
      ...problem,
      message: `YAML reads &${scalar.anchor} as an anchor. Write "&${scalar.anchor}" if it is text.`,
    };
  const [comment] = /^[ \t]*#\S[^\r\n]*/.exec(text.slice(scalar.range?.[0] ?? text.length)) ?? [];
  if (comment === undefined) return problem;
  return {
    ...problem,
    message: `YAML reads what follows # as a comment. Write ${JSON.stringify(comment.trim())} if it is the value.`,
  };
}
