// What is read and verified for a request whose rules have conditions: what those rules need, and nothing else.

import { describe, expect, it } from 'vitest';
import { emptyBuildRecord } from '../../../shared/core/conditions/build-record.ts';
import { decide } from '../../../shared/core/policy/decide.ts';
import { parsePolicyData } from '../../../shared/core/policy/policy.ts';
import { decideWithFacts } from '../../../shared/operations/decide-with-facts.ts';
import type { ConditionLedger, VerifyAgentToken } from '../../../shared/operations/ports.ts';
import { jobClaims } from '../../fixtures/job-claims.ts';
import { account, PIPELINE_ID } from '../../fixtures/policies.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 30, 20);
const [MANAGERS, PLATFORM] = ['11111111-0000-4000-8000-000000000000', '22222222-0000-4000-8000-000000000000'];
const BUILD = { pipeline_id: PIPELINE_ID, build_number: 7 };

const RULES = {
  approved: { approval: { step: 'approve', by: 'managers', within: '4h', not: 'creator' } },
  team: { match: { team: { name: 'platform' } } },
  aws: { agent: { provider: 'aws', claims: { role: 'ci' } } },
  gce: { agent: { provider: 'gce', claims: { role: 'ci' } } },
};
const provider = (name: string) => ({
  ...{ issuer: `https://${name}.example`, keys: `https://${name}.example/jwks`, audience: 'keydesk' },
  ...{ algorithms: ['RS256'], claims: { role: { setBy: 'platform' } } },
});
const credential = {
  ...{ environment: 'production', ttl: '10m' },
  serviceAccount: { email: account('export', 'acme'), scopes: ['https://scope.example'] },
};

/** Decides by the rules of these names, which grant one credential. What is known of the build is `known`. */
async function decideBy(
  names: readonly (keyof typeof RULES)[],
  agentToken?: string,
  known?: Partial<ReturnType<typeof emptyBuildRecord>>,
) {
  const parsed = parsePolicyData({
    version: 1,
    organization: { slug: 'acme-inc' },
    audience: 'https://keydesk.acme.example',
    environments: { production: {} },
    teams: { managers: MANAGERS, platform: PLATFORM },
    identityProviders: { aws: provider('aws'), gce: provider('gce') },
    credentials: { config: credential, other: credential },
    rules: [
      ...names.map((name) => {
        const { match = {}, ...rule } = { match: {}, ...RULES[name] };
        return { name, grants: ['config'], match: { pipeline_slug: 'app', ...match }, ...rule };
      }),
      // Of another credential: nothing of it is needed.
      { name: 'other', grants: ['other'], match: { pipeline_slug: 'app', team: { name: 'platform' } }, ...RULES.gce },
    ],
  });
  if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
  const claims = jobClaims({ ...BUILD, build_source: 'ui' });
  const decision = decide(parsed.policy, claims, 'config');
  if (decision.outcome !== 'conditional') throw new Error(decision.outcome);
  const verified: (readonly [string, readonly string[]])[] = [];
  const read: Parameters<ConditionLedger['facts']>[0][] = [];
  const looks: object[] = [];
  const verifyAgentToken: VerifyAgentToken = async (token, providers) => {
    verified.push([token, [...providers]]);
    return { agent: { provider: 'aws', claims: { role: 'ci' } } };
  };
  const conditionLedger: ConditionLedger = {
    facts: async (wanted) => {
      read.push(wanted);
      return { build: known && { ...emptyBuildRecord(BUILD, NOW), ...known }, teams: new Map() };
    },
    requestLook: async (build) => {
      looks.push(build);
    },
  };
  const deps = { policy: parsed, verifyAgentToken, conditionLedger, clock: new TestClock(NOW) };
  const decided = await decideWithFacts(deps, decision, { claims, agentToken });
  return { outcome: 'refusal' in decided ? decided.refusal.reason : decided.rule, verified, read, looks };
}

describe('a request whose rules have conditions', () => {
  it('has its token of the machine verified for the providers of these rules alone', async () => {
    expect(await decideBy(['aws'], 'token')).toEqual({
      ...{ outcome: 'aws', verified: [['token', ['aws']]], read: [], looks: [] },
    });
    expect((await decideBy(['gce', 'aws'], 'token')).verified).toEqual([['token', ['gce', 'aws']]]);
    expect((await decideBy(['approved'], 'token')).verified).toEqual([]);
    expect(await decideBy(['aws'])).toMatchObject({ outcome: 'agent_token_missing', verified: [] });
  });

  it('reads the build and the teams that these rules need', async () => {
    expect((await decideBy(['approved'])).read).toEqual([{ build: BUILD, teams: [MANAGERS] }]);
    expect((await decideBy(['team'])).read).toEqual([{ build: undefined, teams: [PLATFORM] }]);
    expect((await decideBy(['team', 'approved'])).read).toEqual([{ build: BUILD, teams: [PLATFORM, MANAGERS] }]);
  });

  const UNBLOCKED = [
    { job_id: 'job', step_key: 'approve', step_id: 'step', unblocked_by: 'mira', unblocked_at: NOW - 1_000 },
  ];
  const look = { ...BUILD, organization_slug: 'acme-inc', pipeline_slug: 'app' };

  it('has its build looked up while what it says may still change the decision, and not for anything else', async () => {
    expect(await decideBy(['approved'])).toMatchObject({ outcome: 'approval_pending', looks: [look] });
    expect(await decideBy(['approved'], undefined, { unblocks: UNBLOCKED })).toMatchObject({
      ...{ outcome: 'conditions_unknown', looks: [look] },
    });
    expect(
      await decideBy(['approved'], undefined, { unblocks: UNBLOCKED, creator_known: true, creator: 'mira' }),
    ).toMatchObject({ outcome: 'approval_not_accepted', looks: [look] });
    // A team is not known: the build would say nothing of it.
    expect(
      await decideBy(['approved'], undefined, { unblocks: UNBLOCKED, creator_known: true, creator: 'pat' }),
    ).toMatchObject({ outcome: 'conditions_unknown', looks: [] });
    expect(await decideBy(['team'])).toMatchObject({ outcome: 'conditions_unknown', looks: [] });
  });
});
