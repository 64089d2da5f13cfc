import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromCheckedPolicy, toCheckedPolicy } from '../../../../shared/core/policy/checked-policy.ts';
import { type LoadedPolicy, parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { everyKindPolicyText } from '../../../fixtures/policies.ts';

function load(text: string): LoadedPolicy {
  const loaded = parsePolicy(text, 'policy.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  return loaded;
}

const TEXTS = {
  example: readFileSync('examples/policy.yaml', 'utf8'),
  'every kind': everyKindPolicyText('acme-staging'),
};

describe('the checked policy', () => {
  it.each(Object.entries(TEXTS))('is the policy of its file: %s', (_, text) => {
    const loaded = load(text);
    const policy = fromCheckedPolicy(toCheckedPolicy(loaded, '0.1.0'), { version: '0.1.0', sha256: loaded.sha256 });
    expect(policy).toStrictEqual(loaded.policy);
    // The order of a map decides the order of what is shown.
    expect(JSON.stringify(policy)).toBe(JSON.stringify(loaded.policy));
  });

  const loaded = load(TEXTS.example);
  const contents = toCheckedPolicy(loaded, '0.1.0');
  it.each([
    ['of another file', contents, load(`${TEXTS.example}\n`).sha256],
    ['of another release', toCheckedPolicy(loaded, '0.0.9'), loaded.sha256],
    ['cut off', contents.slice(0, -1), loaded.sha256],
    ['empty', '', loaded.sha256],
    ['null', 'null', loaded.sha256],
    ['a list', '[]', loaded.sha256],
  ])('is not used when it is %s', (_, text, sha256) => {
    expect(fromCheckedPolicy(text, { version: '0.1.0', sha256 })).toBeUndefined();
  });
});
