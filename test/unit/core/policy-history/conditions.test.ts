// Requests of the past that were decided by conditions, judged by a policy with others.

import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../sandbox/seeded-random.ts';
import { judgeConditions } from '../../../../shared/core/conditions/judge.ts';
import { type Policy, parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { toJobRequest } from '../../../../shared/core/policy-history/job-request.ts';
import { judgeKnown } from '../../../../shared/core/policy-history/known-conditions.ts';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { Replay } from '../../../../shared/core/policy-history/replay.ts';
import { replayLines } from '../../../../shared/core/policy-history/replay-text.ts';
import { account, type Data, PIPELINE_ID } from '../../../fixtures/policies.ts';
import {
  ORACLE_CLAIMS,
  ORACLE_TIME,
  policyWith as oraclePolicy,
  randomFacts,
  randomRules,
} from '../../../fixtures/policy-oracle/conditions.ts';

const [PLATFORM, MANAGERS, MIRA, PAT] = ['1', '2', '3', '4'].map(
  (digit) => `${digit}0000000-0000-4000-8000-000000000000`,
);
const APPROVAL = { step: 'approve', by: 'managers', within: '4h' };
const BASIS = {
  team: { id: PLATFORM, access: 'build_and_read', read_at: '2026-11-30T07:50:00.000Z' },
  created_by: { user_id: PAT, team_id: PLATFORM, read_at: '2026-11-30T07:50:00.000Z' },
  approval: {
    ...{ step_key: 'approve', job_id: MIRA, approved_by: MIRA, approved_at: '2026-11-30T06:00:00.000Z' },
    ...{ team_id: MANAGERS, read_at: '2026-11-30T07:50:00.000Z', reason: null },
  },
  agent: { provider: 'aws', claims: { role: 'ci' } },
};

function policyWith(rule: Data, ...more: Data[]): Policy {
  const result = parsePolicyData({
    version: 1,
    organization: { slug: 'acme-inc' },
    audience: 'https://keydesk.acme.example',
    environments: { staging: {} },
    teams: { platform: PLATFORM, managers: MANAGERS },
    identityProviders: {
      aws: {
        ...{ issuer: 'https://aws.example', keys: 'https://aws.example/jwks', audience: 'keydesk' },
        ...{ algorithms: ['RS256'], claims: { role: { setBy: 'platform' } } },
      },
    },
    credentials: {
      c: {
        ...{ environment: 'staging', ttl: '10m' },
        serviceAccount: { email: account('export', 'acme'), scopes: ['https://scope.example'] },
      },
    },
    rules: [rule, ...more].map(({ match, ...rest }, index) => ({
      ...{ name: `rule ${index + 1}`, grants: ['c'] },
      match: { pipeline_slug: 'app', build_source: 'ui', ...match },
      ...rest,
    })),
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.policy;
}

const JOB = {
  ...{ organization_slug: 'acme-inc', pipeline_slug: 'app', pipeline_id: PIPELINE_ID, build_source: 'ui' },
  ...{ build_number: 7, build_branch: 'main', build_commit: 'HEAD', job_id: PAT, agent_id: PAT },
};
const ISSUED = {
  ...{ event: 'grant.issued', request_id: 'r', credential: 'c', pipeline_slug: 'app', rule: 'rule 1', grant_id: 'g' },
  ...{ policy_sha256: 'before', issued_at: '2026-11-30T08:00:00.000Z', job: JOB, conditions: BASIS },
};
const REFUSED = {
  ...{ event: 'grant.refused', request_id: 'r', credential: 'c', reason: 'approval_pending', policy_sha256: 'before' },
  job: JOB,
};

function replay(policy: Policy, line: object, sha256 = 'after') {
  const replayed = new Replay(policy, sha256);
  const request = toJobRequest(toLogEntry(line) ?? { at: undefined });
  if (typeof request !== 'object' || 'undecided' in request) throw new Error(JSON.stringify(request));
  replayed.add(request);
  return replayed.result();
}

function changeOf(policy: Policy, line: object, sha256?: string): string {
  const { changes, granted_as_before, refused_as_before } = replay(policy, line, sha256);
  const [change] = changes;
  if (!change) return granted_as_before > 0 ? 'granted as before' : `refused as before: ${refused_as_before}`;
  return change.now.outcome === 'cannot tell' ? `cannot tell: ${change.now.claims}` : change.change;
}

const team = (change: object = {}) => ({ match: { team: { name: 'platform', access: 'build_and_read', ...change } } });

describe('a request of the past that conditions decided', () => {
  it.each<[string, Data, string]>([
    ['the same approval', { approval: APPROVAL }, 'granted as before'],
    ['a longer time', { approval: { ...APPROVAL, within: '8h' } }, 'granted as before'],
    ['exactly the time', { approval: { ...APPROVAL, within: '2h' } }, 'granted as before'],
    ['a shorter time', { approval: { ...APPROVAL, within: '7199s' } }, 'refused'],
    ['somebody else than the creator', { approval: { ...APPROVAL, not: 'creator' } }, 'granted as before'],
    ['another step', { approval: { ...APPROVAL, step: 'sign' } }, 'cannot tell: approval'],
    ['another team of the approver', { approval: { ...APPROVAL, by: 'platform' } }, 'cannot tell: approval'],
    ['the team', team(), 'granted as before'],
    ['more access of the team', team({ access: 'manage_build_and_read' }), 'refused'],
    ['another team', team({ name: 'managers' }), 'cannot tell: team'],
    ['the creator', { match: { created_by: { team: 'platform' } } }, 'granted as before'],
    ['a creator of another team', { match: { created_by: { team: 'managers' } } }, 'cannot tell: created_by'],
    ['the machine', { agent: { provider: 'aws', claims: { role: ['ci', 'x'] } } }, 'granted as before'],
    ['another machine', { agent: { provider: 'aws', claims: { role: 'x' } } }, 'refused'],
    ['nothing', {}, 'granted as before'],
  ])('is judged by what its event says, where the rule demands %s', (_, rule, expected) => {
    expect(changeOf(policyWith(rule), ISSUED)).toBe(expected);
  });

  it('is not known to be approved by somebody else where its event does not say who started the build', () => {
    const line = { ...ISSUED, conditions: { ...BASIS, created_by: null } };
    expect(changeOf(policyWith({ approval: { ...APPROVAL, not: 'creator' } }), line)).toBe('cannot tell: approval');
  });

  it('without a condition on record is not known to meet one', () => {
    const line = { ...ISSUED, conditions: null };
    expect(changeOf(policyWith({ approval: APPROVAL }), line)).toBe('cannot tell: approval');
  });

  it('is granted by a rule without conditions, wherever that is', () => {
    const sign = { approval: { ...APPROVAL, step: 'sign' } };
    expect(changeOf(policyWith(sign, {}), ISSUED)).toBe('other_rule');
    expect(changeOf(policyWith({}, sign), ISSUED)).toBe('granted as before');
  });

  it('that was refused is refused still or nobody knows, and is granted without the condition', () => {
    expect(changeOf(policyWith({ approval: APPROVAL }), REFUSED)).toBe('cannot tell: approval');
    expect(changeOf(policyWith({ match: { step_key: 'x' }, approval: APPROVAL }), REFUSED)).toBe(
      'refused as before: 1',
    );
    expect(changeOf(policyWith({}), REFUSED)).toBe('granted');
  });

  it('is decided as before by the policy that decided it', () => {
    const policy = policyWith({ approval: { ...APPROVAL, step: 'sign', not: 'creator' } });
    expect(changeOf(policy, ISSUED, 'before')).toBe('granted as before');
    expect(changeOf(policy, REFUSED, 'before')).toBe('refused as before: 1');
  });

  it('is shown with what the rule demands', () => {
    const policy = policyWith({ approval: { ...APPROVAL, within: '1h' } });
    expect(replayLines(policy, replay(policy, ISSUED), 'keydesk policy explain').join('\n')).toContain(
      'Nearest is rule "rule 1": approval does not hold, the rule needs one that is of step approve, by a member of managers, within 1h',
    );
  });

  it('is never taken to meet what it does not, or to fail what it meets', () => {
    const random = seededRandom(20_261_130);
    const seen = new Set<string>();
    for (let trial = 0; trial < 3000; trial += 1) {
      const policy = oraclePolicy([...randomRules(random), ...randomRules(random)]);
      const facts = randomFacts(random);
      const question = { claims: ORACLE_CLAIMS, facts, policy, now: ORACLE_TIME };
      for (const old of policy.rules) {
        const judged = judgeConditions(old.conditions, question);
        if (judged.outcome !== 'met') continue;
        const basis = JSON.parse(JSON.stringify(judged.basis));
        for (const { conditions } of policy.rules) {
          const known = [...judgeKnown(conditions, { basis, at: ORACLE_TIME }, policy).values()];
          const actual = judgeConditions(conditions, question).outcome;
          if (known.every((one) => one === 'met')) expect(actual).toBe('met');
          if (known.includes('unmet')) expect(actual).not.toBe('met');
          for (const one of known) seen.add(one);
        }
      }
    }
    expect([...seen].sort()).toEqual(['met', 'unknown', 'unmet']);
  });
});
