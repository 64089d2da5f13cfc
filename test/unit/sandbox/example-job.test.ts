// Example jobs of rules: whatever is derived is granted, as the fake Buildkite sends it, and rules that no job meets give none.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exampleJobFor } from '../../../sandbox/example-job.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';

const PIPELINE = '0184990a-4782-42b5-afc1-16715b10b1f0';

function policyWith(match: string, more = ''): Policy {
  const text = `
version: 1
organization: { slug: other-inc }
audience: https://keydesk.other.example
environments: { staging: {} }
pipelines: { web: ${PIPELINE} }
teams: { managers: 0184990a-4782-42b5-afc1-16715b10c001 }
credentials:
  export:
    environment: staging
    ttl: 10m
    serviceAccount: { email: export@other.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
rules: [{ name: a rule, match: ${match}, grants: [export]${more} }]`;
  const parsed = parsePolicy(text, 'policy.yaml');
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  return parsed.policy;
}

it.each([
  ['{ pipeline: web }', { pipeline_id: PIPELINE, pipeline_slug: 'web' }],
  [
    '{ pipeline_slug: "web-*", build_branch: "release/*" }',
    { pipeline_slug: 'web-example', build_branch: 'release/example' },
  ],
  ['{ pipeline: web, build_tag: "v*" }', { build_tag: 'v1', build_branch: 'v1' }],
  ['{ pipeline: web, build_branch: "v*", build_tag: "v*.1" }', { build_tag: 'v1.1', build_branch: 'v1.1' }],
  ['{ pipeline: web, build_branch: "*", build_source: "*" }', { build_branch: 'main', build_source: 'webhook' }],
  ['{ pipeline: web, build_source: [schedule], step_key: export }', { build_source: 'schedule', step_key: 'export' }],
  ['{ pipeline: web, build_number: "7*" }', { build_number: 71 }],
  ['{ pipeline: web, "agent_tag:queue": "deploy-*" }', { 'agent_tag:queue': 'deploy-example' }],
  ['{ pipeline: web, cluster_id: "0199*" }', { cluster_id: '0199990a-4782-42b5-afc1-16715b10b1f0' }],
])('derives a job from %s', (match, claims) => {
  expect(exampleJobFor(policyWith(match), 'export')).toEqual({
    rule: 'a rule',
    claims: expect.objectContaining(claims),
    conditions: {},
  });
});

it.each([
  ['{ pipeline: web, build_source: [ui, api], created_by: { team: managers } }', ''],
  ['{ pipeline_slug: "web-*", team: { name: managers, access: build_and_read } }', ''],
  ['{ pipeline: web }', ', approval: { step: approve, by: managers, within: 4h, not: creator }'],
])('derives one from a rule with conditions, and says which: %s%s', (match, more) => {
  const policy = policyWith(match, more);
  const { conditions } = policy.rules[0] ?? {};
  expect(exampleJobFor(policy, 'export')).toMatchObject({ rule: 'a rule', conditions });
  expect(Object.keys(conditions ?? {})).toHaveLength(1);
});

it('of two rules, the one without conditions grants', () => {
  const rules =
    ', approval: { step: approve, by: managers, within: 4h } }, { name: free, match: { pipeline: web }, grants: [export]';
  expect(exampleJobFor(policyWith('{ pipeline: web }', rules), 'export')).toMatchObject({
    rule: 'free',
    conditions: {},
  });
});

it.each([
  '{ pipeline: web, build_branch: main, build_tag: "v*" }',
  '{ pipeline: web, build_branch: "v*", build_tag: "release-*" }',
])('derives none from %s, which no job meets', (match) => {
  expect(exampleJobFor(policyWith(match), 'export')).toBeUndefined();
});

it('derives one for every credential of the example policy, and none for an unknown credential', () => {
  const parsed = parsePolicy(readFileSync('examples/policy.yaml', 'utf8'), 'examples/policy.yaml');
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const { policy } = parsed;
  for (const credential of Object.keys(policy.credentials))
    expect([credential, exampleJobFor(policy, credential)?.rule]).toEqual([credential, expect.any(String)]);
  expect(exampleJobFor(policy, 'none')).toBeUndefined();
});
