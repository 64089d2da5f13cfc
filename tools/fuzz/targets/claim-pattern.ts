import { matchesPattern } from '../../../shared/core/policy/pattern.ts';
import { demand, type Target } from '../target.ts';

/** Of a policy. */
const LONGEST_PATTERN = 256;

export const target: Target = {
  claim: 'A pattern of the policy and a claim of a job: it matches as a matcher that goes cell by cell says.',
  files: ['shared/core/policy/pattern.ts'],
  seeds: ['release/*\nrelease/1', '**a*b**\naxxb', 'main\nmain', '*/*\n/', '😀*\n😀'],
  longest: LONGEST_PATTERN + 1024,
  run: (input) => {
    const [written = '', ...rest] = input.toString('utf8').split('\n');
    const pattern = written.slice(0, LONGEST_PATTERN);
    const value = rest.join('\n');
    demand(matchesPattern(pattern, value) === matches(pattern, value), 'both matchers agree');
  },
};

/** A run of one star is a star, a longer one crosses slashes. A cell says whether the first characters fit the first parts. */
function matches(pattern: string, value: string): boolean {
  const parts = pattern.match(/\*+|[^*]/gu) ?? [];
  const characters = [...value];
  let row = [true, ...characters.map(() => false)];
  for (const part of parts) {
    const next: boolean[] = [];
    for (let at = 0; at <= characters.length; at += 1) {
      const character = characters[at - 1];
      if (part.startsWith('*'))
        next[at] = row[at] === true || (at > 0 && next[at - 1] === true && (part.length > 1 || character !== '/'));
      else next[at] = at > 0 && row[at - 1] === true && character === part;
    }
    row = next;
  }
  return row[characters.length] === true;
}
