// Many requests for one grant at the same time: identical ones share one issue, others are served or refused quickly, to come
// again, and nobody gets what an end, a block or a policy took from him meanwhile.

import { describe, expect, it } from 'vitest';
import { tokenSha256 } from '../../shared/core/grant/id.ts';
import { createRevocationLedger } from '../../shared/ledger/revocation.ts';
import { BusyGrant, type Instance, policyWith, type Response } from './busy-grant.ts';

const SLOW = { read: 30, commit: 90 };
const LATENCIES = [{ read: 12, commit: 35 }, SLOW];
const KINDS = ['config', 'export', 'admin'];

const together = (count: number, request: (index: number) => Promise<Response>) =>
  Promise.all(Array.from({ length: count }, (_, index) => request(index)));
const statuses = (responses: readonly Response[]) => [...new Set(responses.map(({ status }) => status))].sort();
const issuedOf = (responses: readonly Response[]) => responses.filter(({ status }) => status === 200);
const tokensOf = (responses: readonly Response[]) => [...new Set(responses.map(({ body }) => body.access_token))];

function expectSoon(responses: readonly Response[], within = 2_000) {
  expect(Math.max(...responses.map(({ latencyMs }) => latencyMs))).toBeLessThan(within);
  for (const { status, retryAfter, body, entries } of responses)
    if (status !== 200) {
      expect([status, retryAfter, body.error]).toEqual([429, '1', 'temporarily_unavailable']);
      expect(entries).toMatchObject([{ event: 'grant.refused', reason: 'grant_busy', grant_id: expect.any(String) }]);
    }
}

describe.each(LATENCIES)('with reads of $read ms and commits of $commit ms', (latency) => {
  it.each(KINDS)('40 identical requests for %s are one issue, each on record for itself', async (credential) => {
    const grant = new BusyGrant(latency);
    const requestToken = grant.instance();
    const responses = await together(40, () => requestToken(credential));
    expect([statuses(responses), tokensOf(responses).length, grant.mints]).toEqual([[200], 1, 1]);
    expectSoon(responses);

    const token_sha256 = tokenSha256(String(responses[0]?.body.access_token));
    const lines = responses.flatMap(({ entries }) => entries);
    expect(lines).toHaveLength(40);
    for (const line of lines) expect(line).toMatchObject({ event: 'grant.issued', token_sha256 });
    const issuer = responses.filter(({ entries }) => entries[0]?.shared === undefined);
    expect(issuer).toHaveLength(1);
    const shared_with = issuer[0]?.body.request_id;
    for (const { body, entries } of responses)
      if (body.request_id !== shared_with) expect(entries).toMatchObject([{ shared: true, shared_with }]);
    const record = await grant.record();
    expect(record).toMatchObject({ tokens_issued: 1, rate_window_count: 1, tokens: [{ sha256: token_sha256 }] });
    expect(record?.tokens).toHaveLength(1);
  });

  it.each(KINDS)(
    '40 requests for %s that differ are served in turn, or refused with Retry-After',
    async (credential) => {
      const grant = new BusyGrant(latency);
      const requestToken = grant.instance();
      const responses = await together(40, (index) => requestToken(credential, { lifetime: String(60 + index) }));
      expectSoon(responses);
      const issued = issuedOf(responses);
      expect(issued.length).toBeGreaterThan(2);
      expect(tokensOf(issued)).toHaveLength(issued.length);
      const record = await grant.record();
      expect(record).toMatchObject({ tokens_issued: issued.length });
      const recorded = record?.tokens.map(({ sha256 }) => sha256);
      expect(recorded?.sort()).toEqual(
        tokensOf(issued)
          .map((token) => tokenSha256(String(token)))
          .sort(),
      );
    },
  );

  it.each([
    ['identical', () => ({})],
    ['different', (index: number) => ({ lifetime: String(60 + index) })],
  ])('40 %s requests to two instances at once get responses as quickly', async (_, form) => {
    const grant = new BusyGrant(latency);
    const instances: Instance[] = [grant.instance(), grant.instance()];
    const responses = await together(40, (index) => (instances[index % 2] as Instance)('export', form(index)));
    expectSoon(responses);
    const issued = issuedOf(responses);
    expect(issued.length).toBeGreaterThan(0);
    expect(await grant.record()).toMatchObject({ tokens_issued: tokensOf(issued).length });
  });
});

describe.each(LATENCIES)(
  'a request that loses every race, with reads of $read ms and commits of $commit ms',
  (latency) => {
    const lost = Object.assign(new Error('9 FAILED_PRECONDITION'), { code: 9 });

    it.each([
      ['config', 'reserving', 0],
      ['admin', 'reserving', 0],
      ['config', 'recording its token', 1],
      ['admin', 'recording its token', 1],
    ])('for %s, %s, is refused with Retry-After', async (credential, _, won) => {
      const grant = new BusyGrant(latency);
      let commits = 0;
      grant.beforeCommit = (paths) => {
        if (!paths.some((path) => path.startsWith('grants/'))) return;
        commits += 1;
        if (commits > won) throw lost;
      };
      // For a new grant all of the job's first issues wait for each other.
      expectSoon([await grant.instance()(credential)], won === 0 ? 3_500 : 2_000);
      expect(commits).toBeGreaterThan(2);
      expect((await grant.record())?.tokens ?? []).toEqual([]);
    });
  },
);

describe('a request that comes while an identical one is served', () => {
  it('is judged by the policy of its own time', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const mint = grant.holdMints();
    const first = requestToken('export');
    await grant.clock.sleep(10);
    grant.policy = policyWith('{ name: other, match: { pipeline_slug: web }, grants: [export] }');
    expect(await requestToken('export')).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
    grant.policy = policyWith('{ name: renamed, match: { pipeline_slug: app }, grants: [config, export, admin] }');
    const third = requestToken('export');
    mint();
    expect(await first).toMatchObject({ status: 200, entries: [{ rule: 'all' }] });
    expect(await third).toMatchObject({ status: 200, entries: [{ rule: 'renamed' }] });
    expect(grant.mints).toBe(2);
  });

  it('does not share when its claims differ, and gets nothing when no rule grants it', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const [first, other, tagged, refused] = await Promise.all([
      requestToken('export'),
      requestToken('export', {}, { step_key: 'deploy' }),
      requestToken('export', {}, { agentTags: [['agent_tag:queue', 'deploy']] }),
      requestToken('export', {}, { pipeline_slug: 'web' }),
    ]);
    expect(statuses([first, other, tagged])).toEqual([200]);
    expect(tokensOf([first, other, tagged])).toHaveLength(3);
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_target' } });
  });

  it('gets nothing when the end of its job was recorded before it came, though the token was recorded before', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const late: Promise<Response>[] = [];
    let commits = 0;
    grant.afterCommit = async (paths) => {
      if (!paths[0]?.startsWith('grants/')) return;
      commits += 1;
      if (commits !== 2) return;
      // The token is recorded, and its instance does not know yet.
      const { job_id } = grant.claims;
      await createRevocationLedger(grant.ledger, grant.clock).endJob({
        job_id,
        pipeline_id: undefined,
        by: 'job.finished',
      });
      late.push(requestToken('export'));
      await grant.clock.sleep(100);
    };
    expect((await requestToken('export')).status).toBe(200);
    expect(await Promise.all(late)).toMatchObject([{ status: 400, body: { error: 'invalid_grant' } }]);
  });

  it('gets nothing when the job ended before the token was recorded, like the request that it waits for', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const mint = grant.holdMints();
    const waiting = together(5, () => requestToken('config'));
    await grant.clock.sleep(100);
    const { job_id } = grant.claims;
    await createRevocationLedger(grant.ledger, grant.clock).endJob({
      job_id,
      pipeline_id: undefined,
      by: 'job.finished',
    });
    const later = together(5, () => requestToken('config'));
    mint();
    for (const response of [...(await waiting), ...(await later)])
      expect(response).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('gets nothing when an operator blocked it after the other had looked', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const mint = grant.holdMints();
    const first = requestToken('export');
    await grant.clock.sleep(200);
    await grant.killSwitchDeps.killSwitchLedger.record('block', {
      ...{ selector: { job_id: grant.claims.job_id }, actor: 'an operator', reason: 'a test', blocks_new: true },
      ...{ activated_at: grant.clock.now(), deactivated_at: null, deactivated_by: null },
    });
    const second = requestToken('export');
    await grant.clock.sleep(50);
    mint();
    expect((await first).status).toBe(200);
    expect(await second).toMatchObject({ status: 400, entries: [{ reason: 'blocked' }] });
  });

  it('fails with it, each on record for itself, and the next one issues again', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    grant.beforeMint = () => Promise.reject(new Error('the test broke it'));
    await expect(together(5, () => requestToken('export'))).rejects.toThrow('the test broke it');
    grant.beforeMint = async () => {};
    expect((await requestToken('export')).status).toBe(200);
    expect(grant.mints).toBe(2);
  });

  it('waits for its turn less than a second when it differs and the other hangs', async () => {
    const grant = new BusyGrant();
    const requestToken = grant.instance();
    const mint = grant.holdMints();
    const first = requestToken('export');
    await grant.clock.sleep(10);
    const second = requestToken('export', { lifetime: '60' });
    await grant.clock.sleep(900);
    expectSoon([await second]);
    expect((await second).latencyMs).toBeLessThan(1_000);
    mint();
    expect((await first).status).toBe(200);
  });
});
