// The kill switch against live grants and concurrent requests: it ends what it selects and nothing else, reports each
// kind truthfully, blocks until the block is removed, and stays on record. As a function, and as the operator's command.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { ROOT } from '../../sandbox/functions.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../shared/core/grant/id.ts';
import type { Selector } from '../../shared/core/kill-switch.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/timing.ts';
import type { WriteBatch } from '../../shared/firestore/database.ts';
import type { IssueDeps } from '../../shared/operations/issue-token.ts';
import { activateKillSwitch, type KillSwitchDeps } from '../../shared/operations/kill-switch.ts';
import type { KillResult } from '../../shared/operations/kill-tally.ts';
import { createAdminDeps } from '../../shared/wiring/admin.ts';
import {
  type Called,
  databaseForJobs,
  databaseOf,
  firestoreAs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { account, accounts, DATASTORE, policyData, policyText } from '../fixtures/policies.ts';
import { aroundCommit } from '../fixtures/reserve.ts';
import { runKeydesk } from '../fixtures/run-keydesk.ts';

const UUID = '11111111-4782-42b5-afc1-16715b10b1f0';
const KINDS = ['staging-config', 'staging-admin', 'staging-export'];
/** Claims that no other job has. */
const job = { pipeline_slug: 'web', build_branch: 'release/7', agent_id: UUID, pipeline_id: UUID };
const NOTHING = {
  selected: 0,
  revoked: 0,
  disabled: 0,
  still_accepted: 0,
  expired: 0,
  ended_before: 0,
  unfinished: 0,
  ambiguous: 0,
};
const WHO = { actor: 'ada@acme.example', reason: 'INC-7: a leaked agent' };

const policy = (project: string) => {
  const staging = { environment: 'staging', ttl: '15m' };
  const firestore = { database: 'data', allow: [{ path: 'config/{document}', verbs: ['get'] }] };
  const credentials = {
    'staging-config': { ...staging, firestore },
    'staging-admin': { ...staging, serviceAccount: { pool: accounts('deploy', 90, project), scopes: [DATASTORE] } },
    'staging-export': { ...staging, serviceAccount: { email: account('export', project), scopes: [DATASTORE] } },
    'production-config': { ...staging, environment: 'production', firestore },
  };
  const grants = Object.keys(credentials);
  return policyText(
    policyData(project, credentials, { rules: [{ name: 'all', match: { pipeline_slug: ['app', 'web'] }, grants }] }),
  );
};

let keydesk: InProcessKeydesk;
let deps: IssueDeps;
let killing: KillSwitchDeps;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk({ policy });
  deps = { ...keydesk.tokenDeps };
  killing = createAdminDeps({
    settings: keydesk.settings,
    emulatorHost: inject('firestoreHost'),
    clock: keydesk.clock,
  });
  await newHolder();
  await kill({ issued_since: 0 });
});
afterEach(async () => {
  Object.assign(keydesk.tokenDeps, deps);
  keydesk.google.fault = undefined;
  for (const { id } of await killing.killSwitchLedger.blocks())
    await killing.killSwitchLedger.deactivate(id, 'the test');
  await kill({ issued_since: 0 });
  expect(keydesk.google.unexpected).toEqual([]);
});
afterAll(() => keydesk.close());

const kill = (selector: Selector, blocks_new = false, id: string = randomUUID()) =>
  activateKillSwitch(killing, id, { ...WHO, selector, blocks_new });
const tick = (milliseconds: number) => {
  keydesk.clock.advance(milliseconds);
  return keydesk.clock.now();
};
const requestToken = async (job: Job, credential = 'staging-config') => {
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  return keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
};
type Held = Readonly<Record<'credential' | 'access_token' | 'grant_id', string>>;
async function newHolder(claims: Record<string, unknown> | Job = {}, credentials = KINDS): Promise<readonly Held[]> {
  const job = 'agentLost' in claims ? (claims as Job) : keydesk.buildkite.startJob(claims);
  const responses: Called[] = [];
  for (const credential of credentials) responses.push(await requestToken(job, credential));
  expect(responses.map(({ status }) => status)).toEqual(credentials.map(() => 200));
  return responses.map(({ json }) => json);
}
const works = async ({ credential, access_token }: Held) =>
  credential.endsWith('-config')
    ? (await firestoreAs(keydesk, access_token, 'config/web')) !== 403
    : (await keydesk.gate(access_token)) === 200;
const stored = async (path: string) => (await databaseOf(keydesk.project, 'ledger').doc(path).get()).data();
const ids = (grants: readonly (Grant | Held)[]) =>
  grants.map((grant) => ('grant_id' in grant ? grant.grant_id : grantIdOf(grant))).sort();
const isShared = ({ credential }: Held) => credential === 'staging-export';
async function expectUntouched(held: readonly Held[]) {
  for (const grant of held) {
    expect(await works(grant), grant.credential).toBe(true);
    expect(await stored(`grants/${grant.grant_id}`)).toMatchObject({ state: 'active', ended_by: null });
  }
}

describe('the kill switch', () => {
  it.each<[keyof Selector, () => Promise<[Selector[keyof Selector], readonly Held[], readonly Held[]]>]>([
    ['pipeline_id', async () => [UUID, await newHolder(job), await newHolder()]],
    ['pipeline_slug', async () => ['web', await newHolder(job), await newHolder()]],
    ['build_branch', async () => ['release/7', await newHolder(job), await newHolder()]],
    ['agent_id', async () => [UUID, await newHolder(job), await newHolder()]],
    ['job_id', async () => ofJob(keydesk.buildkite.startJob())],
    ['policy_sha256', async () => ['f'.repeat(64), await withPolicy('f'.repeat(64)), await newHolder()]],
    ['credential', async () => ['production-config', await newHolder({}, ['production-config']), await newHolder()]],
    ['environment', async () => ['production', await newHolder({}, ['production-config']), await newHolder()]],
    ['issued_since', async () => [tick(CLOCK_MARGIN_MS + 2000), await newHolder(), []]],
  ])('by %s ends what it selects and nothing else', async (field, arrange) => {
    const earlier = await newHolder();
    const [value, meant, others] = await arrange();
    const id = randomUUID();
    const killed = await kill({ [field]: value }, false, id);
    expect([killed.expired, killed.pending, killed.ambiguous, killed.failures]).toEqual([[], [], [], []]);
    const accepted = killed.stillAccepted.filter(({ kill_switch_id }) => kill_switch_id === id);
    expect(ids([...killed.revoked, ...accepted])).toEqual(ids(meant));
    expect(ids(accepted)).toEqual(ids(meant.filter(isShared)));
    for (const grant of meant) {
      // What a shared account's token opens nobody can take away, and nothing says that it was.
      expect(await works(grant), grant.credential).toBe(isShared(grant));
      const truth = isShared(grant) ? { state: 'active', access_ended_at: null } : { state: 'revoked' };
      const how = { ended_by: 'kill_switch', kill_switch_id: id };
      expect(await stored(`grants/${grant.grant_id}`)).toMatchObject({ ...truth, ...how });
    }
    await expectUntouched([...earlier, ...others]);
    expect(await stored(`kill_switches/${id}`)).toMatchObject({ ...WHO, blocks_new: false, deactivated_at: null });
  });
  const ofJob = async (one: Job): Promise<[string, readonly Held[], []]> => [one.id, await newHolder(one), []];
  const withPolicy = async (sha256: string) => {
    keydesk.tokenDeps.policy = { ...deps.policy, sha256 };
    const held = await newHolder();
    keydesk.tokenDeps.policy = deps.policy;
    return held;
  };

  it('blocks requests and renewals that match until the block is removed, and restores nothing that it ended', async () => {
    const [killedJob, other] = [keydesk.buildkite.startJob(), keydesk.buildkite.startJob(job)];
    await newHolder(killedJob);
    const id = randomUUID();
    await kill({ pipeline_slug: 'app' }, true, id);
    for (const blocked of [killedJob, keydesk.buildkite.startJob()])
      for (const credential of KINDS) {
        const refused = await requestToken(blocked, credential);
        expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant']);
        expect(refused.audit).toMatchObject([{ event: 'grant.refused', reason: 'blocked', kill_switch_id: id }]);
      }
    await expectUntouched([...(await newHolder(other)), ...(await newHolder(other))]);
    expect(await killing.killSwitchLedger.deactivate(id, 'grace@acme.example')).toBe(true);
    expect(await stored(`kill_switches/${id}`)).toMatchObject({
      ...WHO,
      blocks_new: true,
      deactivated_by: 'grace@acme.example',
    });
    expect((await requestToken(killedJob)).audit).toMatchObject([{ reason: 'grant_revoked' }]);
    await expectUntouched(await newHolder());
  });

  it('reports the grants without a pipeline_id, and does not end them', async () => {
    const [meant, unknown] = [await newHolder(job), await newHolder({ pipeline_id: undefined })];
    const killed = await kill({ pipeline_id: UUID });
    const accepted = killed.stillAccepted.filter(({ kill_switch_id }) => kill_switch_id === killed.id);
    expect(ids([...killed.revoked, ...accepted])).toEqual(ids(meant));
    expect(ids(killed.ambiguous)).toEqual(ids(unknown));
    await expectUntouched(unknown);
  });

  it('by pipeline_id also holds for a job that does not request that claim', async () => {
    await kill({ pipeline_id: UUID }, true);
    expect((await requestToken(keydesk.buildkite.startJob({ pipeline_id: undefined }))).audit).toMatchObject([
      { reason: 'blocked' },
    ]);
  });

  it('can be thrown again by the same id: it goes on where it failed, and does nothing twice', async () => {
    const [config, admin] = (await newHolder(job)) as [Held, Held];
    const id = randomUUID();
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    const { revoked, pending } = await kill({ pipeline_slug: 'web' }, true, id);
    expect([ids(revoked), pending]).toMatchObject([[config.grant_id], [{ grant_id: admin.grant_id }]]);
    keydesk.google.fault = undefined;
    expect(ids((await kill({ pipeline_slug: 'web' }, true, id)).revoked)).toEqual([admin.grant_id]);
    expect(await kill({ pipeline_slug: 'web' }, true, id)).toMatchObject({ revoked: [], pending: [] });
    expect(await killing.killSwitchLedger.blocks()).toMatchObject([{ id, selector: { pipeline_slug: 'web' } }]);
    expect([await works(config), await works(admin)]).toEqual([false, false]);
  });
});

describe('a request in flight when a kill switch order blocks it', () => {
  const POINTS = ['before verifying', 'before reserving', 'while reserving', 'after reserving'];
  POINTS.push('after reading blocks', 'after opening', 'after minting', 'after recording');

  /** Runs `act` at `point` of the next request. Work in parallel with the reading of blocks comes after it. */
  function at(point: string, act: () => Promise<unknown>) {
    const read = Promise.withResolvers<void>();
    type Part<A extends unknown[], R> = (...requested: A) => Promise<R>;
    const around =
      <A extends unknown[], R>(what: string, part: Part<A, R>, meanwhile?: () => unknown): Part<A, R> =>
      async (...requested) => {
        if (point === `before ${what}`) await act();
        const result = await part(...requested);
        await meanwhile?.();
        if (point === `after ${what}`) await act();
        return result;
      };
    const batches = Object.getPrototypeOf(databaseForJobs(keydesk.project, 'ledger').batch()) as WriteBatch;
    const { commit } = batches;
    if (point === 'while reserving')
      vi.spyOn(batches, 'commit').mockImplementationOnce(async function (this: WriteBatch) {
        await act();
        return commit.call(this);
      });
    const { ledger } = deps;
    Object.assign(keydesk.tokenDeps, {
      verifyJobToken: around('verifying', deps.verifyJobToken),
      ledger: {
        prepare: aroundCommit(
          async (request) => {
            if (point === 'before reserving') await act();
            return ledger.prepare(request);
          },
          async (commit) => {
            const reserved = await commit();
            if (point === 'after reserving') await act();
            return reserved;
          },
        ),
        checkBlocks: around('reading blocks', ledger.checkBlocks, read.resolve),
        activate: around('recording', ledger.activate),
      },
      openGrantDocument: around('opening', deps.openGrantDocument, () => read.promise),
      mint: around('minting', deps.mint, () => read.promise),
    } satisfies Partial<IssueDeps>);
  }

  const WAYS = ['a first request', 'a renewal', 'a renewal after issued_since'].flatMap((which) =>
    KINDS.map((kind) => [which, kind] as const),
  );
  it.each(WAYS)('leaves no live token: %s of %s', async (which, credential) => {
    for (const point of POINTS) {
      if (point === 'after opening' && credential !== 'staging-config') continue;
      const racing = keydesk.buildkite.startJob();
      const earlier = which === 'a first request' ? [] : await newHolder(racing, [credential]);
      const since = which === 'a renewal after issued_since' ? { issued_since: tick(1000) } : undefined;
      let killed: KillResult | undefined;
      at(point, async () => {
        killed = await kill({ job_id: racing.id, ...since }, true);
      });
      const raced = await requestToken(racing, credential);
      vi.restoreAllMocks();
      Object.assign(keydesk.tokenDeps, deps);
      const left = raced.status === 200;
      expect([killed?.pending, left], point).toEqual([[], point === 'after recording']);
      for (const held of [...(since && !left ? [] : earlier), ...(left ? [raced.json as Held] : [])])
        expect(await works(held), point).toBe(isShared(held));
      if (left) expect(ids(killed?.[isShared(raced.json) ? 'stillAccepted' : 'revoked'] ?? [])).toHaveLength(1);
      expect((await requestToken(racing, credential)).audit, point).toMatchObject([{ reason: 'blocked' }]);
    }
  });
});

describe('keydesk kill', () => {
  const run = async (args: readonly string[], settings: Record<string, string> = {}) => {
    const env = {
      PATH: process.env.PATH,
      HOME: '/nonexistent',
      KEYDESK_ADMIN_URL: keydesk.adminUrl,
      KEYDESK_READER_URL: keydesk.readerUrl,
      KEYDESK_ID_TOKEN: await keydesk.google.idToken(WHO.actor),
      ...settings,
    };
    return await runKeydesk(args, { cwd: ROOT, env });
  };
  const why = ['--reason', WHO.reason];

  it('shows what it would end, ends it, blocks, lists and removes the block', async () => {
    const own = { ...job, build_branch: 'release/8' };
    const [held, others] = [await newHolder(own), await newHolder()];
    const dry = await run(['kill', '--branch', 'release/8', '--dry-run', '--block']);
    expect(dry.code).toBe(0);
    for (const { grant_id } of held) expect(dry.out).toContain(grant_id);
    expect((await run(['blocks', 'list'])).err).toBe('No block is in force.\n');
    await expectUntouched([...held, ...others]);

    const before = keydesk.audit.length;
    const killed = await run([
      'kill',
      '--branch',
      'release/8',
      '--since',
      '2020-01-01T00:00:00Z',
      '--block',
      '--json',
      ...why,
    ]);
    const { id, block_id, counts } = JSON.parse(killed.out);
    expect([killed.code, block_id, counts]).toEqual([
      0,
      id,
      { ...NOTHING, selected: 3, revoked: 1, disabled: 1, still_accepted: 1 },
    ]);
    const [act, ...ended] = keydesk.audit.slice(before);
    expect(act).toMatchObject({ event: 'kill_switch.activated', ...WHO, selector: { build_branch: 'release/8' } });
    expect(ids(ended as unknown as Held[])).toEqual(ids(held));
    expect(await Promise.all(held.map(works))).toEqual(held.map(isShared));
    expect((await requestToken(keydesk.buildkite.startJob(own))).audit).toMatchObject([
      { reason: 'blocked', kill_switch_id: id },
    ]);
    await expectUntouched(others);

    const listed = (await run(['blocks', 'list'])).out;
    expect(listed).toContain(`by ${WHO.actor}: ${WHO.reason}`);
    for (const code of [0, 1]) expect(await run(['blocks', 'remove', id])).toMatchObject({ code });
    await expectUntouched(await newHolder(own));
  });

  it('finds the grant of a token, and names the grants whose tokens stay accepted, also once they were ended', async () => {
    const [export_] = (await newHolder(keydesk.buildkite.startJob(), ['staging-export'])) as [Held];
    const file = join(mkdtempSync(join(tmpdir(), 'keydesk-kill-')), 'token');
    writeFileSync(file, `${export_.access_token}\n`);
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    for (const revoked of [0, 0]) {
      const { out } = await run(['kill', '--token', file, '--json', ...why]);
      const { counts, still_accepted } = JSON.parse(out);
      expect(counts).toEqual({ ...NOTHING, selected: 1, revoked, still_accepted: 1 });
      expect(still_accepted).toMatchObject([{ grant_id: export_.grant_id }]);
    }
    expect(await works(export_)).toBe(true);
  });

  it('says with its exit code that something is left to do', async () => {
    await newHolder(job, ['staging-admin']);
    keydesk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    expect(await run(['kill', '--all', '--yes', ...why])).toMatchObject({
      code: 1,
      out: expect.stringContaining('1 not finished'),
    });
  });

  const SOME = ['--environment', 'staging'];
  it.each<[string, number, readonly string[], Record<string, string>?]>([
    ['KEYDESK_ADMIN_URL is not set', 2, ['--all', '--yes', ...why], { KEYDESK_ADMIN_URL: '' }],
    ['Nothing is selected', 2, why],
    ['--pipeline-slug', 2, ['--pipeline-slug', '', ...why]],
    ['--pipeline-id cannot be "app": it takes a UUID', 2, ['--pipeline-id', 'app', '--block', ...why]],
    ['--reason is missing', 2, SOME],
    ['--reason is empty', 2, [...SOME, '--reason', '']],
    ['--since cannot be "noon"', 2, ['--since', 'noon', ...why]],
    ['Nobody can be asked here', 2, ['--all', ...why]],
    ['Nobody can be asked here', 2, ['--since', '2026-01-01T00:00:00Z', '--block', ...why]],
    ['--unknown-ok is for a block', 2, [...SOME, '--unknown-ok', ...why]],
    ["unknown option '--everything'", 2, [...SOME, ...why, '--everything']],
    ['no grant on record has pipeline_slug=ap', 1, ['--pipeline-slug', 'ap', ...why]],
    ['The ID token is not one of', 1, [...SOME, ...why], { KEYDESK_ID_TOKEN: 'a.b.c' }],
  ])('says "%s", exits with %i, and ends nothing: %j', async (problem, code, args, settings) => {
    const held = await newHolder({}, ['staging-config']);
    expect(await run(['kill', ...args], settings)).toMatchObject({
      code,
      out: '',
      err: expect.stringContaining(problem),
    });
    await expectUntouched(held);
  });
});
