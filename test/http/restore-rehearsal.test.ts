// A restore of the ledger, rehearsed with the commands of docs/RESTORE.md: what a restored ledger would do by itself, and that after the
// steps nothing that was lost is taken for free, for running or for allowed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeployedGoogle, startDeployedGoogle } from '../fixtures/deployed-google.ts';
import { deployedWorld } from '../fixtures/deployed-world.ts';
import { runGcloudCommand } from '../fixtures/gcloud-operator.ts';
import { firestoreAs } from '../fixtures/in-process-keydesk.ts';
import {
  type Holder,
  type LostLedger,
  loseLedger,
  newJobToken,
  POOL_SIZE,
  restoreLedger,
  sweep,
} from '../fixtures/lost-ledger.ts';
import { KEYDESK } from '../fixtures/preflight-world.ts';
import { runCli } from '../system/cli/run-cli.ts';

const PERSON = 'alice@acme.example';
const MINUTE = 60_000;
const WAIT = 120 * MINUTE + 90_000;

describe('a restored ledger by itself', () => {
  let lost: LostLedger;
  beforeAll(async () => {
    lost = await loseLedger();
    await restoreLedger(lost);
  });
  afterAll(() => lost.keydesk.close());

  it('issues to what ended or is blocked, enables accounts whose tokens live, and leases one that serves another job', async () => {
    const { keydesk, early, killed, blocked } = lost;
    const events = async (jobToken: string, credential = 'staging-admin') =>
      (await keydesk.requestByPath(jobToken, credential)).audit.map(({ event }) => event);
    expect(await events(early.jobToken, 'staging-early')).toContain('grant.issued');
    await sweep(keydesk, 1);
    expect(earlyEnables(lost)).not.toEqual([]);
    for (const { jobToken } of [killed, blocked]) expect(await events(jobToken)).toContain('grant.issued');
    for (let nth = 0; nth < POOL_SIZE; nth += 1) await events(await newJobToken(keydesk, keydesk.buildkite.startJob()));
    expect(sharedAccounts(lost)).not.toEqual([]);
  });
});

describe('keydesk restore', () => {
  let lost: LostLedger;
  let google: DeployedGoogle;
  let folder: string;
  let flags: string[];
  beforeAll(async () => {
    lost = await loseLedger();
    google = await startDeployedGoogle(deployedWorld());
    folder = mkdtempSync(join(tmpdir(), 'keydesk-restore-'));
    writeFileSync(join(folder, 'log.json'), lost.log.map((line) => JSON.stringify(line)).join('\n'));
    const place = ['--project', KEYDESK, '--region', 'europe-west1', '--restored', 'keydesk-20231114'];
    flags = [...place, '--snapshot', lost.snapshot.iso];
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await Promise.all([lost.keydesk.close(), google.close()]);
  });

  const step = async (name: string, ...more: string[]) => {
    const { code, out, err } = await runCli(`restore ${name}`, [...flags, '--json', ...more], {
      cwd: folder,
      env: {
        HOME: folder,
        KEYDESK_READER_URL: lost.keydesk.readerUrl,
        KEYDESK_ADMIN_URL: lost.keydesk.adminUrl,
        KEYDESK_ID_TOKEN: await lost.keydesk.google.idToken(PERSON),
        KEYDESK_GOOGLE_APIS_URL: google.url,
        GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token',
      },
    });
    expect(google.unexpected).toEqual([]);
    const report = JSON.parse(out);
    expect(code, err).toBe(report.done ? 0 : 1);
    return report;
  };
  /** Runs what a step prints, and the step again. */
  const complete = async (name: string, ...more: string[]) => {
    const first = await step(name, ...more);
    const left = first.items.filter(({ done }: { done: boolean }) => !done);
    for (const { commands } of left) for (const command of commands) runGcloudCommand(google.world, command);
    const second = await step(name, ...more);
    expect(second).toMatchObject({ step: name, done: true });
    return left.length;
  };
  const request = async ({ job }: Pick<Holder, 'job'>, credential: string) => {
    const { status, audit } = await lost.keydesk.requestByPath(await newJobToken(lost.keydesk, job), credential);
    return [status, audit[0]?.reason];
  };
  const grant = async ({ grant_id }: Holder) =>
    (await lost.keydesk.asPerson(`${lost.keydesk.readerUrl}/grants/${grant_id}`)).json;
  const blocks = async () => (await lost.keydesk.asPerson(`${lost.keydesk.readerUrl}/blocks`)).json.blocks;

  it('blocks nothing before nobody can call token and every function uses the restored ledger', async () => {
    const { done, items } = await step('hold', '--reason', 'INC-9');
    expect(done).toBe(false);
    expect(items.filter((one: { done: boolean }) => !one.done)).toHaveLength(8);
    expect((await blocks()).map(({ id }: { id: string }) => id)).toEqual([lost.block]);
    const { error } = await step('replay', '--log', 'log.json');
    expect(error.message).toContain('Run: keydesk restore hold');
  });

  it('is done with steps 1 to 3 when what they print was run', async () => {
    expect(await complete('close')).toBe(2);
    expect((await step('database')).items).toMatchObject([
      { done: false, commands: [expect.stringContaining('clone')] },
    ]);
    const { commands } = (await step('database')).items[0];
    runGcloudCommand(google.world, commands[0]);
    expect(await complete('database')).toBeGreaterThan(6);
    await restoreLedger(lost);
    expect(await complete('switch')).toBe(5);
  });

  it('refuses every request from the hold on, which is there once', async () => {
    for (const _ of [1, 2]) expect(await step('hold', '--reason', 'INC-9')).toMatchObject({ done: true });
    expect(await blocks()).toMatchObject([{ selector: { issued_since: lost.snapshot.iso }, actor: PERSON }]);
    for (const holder of [lost.ended, lost.released, { job: lost.keydesk.buildkite.startJob() }])
      expect(await request(holder, 'staging-config')).toEqual([400, 'blocked']);
  });

  it('lists what the log has, and changes nothing in a dry run', async () => {
    const { code, out } = await runCli('restore replay', [...flags, '--log', 'log.json', '--dry-run', '--json'], {
      cwd: folder,
    });
    expect(code).toBe(0);
    const listed = JSON.parse(out).grants.map(({ grant_id }: Holder) => grant_id);
    for (const { grant_id } of [lost.pooled, lost.firestore, lost.shared]) expect(listed).toContain(grant_id);
    expect(await lost.keydesk.gate(lost.pooled.access_token)).toBe(200);
  });

  it('records and ends what was lost, and lists what nothing ends with its latest expiry', async () => {
    const { keydesk, pooled, firestore, shared, again, released, killed, ended, unlogged } = lost;
    const { done, result } = await step('replay', '--log', 'log.json');
    expect([done, result.refused, result.unfinished]).toEqual([true, [], []]);
    for (const { grant_id } of [pooled, firestore, shared, again, released, killed, ended])
      expect(result.recorded).toContain(grant_id);
    expect(await keydesk.gate(pooled.access_token)).toBe(401);
    expect(await firestoreAs(keydesk, firestore.access_token, 'config/web')).toBe(403);
    const accepted = new Map(
      result.still_accepted.map((one: { grant_id: string; accepted_until: string }) => [
        one.grant_id,
        one.accepted_until,
      ]),
    );
    for (const one of [shared, again]) {
      const { expires_at } = lost.log.findLast(
        ({ event, grant_id }) => event === 'grant.issued' && grant_id === one.grant_id,
      ) as { expires_at: string };
      expect(accepted.get(one.grant_id)).toBe(expires_at);
    }
    expect(await grant(pooled)).toMatchObject({ state: 'revoked', ended_by: 'kill_switch', tokens: [{}] });
    expect(await grant(released)).toMatchObject({ state: 'revoked', ended_by: 'released' });
    expect(await grant(ended)).toMatchObject({ ended_by: 'job.finished', job_ended_at: expect.any(String) });
    expect(await blocks()).toMatchObject([{}, { id: lost.block, reason: expect.stringContaining('INC-7') }]);
    // A grant without a line is not found. It is why everything stays blocked.
    expect(await keydesk.gate(unlogged.access_token)).toBe(200);
  });

  it('does nothing twice', async () => {
    const { done, result } = await step('replay', '--log', 'log.json');
    expect([done, result.recorded, result.revoked, result.blocks]).toEqual([true, [], 0, []]);
  });

  it('removes the block only when no token of the lost time can live, and the sweep ran', async () => {
    const { keydesk } = lost;
    const held = Date.parse((await blocks())[0].activated_at);
    const until = new Date(held + WAIT).toISOString();
    keydesk.clock.set(held + WAIT - 1000);
    const early = await step('open');
    expect(early.items.filter((one: { done: boolean }) => !one.done)).toMatchObject([
      { what: `Until ${until} a token or job token of the lost time may be accepted.` },
    ]);
    expect(await blocks()).toHaveLength(2);

    keydesk.clock.set(held + WAIT);
    const paused = await step('open');
    expect(paused.items.filter((one: { done: boolean }) => !one.done)).toHaveLength(2);
    runGcloudCommand(google.world, paused.items.find((one: { done: boolean }) => !one.done).commands[0]);
    expect((await step('open')).done).toBe(false);
    expect(await blocks()).toHaveLength(2);

    await sweep(keydesk, 1);
    const closed = await step('open');
    expect((await blocks()).map(({ id }: { id: string }) => id)).toEqual([lost.block]);
    runGcloudCommand(google.world, closed.items.at(-1).commands[0]);
    for (const _ of [1, 2]) expect(await step('open')).toMatchObject({ done: true });
  });

  it('leaves a ledger in which the invariants hold: nothing for what ended, and no account too early or twice', async () => {
    const { keydesk, ended, released, killed, blocked } = lost;
    expect(await request(released, 'staging-config')).toEqual([400, 'grant_revoked']);
    expect(await request(killed, 'staging-admin')).toEqual([400, 'grant_revoked']);
    expect(await request(blocked, 'staging-admin')).toEqual([400, 'blocked']);
    expect(await request(ended, 'staging-config')).toEqual([400, 'job_ended']);
    expect((await keydesk.requestByPath(ended.jobToken, 'staging-export')).status).toBe(401);

    await sweep(keydesk, 10);
    const served = new Set<string>();
    for (let nth = 0; nth < POOL_SIZE; nth += 1) {
      const { status, audit } = await keydesk.requestByPath(
        await newJobToken(keydesk, keydesk.buildkite.startJob()),
        'staging-admin',
      );
      expect(status).toBe(200);
      served.add(audit[0].service_account);
    }
    expect(served.size).toBe(POOL_SIZE);
    expect(earlyEnables(lost)).toEqual([]);
    expect(sharedAccounts(lost)).toEqual([]);
    expect(keydesk.google.unexpected).toEqual([]);
  });
});

/** I5: enabled although a token that was minted from it lives. */
function earlyEnables({ keydesk: { google } }: LostLedger) {
  return google.changes.filter(
    ({ at, account, disabled }) =>
      !disabled && google.minted.some((token) => token.account === account && token.at <= at && token.expiresAt > at),
  );
}

/** I4: minted from a pooled account although the token of another job lives. Each job of these got one. */
function sharedAccounts({ keydesk: { google } }: LostLedger) {
  return google.minted.filter(
    ({ at, account }, nth) =>
      account.startsWith('ci-') &&
      google.minted.slice(0, nth).some((token) => token.account === account && token.expiresAt > at),
  );
}
