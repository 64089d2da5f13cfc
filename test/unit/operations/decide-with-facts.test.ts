// When a token of the machine is verified, and what a bad one means where another rule demands none.
// Source: RFC 8693 section 2.2.2: invalid_request where the actor_token is invalid for any reason.

import { describe, expect, it } from 'vitest';
import { addCopy } from '../../../shared/core/conditions/team-record.ts';
import type { JobClaims } from '../../../shared/core/policy/claims.ts';
import { decide } from '../../../shared/core/policy/decide.ts';
import { decideWithFacts } from '../../../shared/operations/decide-with-facts.ts';
import type { VerifyAgentToken } from '../../../shared/operations/ports.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { jobClaims } from '../../fixtures/job-claims.ts';
import { AUDIENCE, credentialsNamed, type Data, editor, PIPELINE_ID, policyData } from '../../fixtures/policies.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const PLATFORM = '0184990a-4782-42b5-afc1-16715b10c001';
const NOW = Date.UTC(2026, 10, 24, 10);
const CREDENTIAL = 'staging-export';
const match = { pipeline_slug: 'app' };
const grants = [CREDENTIAL];
const BY_MACHINE = {
  ...{ name: 'by a machine', match, grants },
  agent: { provider: 'cluster', claims: { sub: 'agents' } },
};
const BY_TEAM = { name: 'of the team', match: { ...match, team: { name: 'platform' } }, grants };
const FOR_ALL = { name: 'for everybody', match, grants };

const provider = (host: string) => ({
  ...{ issuer: `https://${host}.acme.example`, keys: `https://${host}.acme.example/keys` },
  ...{ audience: AUDIENCE, algorithms: ['RS256'], claims: { sub: { setBy: 'platform' } } },
});
const policies = editor(
  (): Data =>
    policyData('acme-data', credentialsNamed([CREDENTIAL], 'acme-data'), {
      teams: { platform: PLATFORM },
      identityProviders: { cluster: provider('cluster'), other: provider('other') },
    }),
);

const BAD_TOKEN = 'agent_token_signature_invalid';
const BAD: VerifyAgentToken = async () => ({ refusal: { reason: BAD_TOKEN } });
const ofMachine =
  (sub: string): VerifyAgentToken =>
  async () => ({ agent: { provider: 'cluster', claims: { sub } } });
const KEYS_UNREACHABLE: VerifyAgentToken = () =>
  Promise.reject(new DependencyError('keys of cluster', 'timed_out', 'the test took them down'));
const NOT_LOOKED_AT: VerifyAgentToken = () => Promise.reject(new Error('nobody demands the token'));

/** The rule that grants, or why none does. The pipeline is in the team. */
async function decided(rules: readonly object[], agentToken: string | undefined, verify: VerifyAgentToken) {
  const policy = policies.accepted((data) => {
    data.rules = [...rules];
  });
  const claims: JobClaims = jobClaims({ pipeline_id: PIPELINE_ID });
  const decision = decide(policy, claims, CREDENTIAL);
  if (decision.outcome === 'granted') return decision.rule;
  if (decision.outcome === 'refused') return decision.reason;
  const clock = new TestClock(NOW);
  const copy = { members: [], pipelines: { [PIPELINE_ID]: 'build_and_read' }, paged: false } as const;
  const team = addCopy(undefined, copy, NOW);
  const conditionLedger = {
    facts: async () => ({ build: undefined, teams: new Map([[PLATFORM, team]]) }),
    requestLook: () => Promise.reject(new Error('nothing is to be looked up')),
  };
  const deps = { policy: { policy }, conditionLedger, verifyAgentToken: verify, clock };
  const result = await decideWithFacts(deps, decision, { claims, agentToken });
  return 'refusal' in result ? result.refusal.reason : result.rule;
}

type Case = readonly [string, readonly object[], string | undefined, VerifyAgentToken, string];

describe('a token of the machine', () => {
  it.each<Case>([
    ['that is bad is refused also where a later rule demands none', [BY_MACHINE, BY_TEAM], 'bad', BAD, BAD_TOKEN],
    ['that is bad is refused also where an earlier rule demands none', [BY_TEAM, BY_MACHINE], 'bad', BAD, BAD_TOKEN],
    ['is not needed where another rule holds', [BY_MACHINE, BY_TEAM], undefined, NOT_LOOKED_AT, BY_TEAM.name],
    ['of another machine leaves the other rule', [BY_MACHINE, BY_TEAM], 'good', ofMachine('strangers'), BY_TEAM.name],
    ['that is good meets its rule', [BY_MACHINE, BY_TEAM], 'good', ofMachine('agents'), BY_MACHINE.name],
    ['is not looked at where no rule demands one', [BY_TEAM], 'bad', NOT_LOOKED_AT, BY_TEAM.name],
    [
      'is not looked at where a rule without conditions grants',
      [BY_MACHINE, FOR_ALL],
      'bad',
      NOT_LOOKED_AT,
      'for everybody',
    ],
  ])('%s', async (_, rules, agentToken, verify, expected) => {
    expect(await decided(rules, agentToken, verify)).toBe(expected);
  });

  it('that cannot be verified is a failure also where another rule demands none', async () => {
    await expect(decided([BY_TEAM, BY_MACHINE], 'good', KEYS_UNREACHABLE)).rejects.toThrow(DependencyError);
  });

  it('is verified by the providers of the rules whose claims match, and by no other', async () => {
    const asked: string[][] = [];
    const verify: VerifyAgentToken = async (_, providers) => {
      asked.push([...providers]);
      return { agent: { provider: 'cluster', claims: { sub: 'agents' } } };
    };
    const elsewhere = { ...BY_MACHINE, name: 'elsewhere', match: { pipeline_slug: 'web' } };
    const ofOther = { ...elsewhere, agent: { ...BY_MACHINE.agent, provider: 'other' } };
    expect(await decided([ofOther, BY_MACHINE], 'good', verify)).toBe(BY_MACHINE.name);
    expect(asked).toEqual([['cluster']]);
  });
});
