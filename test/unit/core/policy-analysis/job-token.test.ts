// What Keydesk refuses a job token for, before it looks at rules.

import { describe, expect, it } from 'vitest';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { readJobToken } from '../../../../shared/core/policy-analysis/job-token.ts';
import { AUDIENCE, ORGANIZATION_ID, PIPELINE_ID, policyData } from '../../../fixtures/policies.ts';

const PAYLOAD = {
  ...{ aud: AUDIENCE, iat: 1000, exp: 1300, organization_slug: 'acme-inc', organization_id: ORGANIZATION_ID },
  ...{ pipeline_slug: 'web', build_number: 1, build_branch: 'main', build_commit: 'c0ffee', build_source: 'ui' },
  ...{ job_id: PIPELINE_ID, agent_id: PIPELINE_ID },
};

function refusalsOf(change: object, organization: object = { slug: 'acme-inc', id: ORGANIZATION_ID }) {
  const result = parsePolicyData(policyData('acme-data', {}, { organization, rules: [] }));
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  const payload = Buffer.from(JSON.stringify({ ...PAYLOAD, ...change })).toString('base64url');
  const read = readJobToken(result.policy, `e30.${payload}.x`);
  if ('problem' in read) throw new Error(read.problem);
  return read.refusals;
}

describe('a job token', () => {
  it.each<[string, object, string[]]>([
    ['for nothing', {}, []],
    ['for another audience', { aud: 'https://other.example' }, ['job_token_audience_wrong']],
    ['for its lifetime', { exp: 100_000 }, ['job_token_lifetime_too_long']],
    ['for the slug of another organization', { organization_slug: 'other' }, ['job_token_organization_wrong']],
    ['for the ID of another organization', { organization_id: PIPELINE_ID }, ['job_token_organization_wrong']],
    ['not for an ID that it lacks', { organization_id: undefined }, []],
  ])('is refused %s', (_, change, refusals) => {
    expect(refusalsOf(change)).toEqual(refusals);
  });

  it('is not refused for an ID that the policy does not have', () => {
    expect(refusalsOf({ organization_id: PIPELINE_ID }, { slug: 'acme-inc' })).toEqual([]);
  });
});
