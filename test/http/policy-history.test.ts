// The lines of a running Keydesk, judged by the policy that decided them and by another: renewals, refusals by policy, and refusals for
// other reasons.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { type JobRequest, toJobRequest } from '../../shared/core/policy-history/job-request.ts';
import { toLogEntry } from '../../shared/core/policy-history/log-entry.ts';
import { Replay } from '../../shared/core/policy-history/replay.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { everyKindPolicyText } from '../fixtures/policies.ts';

const MINUTE = 60_000;

describe('the lines of a running Keydesk', () => {
  let keydesk: InProcessKeydesk;
  let read: ReturnType<typeof toJobRequest>[];
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    const { buildkite, clock } = keydesk;
    const job = buildkite.startJob({ 'agent_tag:queue': 'deploy' });
    const tokenOf = (one = job) => buildkite.jobToken(one, { issuedAt: Math.floor(clock.now() / 1000) });
    for (const credential of [
      'staging-config',
      'staging-export',
      'staging-admin',
      'staging-cache',
      'production-config',
    ])
      await keydesk.requestByForm(await tokenOf(), credential);
    // Renewals: the first token of the job lacked a claim that the later one has.
    const second = buildkite.startJob({ build_branch: 'release/1' });
    const lacking = await buildkite.jobToken(second, {
      ...{ issuedAt: Math.floor(clock.now() / 1000), overrides: { pipeline_id: undefined } },
    });
    await keydesk.requestByPath(lacking);
    await keydesk.requestByPath(await tokenOf(second));
    clock.set(clock.now() + 10 * MINUTE);
    await keydesk.requestByPath(await tokenOf(second));
    await keydesk.requestByPath('not.a.token');
    await keydesk.notify(buildkite.event(job));
    await keydesk.requestByPath(await tokenOf());
    await keydesk.sweep();
    read = keydesk.audit.map((line) => toJobRequest(toLogEntry(line) ?? { at: undefined }));
  });
  afterAll(() => keydesk.close());
  const isRequest = (one: (typeof read)[number]): one is JobRequest => typeof one === 'object' && 'claims' in one;
  const replay = (text: string) => {
    const loaded = parsePolicy(text, 'policy.yaml');
    if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
    const replayed = new Replay(loaded.policy);
    for (const request of read.filter(isRequest)) replayed.add(request);
    return replayed.result();
  };

  it('are all read, and those of unverified tokens are not judged', () => {
    expect(read).not.toContain('malformed');
    expect(read.filter(isRequest)).toHaveLength(9);
    expect(read.filter((one) => typeof one === 'object' && 'undecided' in one)).toEqual([
      { undecided: expect.stringMatching(/^job_token_/) },
    ]);
  });

  it('change nothing by the policy that decided them', () => {
    const { changes, granted_as_before, refused_as_before, rule_not_known } = replay(
      everyKindPolicyText(keydesk.project),
    );
    expect({ changes, granted_as_before, refused_as_before, rule_not_known }).toEqual({
      ...{ changes: [], granted_as_before: 7, refused_as_before: 2, rule_not_known: 0 },
    });
  });

  it('show what a rule on an agent tag would refuse: events have every claim of the token', () => {
    const policy = JSON.parse(everyKindPolicyText(keydesk.project));
    policy.rules[0].match['agent_tag:queue'] = 'deploy';
    expect(replay(JSON.stringify(policy))).toMatchObject({
      granted_as_before: 5,
      changes: [{ change: 'refused', credential: 'staging-config', requests: { count: 2 } }],
    });
  });
});
