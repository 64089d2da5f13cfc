// POST /kill against a ledger that fails, records that cannot be read, and orders that cannot be taken as they are.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_BLOCKS } from '../../shared/core/kill-switch.ts';
import { namedTeams } from '../../shared/core/policy/named-teams.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { everyKindPolicyText } from '../fixtures/policies.ts';

const NEVER_SEEN = '22222222-4782-42b5-afc1-16715b10b1f0';

let keydesk: InProcessKeydesk;
beforeEach(async () => {
  keydesk = await openInProcessKeydesk();
});
afterEach(() => keydesk.close());

const issue = async () => {
  const job = keydesk.buildkite.startJob();
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
  return { job, ...json } as { job: { id: string }; grant_id: string };
};
const kill = (body: object) =>
  keydesk.asPerson(`${keydesk.adminUrl}/kill`, { body: { id: crypto.randomUUID(), reason: 'INC-7', ...body } });
const blocks = async () => (await keydesk.asPerson(`${keydesk.readerUrl}/blocks`)).json.blocks;
const document = (path: string) => databaseOf(keydesk.project, 'ledger').doc(path);

describe('an act that is in force', () => {
  it('has its line and the lines of its ends, also when the ledger fails while it looks through the grants', async () => {
    const { grant_id } = await issue();
    const { killSwitchLedger } = keydesk.adminDeps;
    keydesk.adminDeps.killSwitchLedger = {
      ...killSwitchLedger,
      liveGrants: async function* () {
        yield* killSwitchLedger.liveGrants();
        yield { grants: [], unreadable: [] };
        throw Object.assign(new Error('ledger: no response within 5000 ms'), {
          name: 'DependencyError',
          dependency: 'ledger',
          code: 'timed_out',
          retryAfter: 2,
        });
      },
    };
    const id = crypto.randomUUID();
    const { status, json, audit } = await kill({ id, all: true, block: true });
    keydesk.adminDeps.killSwitchLedger = killSwitchLedger;
    expect([status, json.error_description]).toEqual([503, expect.stringContaining(`on record`)]);
    expect(audit.map(({ event }) => event)).toEqual(['kill_switch.activated', 'task.failed']);
    expect(await blocks()).toMatchObject([{ id }]);
    const resumed = await kill({ id, all: true, block: true });
    expect(resumed.json.counts).toMatchObject({ revoked: 1, unfinished: 0 });
    expect(resumed.audit).toMatchObject([{ event: 'kill_switch.activated' }, { event: 'grant.revoked', grant_id }]);
  });

  it('can be repeated once its grants have ended', async () => {
    const { job } = await issue();
    const order = { id: crypto.randomUUID(), selector: { job_id: job.id } };
    for (const revoked of [1, 0]) expect((await kill(order)).json.counts).toMatchObject({ revoked, unfinished: 0 });
    expect(await kill({ selector: order.selector })).toMatchObject({ status: 404 });
  });

  it.each([
    ['another selector', { all: true }],
    ['a block that it did not have', { block: true }],
  ])('cannot be continued with %s', async (_, other) => {
    const { job } = await issue();
    const id = crypto.randomUUID();
    const order = { id, ...('all' in other ? {} : { selector: { job_id: job.id } }), ...other };
    await kill({ id, selector: { job_id: job.id } });
    const { status, json, headers, audit } = await kill(order);
    expect([status, json.error, headers.get('retry-after'), audit]).toEqual([409, 'other_order', null, []]);
  });
});

describe('a live grant that cannot be read', () => {
  it('is unfinished, and never nothing', async () => {
    const { grant_id } = await issue();
    await document(`grants/${grant_id}`).update({ tokens_issued: 'x' });
    for (const dry_run of [true, false]) {
      const { status, json } = await kill({ all: true, dry_run });
      expect([status, json.counts]).toMatchObject([200, { selected: 0, unfinished: 1 }]);
      expect(json.unfinished).toMatchObject([{ grant_id, accepted_until: null }]);
    }
  });
});

describe('a name in a selector', () => {
  it('is checked also where a live grant without a pipeline_id may be meant', async () => {
    const { grant_id } = await issue();
    await document(`grants/${grant_id}`).update({ 'subject.pipeline_id': null });
    for (const block of [true, false]) {
      const { status, json } = await kill({ selector: { pipeline_id: NEVER_SEEN }, block });
      expect([status, json.error]).toEqual([404, 'nothing_selected']);
    }
    expect(await blocks()).toEqual([]);
  });

  it('that is known lists the grants that may be meant, and leaves them alone', async () => {
    const { grant_id } = await issue();
    const { pipeline_id } = (await document(`grants/${grant_id}`).get()).get('subject');
    await kill({ selector: { pipeline_id } });
    const unknown = await issue();
    await document(`grants/${unknown.grant_id}`).update({ 'subject.pipeline_id': null });
    const { json } = await kill({ selector: { pipeline_id } });
    expect(json.counts).toMatchObject({ selected: 0, ambiguous: 1, unfinished: 0 });
    expect(json.ambiguous).toMatchObject([{ grant_id: unknown.grant_id, state: 'active' }]);
  });

  it('that the ledger never saw can be blocked, by unknown_ok and with a block alone', async () => {
    const selector = { agent_id: NEVER_SEEN };
    expect(await kill({ selector, block: true })).toMatchObject({
      status: 404,
      json: { error_description: expect.stringContaining('--block --unknown-ok') },
    });
    expect(await kill({ selector, unknown_ok: true })).toMatchObject({ status: 400 });
    expect(await kill({ selector, unknown_ok: true, block: true })).toMatchObject({ status: 200 });
    expect(await blocks()).toMatchObject([{ selector }]);
  });

  it('that is a UUID has no other agent as a suggestion', async () => {
    await issue();
    // Of the job that has the grant, but for the last digit.
    const { json } = await kill({ selector: { agent_id: '0184990a-4782-42b5-afc1-16715b10b8f0' } });
    expect(json.error).toBe('nothing_selected');
    expect(json.error_description).not.toContain('Did you mean');
  });

  it('is suggested as it can be seen', async () => {
    const { grant_id } = await issue();
    await document(`grants/${grant_id}`).update({ 'subject.build_branch': 'main\u202e' });
    await keydesk.adminDeps.deploymentLedger.recordToken(
      { version: '0.2.0', revision: null, started_at: keydesk.clock.now() },
      {
        ...{ sha256: keydesk.tokenDeps.policy.sha256, text: everyKindPolicyText(keydesk.project) },
        teams: namedTeams(keydesk.tokenDeps.policy.policy),
      },
    );
    const { json } = await kill({ selector: { build_branch: 'main' } });
    expect(json.error_description).toContain('Did you mean main<U+202E>?');
  });
});

describe('a block too many', () => {
  it('is not recorded, and what it selects is ended all the same', async () => {
    const { grant_id } = await issue();
    const filled = Array.from({ length: MAX_BLOCKS }, (_, index) => ({
      id: `block-${index}`,
      selector: { credential: 'nothing' },
      activated_at: new Date(keydesk.clock.now()),
    }));
    await document('blocks/current').set({ blocks: filled.slice(1) });
    expect((await kill({ selector: { agent_id: NEVER_SEEN }, block: true, unknown_ok: true })).json).toMatchObject({
      counts: { unfinished: 0 },
    });
    const { status, json, audit } = await kill({ all: true, block: true });
    expect([status, json.block_id, json.counts]).toMatchObject([200, null, { revoked: 1, unfinished: 1 }]);
    expect(json.unfinished).toMatchObject([{ grant_id: null, error: expect.stringContaining('Nothing is blocked') }]);
    expect(audit).toMatchObject([
      { event: 'kill_switch.activated', blocks_new: false },
      { event: 'grant.revoked', grant_id },
    ]);
  });
});
