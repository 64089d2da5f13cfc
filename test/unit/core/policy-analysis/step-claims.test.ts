// What the variables of a step say of its job token: nothing where a variable could be of several claims.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { readStepClaims } from '../../../../shared/core/policy-analysis/step-claims.ts';
import { policyData } from '../../../fixtures/policies.ts';

const CLUSTER = '0184990c-0000-4000-8000-000000000000';
const QUEUE = { BUILDKITE_AGENT_META_DATA_QUEUE: 'deploy' };

function claimsOf(tags: readonly string[], variables: Readonly<Record<string, string>>): object {
  const match = Object.fromEntries(tags.map((tag) => [`agent_tag:${tag}`, 'linux']));
  const bucket = {
    serviceAccount: 'cache-ci@acme-ci-pool.iam.gserviceaccount.com',
    bucket: 'acme',
    role: 'roles/storage.objectUser',
  };
  const result = parsePolicyData(
    policyData(
      'acme-data',
      { cache: { environment: 'staging', ttl: '10m', storage: bucket } },
      {
        environments: { staging: {} },
        pipelines: {},
        rules: [{ name: 'build', match: { pipeline_slug: 'web', ...match }, grants: ['cache'] }],
      },
    ),
  );
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  const read = readStepClaims(result.policy, variables);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return Object.fromEntries(read.job);
}

describe('the variables of a step', () => {
  it('say the value of a tag that a rule names', () => {
    expect(claimsOf(['os'], { BUILDKITE_AGENT_META_DATA_OS: 'linux' })).toEqual({ 'agent_tag:os': 'linux' });
  });

  it('say nothing of tags that share a variable', () => {
    expect(claimsOf(['os', 'Os', 'arch'], { BUILDKITE_AGENT_META_DATA_OS: 'linux' })).toEqual({});
  });

  it("say the queue's key in a cluster, and not elsewhere", () => {
    expect(claimsOf([], { ...QUEUE, BUILDKITE_CLUSTER_ID: CLUSTER })).toEqual({
      queue_key: 'deploy',
      cluster_id: CLUSTER,
    });
    expect(claimsOf([], QUEUE)).toEqual({});
    expect(claimsOf([], { ...QUEUE, BUILDKITE_CLUSTER_ID: '' })).toEqual({ cluster_id: null });
    expect(claimsOf(['queue'], QUEUE)).toEqual({ 'agent_tag:queue': 'deploy' });
  });
});
