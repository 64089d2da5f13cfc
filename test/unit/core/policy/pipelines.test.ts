// Names of pipelines: the UUIDs that they mean, and the problems that are reported.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { account, DATASTORE, type Data, editor, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const OTHER_ID = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const valid = () =>
  policyData(
    'acme-staging',
    {
      export: {
        environment: 'staging',
        ttl: '10m',
        serviceAccount: { email: account('export', 'acme-staging'), scopes: [DATASTORE] },
      },
    },
    {
      pipelines: { web: PIPELINE_ID.toUpperCase(), 'web-release': OTHER_ID },
      rules: [{ name: 'deploy', match: { build_branch: 'main', pipeline: 'web' }, grants: ['export'] }],
    },
  );
const { changed, accepted } = editor<Data>(valid);

function problemsOf(change: (data: Data) => void): string[] {
  const result = parsePolicyData(changed(change));
  return 'policy' in result ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}
const match = (value: object) => (data: Data) => {
  data.rules[0].match = value;
};

describe('the name of a pipeline', () => {
  it('means the claim pipeline_id, in lower case', () => {
    expect(accepted().rules[0]?.match).toEqual({ pipeline_id: [PIPELINE_ID], build_branch: ['main'] });
  });

  it('may be one of several, and a number', () => {
    const policy = accepted((data) => {
      data.pipelines = { 42: PIPELINE_ID, 'web-release': OTHER_ID };
      data.rules[0].match = { pipeline: ['web-release', 42] };
    });
    expect(policy.rules[0]?.match).toEqual({ pipeline_id: [OTHER_ID, PIPELINE_ID] });
  });

  it.each<[string, (data: Data) => void, string[]]>([
    [
      'is misspelt',
      match({ pipeline: 'wbe' }),
      ['rules.0.match.pipeline.0: "wbe" is not a pipeline of this policy. Did you mean "web"?'],
    ],
    [
      'is not declared',
      match({ pipeline: ['web', 'docs-site'] }),
      ['rules.0.match.pipeline.1: "docs-site" is not a pipeline of this policy. Declare it in pipelines'],
    ],
    [
      'is inherited',
      match({ pipeline: 'constructor' }),
      ['rules.0.match.pipeline.0: "constructor" is not a pipeline of this policy. Declare it in pipelines'],
    ],
    [
      'is a pattern',
      match({ pipeline: 'web-*' }),
      [
        'rules.0.match.pipeline.0: "web-*" is not a pipeline of this policy. A name has no wildcards: write a pattern at pipeline_slug',
      ],
    ],
    [
      'is a UUID',
      match({ pipeline: PIPELINE_ID }),
      [
        `rules.0.match.pipeline.0: "${PIPELINE_ID}" is not a pipeline of this policy. Give it a name in pipelines, or write it at pipeline_id`,
      ],
    ],
    [
      'is in a rule with pipeline_id',
      match({ pipeline: 'web', pipeline_id: PIPELINE_ID }),
      ['rules.0.match.pipeline_id: is the claim that pipeline names. Keep one of the two'],
    ],
    [
      'has the UUID of another name',
      (data) => (data.pipelines.docs = OTHER_ID.toUpperCase()),
      ['pipelines.docs: has the same UUID as web-release. Correct one of them, or remove it'],
    ],
    ['has a slug in place of a UUID', (data) => (data.pipelines.docs = 'docs'), ['pipelines.docs: must be a UUID']],
    [
      'has a slash',
      (data) => (data.pipelines['a/b'] = '11111111-2222-4333-8444-555555555555'),
      ['pipelines.a/b: must be lower-case letters, digits and -'],
    ],
  ])('is refused when it %s', (_, change, problems) => {
    expect(problemsOf(change)).toEqual(problems);
  });

  it('is refused when the policy names no pipelines', () => {
    expect(problemsOf((data) => delete data.pipelines)).toEqual([
      'rules.0.match.pipeline.0: "web" is not a pipeline of this policy. Declare it in pipelines',
    ]);
  });
});
