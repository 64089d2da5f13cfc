// Claims of a job as a person writes them: `NAME=VALUE`, with names of pipelines.

import { meantOrKnown } from '../closest-name.ts';
import type { Policy } from './policy.ts';
import { isMatchKey, MATCH_KEYS } from './rule.ts';
import { meantClaim, unknownClaim } from './unknown-claims.ts';

/**
 * Reads `NAME=VALUE`s. `pipeline=NAME` takes a name from the policy's `pipelines`. Values are not checked.
 * @returns the text of each claim, or all problems
 */
export function readWrittenClaims(
  policy: Policy,
  written: readonly string[],
): { claims: ReadonlyMap<string, string> } | { problems: string[] } {
  const claims = new Map<string, string>();
  const writtenAs = new Map<string, string>();
  const problems: string[] = [];
  for (const one of written) {
    const cut = one.indexOf('=');
    const [key, value] = [one.slice(0, cut), one.slice(cut + 1)];
    const claim = key === 'pipeline' ? 'pipeline_id' : key;
    if (cut < 1) problems.push(`"${one}" is not NAME=VALUE: write the name of a claim, = and its value`);
    else if (!isMatchKey(key)) problems.push(unknownClaim(key, meantClaim(key, MATCH_KEYS), false));
    else if (claims.has(claim))
      problems.push(
        writtenAs.get(claim) === key
          ? `${key} is given twice: give it once`
          : 'pipeline and pipeline_id name the same claim: give one of them',
      );
    else if (key === 'pipeline' && !Object.hasOwn(policy.pipelines, value))
      problems.push(unknownPipeline(value, policy));
    else {
      claims.set(claim, key === 'pipeline' ? (policy.pipelines[value] ?? '') : value);
      writtenAs.set(claim, key);
    }
  }
  return problems.length > 0 ? { problems } : { claims };
}

function unknownPipeline(name: string, { pipelines }: Policy): string {
  const advice = meantOrKnown(name, Object.keys(pipelines));
  return `"${name}" is not a pipeline of this policy. ${advice}${advice.startsWith('Did') ? '' : ' Or give pipeline_id.'}`;
}
