import { describe, expect, it } from 'vitest';
import { type JobClaims, parseClaims } from '../../../../shared/core/policy/claims.ts';
import { type Decision, decide } from '../../../../shared/core/policy/decide.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';

const PIPELINE = '0184990a-4782-42b5-afc1-16715b10b1f0';
const ORGANIZATION = 'f892efa9-103e-4d28-97a1-3b8616a0994d';
const OTHER_UUID = '11111111-2222-4333-8444-555555555555';

type Job = Readonly<Record<string, string | number | readonly string[]>>;
interface RuleData {
  readonly name: string;
  readonly match: Job;
  readonly grants: readonly string[];
}

const deploy: RuleData = {
  name: 'deploy',
  match: { pipeline_id: PIPELINE, build_branch: ['main', 'release/*'] },
  grants: ['web'],
};

function policyWith(rules: readonly RuleData[], organization: object = { slug: 'acme-inc', id: ORGANIZATION }): Policy {
  const account = (name: string) => ({
    environment: 'staging',
    ttl: '10m',
    serviceAccount: {
      email: `${name}-ci@acme-staging.iam.gserviceaccount.com`,
      scopes: ['https://www.googleapis.com/auth/datastore'],
    },
  });
  const result = parsePolicyData({
    version: 1,
    organization,
    audience: 'https://keydesk.acme.example',
    environments: { staging: {} },
    credentials: { web: account('web'), other: account('other'), constructor: account('constructor') },
    rules,
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

/** The claims of a job that `deploy` matches, with `change` applied. Null and undefined remove a claim. */
function claimsWith(change: Readonly<Record<string, unknown>> = {}): JobClaims {
  const payload = {
    organization_slug: 'acme-inc',
    organization_id: ORGANIZATION,
    pipeline_slug: 'app',
    pipeline_id: PIPELINE,
    build_number: 42,
    build_branch: 'main',
    build_tag: null,
    build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
    build_source: 'webhook',
    step_key: 'deploy',
    job_id: '0184990a-477b-4fa8-9968-496074483cee',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
    'agent_tag:queue': 'deploy',
    ...change,
  };
  // As JSON: a token cannot hold undefined.
  const result = parseClaims(JSON.parse(JSON.stringify(payload)));
  if ('invalidClaim' in result) throw new Error(result.invalidClaim);
  return result.claims;
}

const outcome = (decision: Decision) => (decision.outcome === 'refused' ? decision.reason : decision.outcome);
const decided = (rules: readonly RuleData[], change?: Readonly<Record<string, unknown>>, name = 'web') =>
  outcome(decide(policyWith(rules), claimsWith(change), name));
const withJob = (job: Job) => [{ ...deploy, match: { pipeline_id: PIPELINE, ...job } }];

describe('the decision', () => {
  it('grants the credentials of a rule to a job when every claim of the rule matches, and names the rule', () => {
    const policy = policyWith([deploy]);
    expect(decide(policy, claimsWith(), 'web')).toEqual({
      outcome: 'granted',
      credentialName: 'web',
      credential: policy.credentials.web,
      rule: 'deploy',
      trace: [
        {
          rule: 'deploy',
          outcome: 'granted',
          checks: [
            { claim: 'pipeline_id', patterns: [PIPELINE], value: PIPELINE, matched: true },
            { claim: 'build_branch', patterns: ['main', 'release/*'], value: 'main', matched: true },
          ],
        },
      ],
    });
  });

  it('is the same each time, and does not change its arguments', () => {
    const policy = policyWith([deploy]);
    const claims = claimsWith();
    const before = structuredClone(claims);
    const first = decide(policy, Object.freeze(claims), 'web');
    decide(policy, claimsWith({ build_branch: 'evil' }), 'web');
    expect(decide(policy, claims, 'web')).toEqual(first);
    expect(claims).toEqual(before);
  });

  it.each([
    ['another pipeline', { pipeline_id: OTHER_UUID }],
    ['another branch', { build_branch: 'mainx' }],
    ['a branch one level deeper', { build_branch: 'release/1/2' }],
  ])('refuses a job of %s', (_, change) => {
    expect(decided([deploy], change)).toBe('no_matching_rule');
  });

  it('refuses everything to a policy without rules', () => {
    expect(decided([])).toBe('no_matching_rule');
  });

  it('refuses a credential that only another rule grants, although this rule matches the job', () => {
    const rules = [
      deploy,
      { ...deploy, name: 'other', match: { ...deploy.match, build_branch: 'x' }, grants: ['other'] },
    ];
    expect(decided(rules, {}, 'other')).toBe('no_matching_rule');
    expect(decided(rules, {}, 'web')).toBe('granted');
  });

  it('accepts any value of a list', () => {
    expect(decided([deploy], { build_branch: 'release/2' })).toBe('granted');
    expect(decided(withJob({ step_key: ['build', 'deploy'] }))).toBe('granted');
    expect(decided(withJob({ step_key: ['build', 'test'] }))).toBe('no_matching_rule');
  });

  it('requires all claims of a rule, not any of them', () => {
    expect(decided(withJob({ step_key: 'deploy', build_source: 'webhook' }))).toBe('granted');
    expect(decided(withJob({ step_key: 'deploy', build_source: 'ui' }))).toBe('no_matching_rule');
    expect(decided(withJob({ step_key: 'build', build_source: 'webhook' }))).toBe('no_matching_rule');
  });

  it.each([
    ['step_key', '**'],
    ['build_source', '**'],
    ['build_tag', '**'],
    ['runner_environment', '*'],
    ['step_key', 'null'],
    ['step_key', 'undefined'],
  ])('lets a %s that is null or absent match nothing, not even %s', (claim, pattern) => {
    expect(decided(withJob({ [claim]: pattern }), { [claim]: null })).toBe('no_matching_rule');
    expect(decided(withJob({ [claim]: pattern }), { [claim]: undefined })).toBe('no_matching_rule');
  });

  it('does not match a hosted job, or a job without the claim, when a rule names self-hosted agents', () => {
    const selfHosted = withJob({ runner_environment: 'self-hosted' });
    expect(decided(selfHosted, { runner_environment: 'self-hosted' })).toBe('granted');
    expect(decided(selfHosted, { runner_environment: 'buildkite-hosted' })).toBe('no_matching_rule');
    expect(decided(selfHosted)).toBe('no_matching_rule');
  });

  it('does not match a job outside of the queue that a rule names, whatever its step key', () => {
    const signed = withJob({ step_key: 'deploy', queue_id: OTHER_UUID });
    expect(decided(signed, { queue_id: OTHER_UUID })).toBe('granted');
    expect(decided(signed, { queue_id: PIPELINE })).toBe('no_matching_rule');
    expect(decided(signed)).toBe('claims_missing');
  });

  it('compares build numbers as text', () => {
    expect(decided(withJob({ build_number: 42 }))).toBe('granted');
    expect(decided(withJob({ build_number: '4*' }))).toBe('granted');
    expect(decided(withJob({ build_number: 4 }))).toBe('no_matching_rule');
  });

  it('compares agent tags by their full name', () => {
    expect(decided(withJob({ 'agent_tag:queue': 'deploy' }))).toBe('granted');
    expect(decided(withJob({ 'agent_tag:queue': 'build' }))).toBe('no_matching_rule');
    expect(decided(withJob({ 'agent_tag:queue': 'deploy' }), { 'agent_tag:queue': 'deploy2' })).toBe(
      'no_matching_rule',
    );
  });

  it('names the first of several rules that grant', () => {
    const rules = [
      { ...deploy, name: 'first', match: { ...deploy.match, build_branch: 'x' } },
      { ...deploy, name: 'second' },
      { ...deploy, name: 'third' },
    ];
    const decision = decide(policyWith(rules), claimsWith(), 'web');
    expect(decision).toMatchObject({ outcome: 'granted', rule: 'second' });
    expect(decision.trace.map(({ rule, outcome }) => [rule, outcome])).toEqual([
      ['first', 'claim_mismatch'],
      ['second', 'granted'],
      ['third', 'granted'],
    ]);
  });

  it('has the outcome of each rule, in the order of the policy', () => {
    const rules = [
      { ...deploy, name: 'elsewhere', grants: ['other'] },
      { ...deploy, name: 'other step', match: { ...deploy.match, step_key: 'build' } },
      { ...deploy, name: 'a source', match: { ...deploy.match, build_source: '*' } },
    ];
    const { trace } = decide(policyWith(rules), claimsWith({ build_source: null }), 'web');
    const branch = { claim: 'build_branch', patterns: ['main', 'release/*'], value: 'main', matched: true };
    const pipeline = { claim: 'pipeline_id', patterns: [PIPELINE], value: PIPELINE, matched: true };
    expect(trace).toEqual([
      { rule: 'elsewhere', outcome: 'other_credential', checks: [] },
      {
        rule: 'other step',
        outcome: 'claim_mismatch',
        checks: [pipeline, branch, { claim: 'step_key', patterns: ['build'], value: 'deploy', matched: false }],
      },
      {
        rule: 'a source',
        outcome: 'claim_mismatch',
        checks: [pipeline, branch, { claim: 'build_source', patterns: ['*'], value: null, matched: false }],
      },
    ]);
  });
});

describe('a tag build', () => {
  it.each([
    ['named main, against a rule about the branch main', { build_branch: 'main' }, 'main', 'no_matching_rule'],
    ['against a rule about branch and tag', { build_branch: 'v*', build_tag: 'v*' }, 'v1', 'granted'],
    ['against a rule about another tag', { build_branch: 'v*', build_tag: 'w*' }, 'v1', 'no_matching_rule'],
    ['against a rule about the tag only', { build_tag: 'v*' }, 'v1', 'granted'],
    ['against a rule about neither', { step_key: 'deploy' }, 'v1', 'granted'],
  ])('%s', (_, job, tag, expected) => {
    expect(decided(withJob(job), { build_tag: tag, build_branch: tag })).toBe(expected);
  });

  it('has an outcome of its own in the trace when the rule names no tag', () => {
    const { trace } = decide(policyWith([deploy]), claimsWith({ build_tag: 'main' }), 'web');
    expect(trace[0]?.outcome).toBe('tag_not_allowed');
  });

  it('is the only match of a rule that names build_tag', () => {
    expect(decided(withJob({ build_branch: '**', build_tag: '**' }))).toBe('no_matching_rule');
  });
});

describe('a claim that a job did not request', () => {
  it.each([
    ['pipeline_id', deploy.match],
    ['cluster_id', { cluster_id: OTHER_UUID }],
    ['queue_key', { pipeline_slug: 'app', queue_key: 'deploy' }],
    ['agent_tag:zone', { pipeline_slug: 'app', 'agent_tag:zone': 'a' }],
  ])('is named: %s', (claim, job) => {
    const rules = [{ ...deploy, match: job }];
    expect(decide(policyWith(rules), claimsWith({ [claim]: undefined }), 'web')).toMatchObject({
      outcome: 'refused',
      reason: 'claims_missing',
      missing: [claim],
    });
  });

  it('is named in one response, in alphabetical order, for credentials that exist, that do not, and that another rule grants', () => {
    const rules = [
      deploy,
      { ...deploy, name: 'other', match: { queue_key: 'q', cluster_id: OTHER_UUID }, grants: ['other'] },
    ];
    const responses = ['web', 'other', 'constructor', 'unknown', '__proto__', 'toString', ''].map((name) => {
      const decision = decide(policyWith(rules), claimsWith({ build_branch: 'x' }), name);
      const { trace: _, ...response } = decision;
      return response;
    });
    for (const response of responses)
      expect(response).toEqual({ outcome: 'refused', reason: 'claims_missing', missing: ['cluster_id', 'queue_key'] });
  });

  it('is not needed when a rule grants without it', () => {
    const rules = [deploy, { ...deploy, name: 'other', match: { cluster_id: OTHER_UUID }, grants: ['other'] }];
    expect(decided(rules)).toBe('granted');
  });

  it('is not reported as missing when no job can request it', () => {
    expect(decided(withJob({ build_source: 'webhook' }), { build_source: null })).toBe('no_matching_rule');
    expect(decided(withJob({ build_tag: 'v*' }))).toBe('no_matching_rule');
  });
});

describe('an unknown credential', () => {
  it.each(['unknown', '', 'toString', '__proto__', 'hasOwnProperty', 'WEB', 'web '])('is %j', (name) => {
    expect(decided([deploy], {}, name)).toBe('unknown_credential');
  });

  it('is not one called constructor, which only a rule opens', () => {
    expect(decided([deploy], {}, 'constructor')).toBe('no_matching_rule');
    expect(decided([{ ...deploy, grants: ['constructor'] }], {}, 'constructor')).toBe('granted');
  });
});

describe('the organization', () => {
  it('of the same slug but another UUID gets nothing, since Buildkite can assign a slug again', () => {
    expect(decided([deploy], { organization_id: OTHER_UUID })).toBe('no_matching_rule');
  });

  it('whose UUID the token lacks is reported as a missing claim for any credential', () => {
    for (const name of ['web', 'unknown'])
      expect(decide(policyWith([deploy]), claimsWith({ organization_id: null }), name)).toMatchObject({
        reason: 'claims_missing',
        missing: ['organization_id'],
      });
  });

  it('is compared whatever the case of the UUID in the token', () => {
    expect(decided([deploy], { organization_id: ORGANIZATION.toUpperCase() })).toBe('granted');
  });

  it('needs no UUID when the policy gives none', () => {
    const policy = policyWith([deploy], { slug: 'acme-inc' });
    for (const organization_id of [null, ORGANIZATION])
      expect(outcome(decide(policy, claimsWith({ organization_id }), 'web'))).toBe('granted');
    const elsewhere = claimsWith({ organization_id: null, build_branch: 'x' });
    expect(outcome(decide(policy, elsewhere, 'web'))).toBe('no_matching_rule');
  });
});

describe('a pipeline', () => {
  it('of the same slug but another UUID is refused by a rule that names the UUID', () => {
    const rules = withJob({ pipeline_slug: 'app' });
    expect(decided(rules)).toBe('granted');
    expect(decided(rules, { pipeline_id: OTHER_UUID })).toBe('no_matching_rule');
  });

  it('is compared whatever the case of the UUID in the token', () => {
    expect(decided([deploy], { pipeline_id: PIPELINE.toUpperCase() })).toBe('granted');
  });

  it('is compared whatever the case of the UUID in the policy', () => {
    expect(decided([{ ...deploy, match: { pipeline_id: PIPELINE.toUpperCase() } }])).toBe('granted');
  });
});
