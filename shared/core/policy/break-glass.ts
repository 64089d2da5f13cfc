// Credentials for emergencies are for nothing else. A job has one grant of a credential, so each grant is either break-glass access from its
// first token to its last, or never: nobody has to look for a use of it inside another grant.

import type { PolicyProblem } from './problems.ts';
import type { Rule } from './rule.ts';

/** One problem for each credential of a rule with `use: break-glass` that another kind of rule grants too. */
export function breakGlassProblems(rules: readonly Rule[]): PolicyProblem[] {
  const emergency = new Map<string, string>();
  for (const { name, conditions, grants } of rules)
    if (conditions.approval?.use === 'break-glass')
      for (const credential of grants) if (!emergency.has(credential)) emergency.set(credential, name);
  return rules.flatMap(({ conditions, grants }, index) =>
    conditions.approval?.use === 'break-glass'
      ? []
      : grants.flatMap((credential, position) => {
          const rule = emergency.get(credential);
          if (rule === undefined) return [];
          const path = ['rules', index, 'grants', position];
          const message = `"${credential}" is granted for emergencies by the rule "${rule}", which has use: break-glass. Give one of the two rules a credential of its own`;
          return [{ path, message }];
        }),
  );
}
