// Requests of the past, judged by a policy that has changed since.

import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { toJobRequest } from '../../../../shared/core/policy-history/job-request.ts';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { Replay } from '../../../../shared/core/policy-history/replay.ts';
import { replayLines } from '../../../../shared/core/policy-history/replay-text.ts';
import { createHistory, type ExportedEntry } from '../../../fixtures/audit-history.ts';

const GOLDEN = new URL('replay.golden.txt', import.meta.url);
const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };
const RELEASE = {
  ...{ pipeline_slug: 'web-release', pipeline_id: '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31', build_source: 'ui' },
  ...{ build_branch: 'v1.2', build_tag: 'v1.2', step_key: 'deploy-production' },
};

function policyWith(...changes: [before: string, after: string][]) {
  const text = changes.reduce((changed, [before, after]) => {
    expect(changed).toContain(before);
    return changed.replaceAll(before, after);
  }, EXAMPLE);
  const loaded = parsePolicy(text, 'policy.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  return loaded.policy;
}

describe('a replay', () => {
  let entries: ExportedEntry[];
  beforeAll(async () => {
    entries = await createHistory(EXAMPLE).entriesOf([
      { at: '2026-11-01T08:00:00Z', credential: 'staging-config', claims: WEB },
      { at: '2026-11-02T08:00:00Z', credential: 'staging-config', claims: { ...WEB, build_branch: 'release/7' } },
      { at: '2026-11-03T08:00:00Z', credential: 'staging-config', claims: { ...WEB, build_branch: 'release/8' } },
      { at: '2026-11-04T08:00:00Z', credential: 'staging-admin', claims: WEB },
      { at: '2026-11-05T08:00:00Z', credential: 'staging-cache', claims: WEB },
      { at: '2026-11-06T08:00:00Z', credential: 'production-config', claims: RELEASE },
      { at: '2026-11-07T08:00:00Z', credential: 'staging-config', claims: { ...WEB, build_source: 'schedule' } },
      { at: '2026-11-08T08:00:00Z', credential: 'no-such', claims: WEB },
    ]);
  });

  const replay = (policy: ReturnType<typeof policyWith>, from: readonly object[] = entries) => {
    const replayed = new Replay(policy);
    for (const entry of from) {
      const request = toJobRequest(toLogEntry(entry) ?? { at: undefined });
      if (typeof request !== 'object' || 'undecided' in request) throw new Error(JSON.stringify(request));
      replayed.add(request);
    }
    return replayed.result();
  };

  it('of the policy that decided the requests changes nothing', () => {
    expect(replay(policyWith())).toMatchObject({ changes: [], granted_as_before: 6, refused_as_before: 2 });
  });

  it('finds what would be refused, with the nearest rule', () => {
    const { changes } = replay(policyWith(['[main, "release/*"]', 'main']));
    expect(changes).toMatchObject([
      {
        ...{ change: 'refused', credential: 'staging-config', pipeline_slug: 'web', rule_before: 'deploy to staging' },
        now: { outcome: 'refused', nearest: { rule: 'deploy to staging', mismatches: [{ value: 'release/7' }] } },
        requests: {
          count: 2,
          first_at: Date.parse('2026-11-02T08:00:00Z'),
          last_at: Date.parse('2026-11-03T08:00:00Z'),
        },
      },
    ]);
  });

  it('finds what would be granted, and what another rule would grant', () => {
    expect(
      replay(
        policyWith(['build_source: [webhook, ui]\n    grants', 'build_source: [webhook, ui, schedule]\n    grants']),
      ),
    ).toMatchObject({
      changes: [{ change: 'granted', requests: { count: 1 }, now: { rules: ['deploy to staging'] } }],
    });
    expect(replay(policyWith(['name: deploy to staging', 'name: staging']))).toMatchObject({
      changes: [
        {
          change: 'other_rule',
          credential: 'staging-config',
          rule_before: 'deploy to staging',
          requests: { count: 3 },
        },
        { change: 'other_rule' },
        { change: 'other_rule' },
      ],
    });
  });

  it('cannot tell where an event lacks a claim that a rule looks at', () => {
    const branch = 'x'.repeat(300);
    const cut = entries.map((entry) => {
      const payload = entry.jsonPayload as Record<string, unknown>;
      return {
        ...entry,
        jsonPayload: { ...payload, truncated: true, job: { ...(payload.job as object), build_branch: branch } },
      };
    });
    expect(replay(policyWith(), cut.slice(0, 1))).toMatchObject({
      changes: [{ change: 'cannot_tell', now: { claims: ['build_branch', 'build_tag'] } }],
    });
  });

  it('says what a person has read', () => {
    const policies = {
      'nothing has changed': policyWith(),
      'release branches and the cache are removed, schedules are added': policyWith(
        ['[main, "release/*"]', 'main'],
        ['[webhook, ui]\n    grants', '[webhook, ui, schedule]\n    grants'],
        [', staging-cache]', ']'],
        [EXAMPLE.slice(EXAMPLE.indexOf('  # A folder of a Cloud'), EXAMPLE.indexOf('\nrules:')), ''],
        ['name: deploy a tagged release to production', 'name: production'],
      ),
    };
    const golden = Object.entries(policies)
      .map(
        ([title, policy]) =>
          `# ${title}\n${replayLines(policy, replay(policy), 'keydesk policy explain').join('\n')}\n`,
      )
      .join('\n');
    if (process.env.RECORD) writeFileSync(GOLDEN, golden);
    expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
  });
});

describe('an event', () => {
  it.each([
    ['another event', { event: 'sweep.completed' }, undefined],
    [
      'a job token that was refused',
      { event: 'grant.refused', reason: 'job_token_expired' },
      { undecided: 'job_token_expired' },
    ],
    [
      'a failure before the claims were known',
      { event: 'grant.refused', reason: 'dependency_unavailable', credential: 'a' },
      { undecided: 'dependency_unavailable' },
    ],
    ['a line without its fields', { event: 'grant.issued', credential: 'a' }, 'malformed'],
    ['a refusal without a reason', { event: 'grant.refused' }, 'malformed'],
  ])('is no request that can be judged: %s', (_, line, expected) => {
    expect(toJobRequest({ at: 0, line })).toEqual(expected);
  });

  it('of a refusal after the decision was allowed by policy', () => {
    const line = {
      event: 'grant.refused',
      reason: 'pool_exhausted',
      credential: 'a',
      policy_sha256: 'a',
      job: { pipeline_slug: 'web' },
    };
    expect(toJobRequest({ at: undefined, line })).toMatchObject({
      policy_sha256: 'a',
      outcome: { allowed: true, reason: 'pool_exhausted' },
    });
  });
});
