// The kill switch against live grants and hand-outs on their way: it ends what it selects and nothing else, tells the truth
// about each kind, bars until it is lifted, and stays on record. As a function, and as the operator's command.

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { WriteBatch } from '@google-cloud/firestore';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { ROOT } from '../../sandbox/functions.ts';
import { CLOCK_MARGIN_MS } from '../../shared/core/clock-margin.ts';
import type { Grant } from '../../shared/core/grant/grant.ts';
import { idOf } from '../../shared/core/grant/lifecycle.ts';
import type { Selector } from '../../shared/core/grant/selector.ts';
import type { HandOutParts } from '../../shared/operations/issue-token.ts';
import { type Killed, type KillParts, throwKillSwitch } from '../../shared/operations/kill-switch.ts';
import { createKilling } from '../../shared/wiring/kill-switch.ts';
import {
  type Called,
  databaseOf,
  firestoreAs,
  type InProcessDesk,
  openInProcessDesk,
} from '../fixtures/in-process-keydesk.ts';

const UUID = '11111111-4782-42b5-afc1-16715b10b1f0';
const KINDS = ['staging-config', 'staging-admin', 'staging-export'];
/** Claims that no other job has. */
const job = { pipeline_slug: 'web', build_branch: 'release/7', agent_id: UUID, pipeline_id: UUID };
const WHO = { actor: 'ada@acme.example', reason: 'INC-7: a leaked agent' };

const policy = (project: string) => {
  const account = (name: string) => `${name}@${project}.iam.gserviceaccount.com`;
  const pool = Array.from({ length: 90 }, (_, index) => account(`deploy-${index}`)).join(', ');
  const opens = `{ project: ${project}, apiKey: key, signer: ${account('signer')}, allow: [{ path: "config/{document}", verbs: [get] }] }`;
  const scopes = 'scopes: [https://www.googleapis.com/auth/datastore]';
  return `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
credentials:
  staging-config: { environment: staging, ttl: 15m, firestore: ${opens} }
  staging-admin: { environment: staging, ttl: 15m, serviceAccount: { pool: [${pool}], ${scopes} } }
  staging-export: { environment: staging, ttl: 15m, serviceAccount: { email: ${account('export')}, ${scopes} } }
  production-config: { environment: production, ttl: 15m, firestore: ${opens} }
rules: [{ name: all, match: { pipeline_slug: [app, web] }, grants: [${KINDS.join(', ')}, production-config] }]
`;
};

let desk: InProcessDesk;
let parts: HandOutParts;
let killing: KillParts;
beforeAll(async () => {
  desk = await openInProcessDesk({ policy });
  parts = { ...desk.issuing };
  killing = createKilling({ settings: desk.settings, emulator: true, clock: desk.clock });
  await hold();
  await kill({ issued_since: 0 });
});
afterEach(async () => {
  Object.assign(desk.issuing, parts);
  desk.google.fault = undefined;
  for (const { id } of await killing.killLedger.blocks()) await killing.killLedger.lift(id, 'the test');
  await kill({ issued_since: 0 });
  expect(desk.google.unexpected).toEqual([]);
});
afterAll(() => desk.close());

const kill = (selector: Selector, blocks_new = false, id: string = randomUUID()) =>
  throwKillSwitch(killing, id, { ...WHO, selector, blocks_new });
const tick = (milliseconds: number) => {
  desk.clock.advance(milliseconds);
  return desk.clock.now();
};
const ask = async (job: Job, credential = 'staging-config') => {
  const issuedAt = Math.floor(desk.clock.now() / 1000);
  return desk.askByPath(await desk.buildkite.jobToken(job, { issuedAt }), credential);
};
type Held = Readonly<Record<'credential' | 'access_token' | 'grant_id', string>>;
async function hold(claims: Record<string, unknown> | Job = {}, credentials = KINDS): Promise<readonly Held[]> {
  const job = 'agentLost' in claims ? (claims as Job) : desk.buildkite.startJob(claims);
  const answers: Called[] = [];
  for (const credential of credentials) answers.push(await ask(job, credential));
  expect(answers.map(({ status }) => status)).toEqual(credentials.map(() => 200));
  return answers.map(({ json }) => json);
}
const works = async ({ credential, access_token }: Held) =>
  credential.endsWith('-config')
    ? (await firestoreAs(desk, access_token, 'config/web')) !== 403
    : (await desk.gate(access_token)) === 200;
const stored = async (path: string) => (await databaseOf(desk.project, 'ledger').doc(path).get()).data();
const ids = (grants: readonly (Grant | Held)[]) =>
  grants.map((grant) => ('grant_id' in grant ? grant.grant_id : idOf(grant))).sort();
const isShared = ({ credential }: Held) => credential === 'staging-export';
async function expectUntouched(held: readonly Held[]) {
  for (const grant of held) {
    expect(await works(grant), grant.credential).toBe(true);
    expect(await stored(`grants/${grant.grant_id}`)).toMatchObject({ state: 'active', ended_by: null });
  }
}

describe('the kill switch', () => {
  it.each<[keyof Selector, () => Promise<[Selector[keyof Selector], readonly Held[], readonly Held[]]>]>([
    ['pipeline_id', async () => [UUID, await hold(job), await hold()]],
    ['pipeline_slug', async () => ['web', await hold(job), await hold()]],
    ['build_branch', async () => ['release/7', await hold(job), await hold()]],
    ['agent_id', async () => [UUID, await hold(job), await hold()]],
    ['job_id', async () => ofJob(desk.buildkite.startJob())],
    ['policy_sha256', async () => ['f'.repeat(64), await withPolicy('f'.repeat(64)), await hold()]],
    ['credential', async () => ['production-config', await hold({}, ['production-config']), await hold()]],
    ['environment', async () => ['production', await hold({}, ['production-config']), await hold()]],
    ['issued_since', async () => [tick(CLOCK_MARGIN_MS + 2000), await hold(), []]],
  ])('by %s ends what it selects and nothing else', async (field, arrange) => {
    const earlier = await hold();
    const [value, meant, others] = await arrange();
    const id = randomUUID();
    const killed = await kill({ [field]: value }, false, id);
    expect([killed.expired, killed.unfinished, killed.undetermined, killed.failures]).toEqual([[], [], [], []]);
    expect(ids([...killed.revoked, ...killed.renewalEnded])).toEqual(ids(meant));
    expect(ids(killed.renewalEnded)).toEqual(ids(meant.filter(isShared)));
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
  const ofJob = async (one: Job): Promise<[string, readonly Held[], []]> => [one.id, await hold(one), []];
  const withPolicy = async (sha256: string) => {
    desk.issuing.policy = { ...parts.policy, sha256 };
    const held = await hold();
    desk.issuing.policy = parts.policy;
    return held;
  };

  it('bars hand-outs and renewals that fit until it is lifted, and gives back nothing that it ended', async () => {
    const [killedJob, other] = [desk.buildkite.startJob(), desk.buildkite.startJob(job)];
    await hold(killedJob);
    const id = randomUUID();
    await kill({ pipeline_slug: 'app' }, true, id);
    for (const barred of [killedJob, desk.buildkite.startJob()])
      for (const credential of KINDS) {
        const refused = await ask(barred, credential);
        expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant']);
        expect(refused.audit).toMatchObject([{ event: 'grant.refused', reason: 'blocked', kill_switch_id: id }]);
      }
    await expectUntouched([...(await hold(other)), ...(await hold(other))]);
    expect(await killing.killLedger.lift(id, 'grace@acme.example')).toBe(true);
    expect(await stored(`kill_switches/${id}`)).toMatchObject({
      ...WHO,
      blocks_new: true,
      deactivated_by: 'grace@acme.example',
    });
    expect((await ask(killedJob)).audit).toMatchObject([{ reason: 'grant_revoked' }]);
    await expectUntouched(await hold());
  });

  it('tells which grants have no pipeline_id, and leaves them', async () => {
    const [meant, unknown] = [await hold(job), await hold({ pipeline_id: undefined })];
    const killed = await kill({ pipeline_id: UUID });
    expect(ids([...killed.revoked, ...killed.renewalEnded])).toEqual(ids(meant));
    expect(ids(killed.undetermined)).toEqual(ids(unknown));
    await expectUntouched(unknown);
  });

  it('by pipeline_id is not got around by a job that does not ask for that claim', async () => {
    await kill({ pipeline_id: UUID }, true);
    expect((await ask(desk.buildkite.startJob({ pipeline_id: undefined }))).audit).toMatchObject([
      { reason: 'blocked' },
    ]);
  });

  it('can be thrown again by the same id: it goes on where it failed, and does nothing twice', async () => {
    const [config, admin] = (await hold(job)) as [Held, Held];
    const id = randomUUID();
    desk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    const { revoked, unfinished } = await kill({ pipeline_slug: 'web' }, true, id);
    expect([ids(revoked), unfinished]).toMatchObject([[config.grant_id], [{ grant_id: admin.grant_id }]]);
    desk.google.fault = undefined;
    expect(ids((await kill({ pipeline_slug: 'web' }, true, id)).revoked)).toEqual([admin.grant_id]);
    expect(await kill({ pipeline_slug: 'web' }, true, id)).toMatchObject({ revoked: [], unfinished: [] });
    expect(await killing.killLedger.blocks()).toMatchObject([{ id, selector: { pipeline_slug: 'web' } }]);
    expect([await works(config), await works(admin)]).toEqual([false, false]);
  });
});

describe('a hand-out on its way when the switch is thrown and bars', () => {
  const POINTS = ['before verifying', 'before reserving', 'while reserving', 'after reserving'];
  POINTS.push('after reading blocks', 'after opening', 'after minting', 'after recording');

  /** Runs `act` at `point` of the next hand-out. What is beside the reading of blocks comes after it. */
  function at(point: string, act: () => Promise<unknown>) {
    const read = Promise.withResolvers<void>();
    type Part<A extends unknown[], R> = (...asked: A) => Promise<R>;
    const around =
      <A extends unknown[], R>(what: string, part: Part<A, R>, meanwhile?: () => unknown): Part<A, R> =>
      async (...asked) => {
        if (point === `before ${what}`) await act();
        const result = await part(...asked);
        await meanwhile?.();
        if (point === `after ${what}`) await act();
        return result;
      };
    const { commit } = WriteBatch.prototype;
    if (point === 'while reserving')
      vi.spyOn(WriteBatch.prototype, 'commit').mockImplementationOnce(async function (this: WriteBatch) {
        await act();
        return commit.call(this);
      });
    const { ledger } = parts;
    Object.assign(desk.issuing, {
      verifyJobToken: around('verifying', parts.verifyJobToken),
      ledger: {
        reserve: around('reserving', ledger.reserve),
        barred: around('reading blocks', ledger.barred, read.resolve),
        activate: around('recording', ledger.activate),
      },
      openGrantDocument: around('opening', parts.openGrantDocument, () => read.promise),
      mint: around('minting', parts.mint, () => read.promise),
    } satisfies Partial<HandOutParts>);
  }

  const WAYS = ['a first hand-out', 'a renewal', 'a renewal after issued_since'].flatMap((which) =>
    KINDS.map((kind) => [which, kind] as const),
  );
  it.each(WAYS)('leaves no live token: %s of %s', async (which, credential) => {
    for (const point of POINTS) {
      if (point === 'after opening' && credential !== 'staging-config') continue;
      const racing = desk.buildkite.startJob();
      const earlier = which === 'a first hand-out' ? [] : await hold(racing, [credential]);
      const since = which === 'a renewal after issued_since' ? { issued_since: tick(1000) } : undefined;
      let killed: Killed | undefined;
      at(point, async () => {
        killed = await kill({ job_id: racing.id, ...since }, true);
      });
      const raced = await ask(racing, credential);
      vi.restoreAllMocks();
      Object.assign(desk.issuing, parts);
      const left = raced.status === 200;
      expect([killed?.unfinished, left], point).toEqual([[], point === 'after recording']);
      for (const held of [...(since && !left ? [] : earlier), ...(left ? [raced.json as Held] : [])])
        expect(await works(held), point).toBe(isShared(held));
      if (left) expect(ids(killed?.[isShared(raced.json) ? 'renewalEnded' : 'revoked'] ?? [])).toHaveLength(1);
      expect((await ask(racing, credential)).audit, point).toMatchObject([{ reason: 'blocked' }]);
    }
  });
});

describe('npm run kill', () => {
  const run = (args: readonly string[], settings = {}) => {
    const ledger = { GOOGLE_CLOUD_PROJECT: desk.project, KEYDESK_DATABASE: 'ledger' };
    // Where the emulator and the metadata server are, the desk has told this process.
    const env = { ...process.env, ...ledger, KEYDESK_IAM_URL: desk.google.url, ...settings };
    return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const child = execFile(process.execPath, ['cli/kill.ts', ...args], { cwd: ROOT, env }, (_, out, err) =>
        resolve({ code: child.exitCode, out, err }),
      );
    });
  };
  const by = ['--actor', WHO.actor, '--reason', WHO.reason];

  it('tells what it would end, ends it, bars, lists and lifts', async () => {
    const [held, others] = [await hold(job), await hold()];
    const dry = await run(['--pipeline-slug', 'web', '--dry-run', ...by, '--block']);
    expect([dry.code, dry.out]).toEqual([0, '']);
    for (const { grant_id } of held) expect(dry.err).toContain(grant_id);
    expect((await run(['--list-blocks'])).err).toBe('No block is active.\n');
    await expectUntouched([...held, ...others]);

    const thrown = await run(['--pipeline-slug', 'web', '--since', '2020-01-01T00:00:00Z', '--block', ...by]);
    expect(thrown).toMatchObject({ code: 0, err: expect.stringMatching(/ 2 revoked.*\n {2}1 could not be revoked/) });
    const [{ kill_switch_id: id, ...act }, ...ended] = JSON.parse(`[${thrown.out.trim().replaceAll('\n', ',')}]`);
    expect(act).toMatchObject({ event: 'kill_switch.activated', ...WHO, selector: { pipeline_slug: 'web' } });
    expect(ids(ended)).toEqual(ids(held));
    expect(await Promise.all(held.map(works))).toEqual(held.map(isShared));
    expect((await ask(desk.buildkite.startJob(job))).audit).toMatchObject([{ reason: 'blocked', kill_switch_id: id }]);
    await expectUntouched(others);

    expect((await run(['--list-blocks'])).err).toContain(`${id}  since`);
    for (const code of [0, 1]) expect(await run(['--unblock', id, '--actor', 'grace'])).toMatchObject({ code });
    await expectUntouched(await hold(job));
  });

  it('says with its exit code that something is left to do', async () => {
    await hold(job, ['staging-admin']);
    desk.google.fault = ({ method }) => (method === 'disable' ? { kind: 'status', status: 403 } : undefined);
    expect(await run(['--all', ...by])).toMatchObject({ code: 1, err: expect.stringContaining('1 not finished') });
  });

  const SOME = ['--environment', 'staging'];
  it.each<[string, readonly string[], object?]>([
    ['GOOGLE_CLOUD_PROJECT is not set', ['--all', ...by], { GOOGLE_CLOUD_PROJECT: '' }],
    ['nothing is selected', by],
    ['nothing is selected', ['--pipeline-slug', '', ...by]],
    ['--actor WHO is missing', [...SOME, '--reason', 'why']],
    ['--reason WHY is missing', [...SOME, '--actor', 'me']],
    ['--actor WHO is missing', [...SOME, '--reason', 'why', '--actor', '']],
    ['--reason WHY is missing', [...SOME, '--reason', '', '--actor', 'me']],
    ['--actor WHO is missing', ['--unblock', 'some-id']],
    ['--since must be', ['--since', '2026-01-01', ...by]],
    ['Unknown option', [...SOME, ...by, '--everything']],
  ])('says "%s" and ends nothing: %j', async (problem, args, settings) => {
    const held = await hold({}, ['staging-config']);
    expect(await run(args, settings)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(problem) });
    await expectUntouched(held);
  });
});
