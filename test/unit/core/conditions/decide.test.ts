// What a decision by rules with conditions says of each rule, for the log and for people, and what it responds.

import { describe, expect, it } from 'vitest';
import { emptyBuildRecord, type Unblock } from '../../../../shared/core/conditions/build-record.ts';
import { decideConditions } from '../../../../shared/core/conditions/decide.ts';
import type { Facts } from '../../../../shared/core/conditions/judge.ts';
import { addCopy } from '../../../../shared/core/conditions/team-record.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { jobClaims } from '../../../fixtures/job-claims.ts';
import { account, PIPELINE_ID } from '../../../fixtures/policies.ts';

const NOW = Date.UTC(2026, 10, 30, 20);
const [MANAGERS, PLATFORM] = ['11111111-0000-4000-8000-000000000000', '22222222-0000-4000-8000-000000000000'];
const BUILD = { pipeline_id: PIPELINE_ID, build_number: 7 };
const approval = { step: 'approve', by: 'managers', within: '4h', not: 'creator' };
const team = { name: 'platform', access: 'build_and_read' };

const RULES = {
  approved: { approval },
  machine: { agent: { provider: 'aws', claims: { role: 'ci' } } },
  again: { agent: { provider: 'aws', claims: { role: 'other' } } },
  gce: { agent: { provider: 'gce', claims: { role: 'ci' } } },
  team: { match: { team } },
  created: { match: { created_by: { team: 'platform' }, build_source: 'ui' } },
  both: { match: { team }, approval },
  elsewhere: { match: { pipeline_slug: 'other' }, approval },
};
const credential = {
  ...{ environment: 'production', ttl: '10m' },
  serviceAccount: { email: account('export', 'acme'), scopes: ['https://scope.example'] },
};

const copy = (members: string[], access: 'read_only' | 'build_and_read') =>
  addCopy(undefined, { members, pipelines: { [PIPELINE_ID]: access }, paged: false }, NOW - 1_000);
const NOBODY = { members: [], paged: false };
const unblock = (unblocked_by: string): Unblock => ({
  ...{ job_id: 'unblock', step_key: 'approve', step_id: 'step', unblocked_by, unblocked_at: NOW - 1_000 },
});
const build = (more: Partial<Facts['build']>) => ({
  ...{ ...emptyBuildRecord(BUILD, NOW), creator_known: true, creator: 'pat' },
  ...more,
});
const KNOWN: Facts = {
  build: build({ unblocks: [unblock('mira')] }),
  teams: new Map([
    [MANAGERS, copy(['mira'], 'read_only')],
    [PLATFORM, copy(['pat'], 'build_and_read')],
  ]),
  agent: { provider: 'aws', claims: { role: 'ci' } },
};
const READ_ONLY = new Map([...KNOWN.teams, [PLATFORM, copy(['pat'], 'read_only')]]);

const provider = (name: string) => ({
  ...{ issuer: `https://${name}.example`, keys: `https://${name}.example/jwks`, audience: 'keydesk' },
  ...{ algorithms: ['RS256'], claims: { role: { setBy: 'platform' } } },
});

function decideBy(names: readonly (keyof typeof RULES)[], changed: Partial<Facts>) {
  const parsed = parsePolicyData({
    version: 1,
    organization: { slug: 'acme-inc' },
    audience: 'https://keydesk.acme.example',
    environments: { production: {} },
    teams: { managers: MANAGERS, platform: PLATFORM },
    identityProviders: { aws: provider('aws'), gce: provider('gce') },
    credentials: { config: credential },
    rules: names.map((name) => {
      const { match = {}, ...rule } = { match: {}, ...RULES[name] };
      return { name, grants: ['config'], match: { pipeline_slug: 'app', ...match }, ...rule };
    }),
  });
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { policy } = parsed;
  const claims = jobClaims({ ...BUILD, build_source: 'ui' });
  const decision = decide(policy, claims, 'config');
  if (decision.outcome !== 'conditional') throw new Error(decision.outcome);
  const judged = decideConditions(decision, { claims, facts: { ...KNOWN, ...changed }, policy, now: NOW });
  const trace = judged.trace.map(({ checks: _, ...traced }) => traced);
  return { ...judged, trace };
}

describe('a decision by rules with conditions', () => {
  it('grants by the first rule that holds, and says of the others what they lack', () => {
    expect(decideBy(['elsewhere', 'approved', 'both', 'machine'], { teams: READ_ONLY })).toMatchObject({
      ...{ outcome: 'granted', rule: 'approved', credentialName: 'config', basis: { team: null } },
      trace: [
        { rule: 'elsewhere', outcome: 'claim_mismatch' },
        { rule: 'approved', outcome: 'granted' },
        { rule: 'both', outcome: 'condition_unmet', condition: 'team', reason: 'team_access_too_low' },
        { rule: 'machine', outcome: 'granted' },
      ],
    });
  });

  it.each([
    [
      'approved',
      { build: build({}) },
      { reason: 'approval_pending', step: 'approve' },
      { outcome: 'approval_pending', condition: 'approval' },
    ],
    [
      'approved',
      { build: build({ unblocks: [unblock('pat')] }) },
      { reason: 'approval_not_accepted', step: 'approve', problem: 'approver_is_creator' },
      { outcome: 'condition_unmet', condition: 'approval', reason: 'approver_is_creator' },
    ],
    [
      'approved',
      { teams: new Map() },
      { reason: 'conditions_unknown', unknown: 'team', team: 'managers' },
      { outcome: 'condition_unknown', condition: 'approval', reason: 'team', team: 'managers' },
    ],
    [
      'approved',
      { build: build({ unblocks: [unblock('mira')], creator_known: false }) },
      { reason: 'conditions_unknown', unknown: 'build' },
      { outcome: 'condition_unknown', condition: 'approval', reason: 'build' },
    ],
    [
      'machine',
      { agent: undefined },
      { reason: 'agent_token_missing', providers: ['aws'] },
      { outcome: 'condition_unmet', condition: 'agent', reason: 'agent_token_missing' },
    ],
    [
      'both',
      { teams: READ_ONLY },
      { reason: 'no_matching_rule' },
      { outcome: 'condition_unmet', condition: 'team', reason: 'team_access_too_low', team: 'platform' },
    ],
    [
      'team',
      { teams: new Map([...KNOWN.teams, [PLATFORM, addCopy(undefined, { ...NOBODY, pipelines: {} }, NOW - 1_000)]]) },
      { reason: 'no_matching_rule' },
      { outcome: 'condition_unmet', condition: 'team', reason: 'pipeline_not_in_team', team: 'platform' },
    ],
    [
      'created',
      { build: build({ creator: 'lee' }) },
      { reason: 'no_matching_rule' },
      { outcome: 'condition_unmet', condition: 'created_by', reason: 'creator_not_in_team', team: 'platform' },
    ],
    [
      'approved',
      { build: build({ unblocks: [unblock('lee')] }) },
      { reason: 'approval_not_accepted', step: 'approve', problem: 'approver_not_in_team', team: 'managers' },
      { outcome: 'condition_unmet', condition: 'approval', reason: 'approver_not_in_team', team: 'managers' },
    ],
  ] as const)('by the rule %s refuses, where %j differs', (rule, changed, refused, traced) => {
    expect(decideBy([rule], changed as Partial<Facts>)).toStrictEqual({
      ...{ outcome: 'refused', ...refused },
      trace: [{ rule, ...traced }],
    });
  });

  it('names each identity provider once whose token is missing, in the order of the rules', () => {
    const rules = ['machine', 'elsewhere', 'gce', 'approved', 'again'] as const;
    const judged = decideBy(rules, { agent: undefined, build: build({ unblocks: [unblock('lee')] }) });
    expect(judged).toMatchObject({ reason: 'agent_token_missing', providers: ['aws', 'gce'] });
  });
});
