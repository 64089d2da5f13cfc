// Patterns that no value of their claim fits, by the types that job tokens are checked for. The command line refuses them; a function
// does not, because such a rule grants nothing.

import { CONTROL_CHARACTER, isMatchableClaim } from '../policy/claims.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { isUuidClaim, UUID } from '../policy/rule.ts';

/** Has a wildcard, and nothing that no UUID has. */
const PART_OF_UUID = /^[0-9a-f-]*\*[0-9a-f*-]*$/i;

export function neverMatching({ rules }: WrittenPolicy): PolicyProblem[] {
  return rules.flatMap(({ match }, rule) =>
    Object.entries(match).flatMap(([claim, patterns]) =>
      patterns.flatMap((pattern, index) => {
        const reason = whyNeverMatches(claim, pattern);
        return reason === undefined
          ? []
          : [{ path: ['rules', rule, 'match', claim, index], message: `${reason}, so it matches nothing` }];
      }),
    ),
  );
}

function whyNeverMatches(claim: string, pattern: string): string | undefined {
  if (!isMatchableClaim(claim)) return undefined;
  if (isUuidClaim(claim)) return UUID.test(pattern) || PART_OF_UUID.test(pattern) ? undefined : 'is not part of a UUID';
  if (claim === 'build_number') return /^[1-9*][0-9*]*$/.test(pattern) ? undefined : 'is not a number';
  return CONTROL_CHARACTER.test(pattern) ? 'has a line break or another control character' : undefined;
}
