// What a policy may say and its author probably does not mean: the example policy with one thing changed.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { policyHints } from '../../../../shared/core/policy/hints.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import type { Policy } from '../../../../shared/core/policy/policy.ts';
import { PIPELINE_ID } from '../../../fixtures/policies.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const replaced = (...changes: [before: string, after: string][]) =>
  changes.reduce((text, [before, after]) => {
    expect(text).toContain(before);
    return text.replaceAll(before, after);
  }, EXAMPLE);
function parsed(text: string): Policy {
  const result = parsePolicy(text, 'policy.yaml');
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result.policy;
}

describe('hints', () => {
  const hintsIn = (text: string) =>
    policyHints(parsed(text)).map(({ path, message }) => `${path.join('.')} ${message}`);

  it('are none for the example policy', () => {
    expect(hintsIn(EXAMPLE)).toEqual([]);
  });

  it.each<[string, [before: string, after: string], string]>([
    [
      'a ttl under six minutes',
      ['ttl: 10m\n    firestore', 'ttl: 359s\n    firestore'],
      'credentials.production-config.ttl is under 6m',
    ],
    ['no organization id', [', id: f892efa9-103e-4d28-97a1-3b8616a0994d', ''], 'organization has no id'],
    [
      'an environment without credentials',
      ['  staging: {}', '  staging: {}\n  test: {}'],
      'environments.test has no credential',
    ],
    ['a credential of no rule', [', staging-cache]', ']'], 'credentials.staging-cache is granted by no rule'],
    [
      'a beginning',
      ['build_source: [webhook, ui]\n    grants', 'build_source: ["^ui"]\n    grants'],
      'rules.0.match.build_source.0 "^ui" looks like',
    ],
    [
      'an end',
      ['build_source: [webhook, ui]\n    grants', 'build_source: [ui$]\n    grants'],
      'rules.0.match.build_source.0 "ui$" looks like',
    ],
    [
      'alternatives',
      ['build_source: [webhook, ui]\n    grants', 'build_source: webhook|ui\n    grants'],
      '"webhook|ui" looks like',
    ],
    [
      'a dot and a star',
      ['[main, "release/*"]', '"release/.*"'],
      'rules.0.match.build_branch.0 "release/.*" looks like',
    ],
  ])('are one for %s', (_, change, hint) => {
    const [found, ...more] = hintsIn(replaced(change));
    expect(more).toEqual([]);
    expect(found).toContain(hint);
  });

  it('are none for a ttl of six minutes', () => {
    expect(hintsIn(replaced(['ttl: 10m', 'ttl: 6m']))).toEqual([]);
  });

  it.each([
    ['by slug only', 'pipeline_slug: app', 1],
    ['by slug and any id', 'pipeline_slug: app\n      pipeline_id: "*"', 1],
    ['by slug and id', `pipeline_slug: app\n      pipeline_id: ${PIPELINE_ID}`, 0],
    ['by slug and cluster', `pipeline_slug: app\n      cluster_id: ${PIPELINE_ID}`, 0],
  ])('are one for each rule that narrows %s, if that is a risk', (_, narrowing, expected) => {
    const hints = hintsIn(replaced(['pipeline: web\n', `${narrowing}\n`]));
    expect(hints.filter((hint) => hint.includes('narrows by slug only'))).toHaveLength(expected);
    expect(hints).toHaveLength(expected);
  });
});
