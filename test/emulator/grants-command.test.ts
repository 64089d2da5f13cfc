// `keydesk grants` and `keydesk explain --grant ID` as their users see them, against the functions on the emulator.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../sandbox/functions.ts';
import { KEYDESK } from '../fixtures/command.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { everyKindPolicyText } from '../fixtures/policies.ts';
import { runKeydesk } from '../fixtures/run-keydesk.ts';

const PERSON = 'alice@acme.example';
const MINUTE = 60_000;
/** It has the form of an access token. */
const UNKNOWN = `ya29.c.${'x'.repeat(100)}`;
const DAY = 24 * 60 * MINUTE;

let keydesk: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-grants-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await keydesk.close();
});

const environment = async (settings: Record<string, string> = {}) => ({
  PATH: process.env.PATH,
  KEYDESK_READER_URL: keydesk.readerUrl,
  KEYDESK_ID_TOKEN: await keydesk.google.idToken(PERSON),
  ...settings,
});
const run = async (args: readonly string[], settings?: Record<string, string>, input = '') => {
  return await runKeydesk(args, { cwd: ROOT, env: await environment(settings), input });
};
const issue = async (credential = 'staging-config', claims: Record<string, unknown> = {}) => {
  const job = keydesk.buildkite.startJob({ step_key: 'deploy', ...claims });
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
  return { job, ...json } as { job: { id: string }; grant_id: string; access_token: string };
};
const day = (time: number) => new Date(time).toISOString().slice(0, 10);

describe('keydesk grants list', () => {
  it('prints a line a grant with a heading, and what was searched', async () => {
    const { grant_id, job } = await issue();
    const { code, out, err } = await run(['grants', 'list', '--job-id', job.id]);
    expect(code).toBe(0);
    const [heading, line, ...more] = out.trimEnd().split('\n');
    expect(heading).toMatch(/^GRANT +SINCE +BUILD +STEP +CREDENTIAL +ENVIRONMENT +STATE +ACCEPTED UNTIL$/);
    expect(line).toMatch(
      new RegExp(`^${grant_id} +20\\S+Z +app #\\d+ +deploy +staging-config +staging +active +20\\S+Z$`),
    );
    expect(more).toEqual([]);
    expect(err).toMatch(/^1 grant: job_id .*, state live\. Times are UTC\. The ledger as of 20/);
  });

  it('finds by day who could use an environment, also what has ended', async () => {
    const { grant_id, access_token } = await issue('staging-admin');
    await keydesk.revoke(access_token);
    const list = (time: number) => {
      const filters = ['--environment', 'staging', '--credential', 'staging-admin', '--day', day(time)];
      return run(['grants', 'list', ...filters, '--json']);
    };
    const { code, out } = await list(keydesk.clock.now());
    expect(code).toBe(0);
    const today = JSON.parse(out);
    expect(today).toMatchObject({ filters: { state: 'all' }, unreadable: [] });
    expect(today.grants).toMatchObject([{ grant_id, state: 'revoked' }]);
    // Before the first grant on record, and in the future, nothing that is missing proves anything.
    for (const other of [-2 * DAY, 2 * DAY]) expect((await list(keydesk.clock.now() + other)).code).toBe(1);
  });

  it('exits with 0 when nothing matches, and says what was searched and what was not', async () => {
    const { code, out, err } = await run(['grants', 'list', '--credential', 'staging-config', '--branch', 'nothing']);
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain('No grant matches: branch nothing, credential staging-config, state live.');
    expect(err).toContain('add --state all');
  });

  it('lists a record that cannot be read', async () => {
    const { grant_id, job } = await issue();
    const document = databaseOf(keydesk.project, 'ledger').doc(`grants/${grant_id}`);
    await document.update({ rule: 7 });
    const { code, err } = await run(['grants', 'list', '--job-id', job.id]);
    await document.delete();
    expect(code).toBe(0);
    expect(err).toContain(`${grant_id}  `);
    expect(err).toContain('cannot be read');
  });

  it.each<[string, readonly string[], Record<string, string>?]>([
    ['Did you mean revoked?', ['--state', 'revokd']],
    ['--job-id cannot be "app": it takes a UUID', ['--job-id', 'app']],
    ['--from cannot be "Tuesday": it takes a day', ['--from', 'Tuesday']],
    ['--from must be before --to', ['--from', '2026-11-25T00:00:00Z', '--to', '2026-11-24T00:00:00Z']],
    ['--day cannot be "2026-02-30"', ['--day', '2026-02-30']],
    ['--day cannot be "24.11.2026": it takes a day in UTC', ['--day', '24.11.2026']],
    ['Use --day, or --from and --to', ['--day', '2026-11-24', '--to', '2026-11-24T00:00:00Z']],
    ['KEYDESK_READER_URL is not set', [], { KEYDESK_READER_URL: '' }],
  ])('says "%s" and exits with 2: %j', async (message, args, settings) => {
    expect(await run(['grants', 'list', ...args], settings)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining(message),
    });
  });
});

describe('keydesk grants show', () => {
  it('tells the history by id and by token, and never the token', async () => {
    const { grant_id, job, access_token } = await issue();
    const byId = await run(['grants', 'show', grant_id]);
    expect(byId.code).toBe(0);
    for (const text of [`Grant ${grant_id}: active`, job.id, 'Not known', 'google-touched-by-grant.logql'])
      expect(byId.out).toContain(text);
    const byToken = await run(['grants', 'show', '--token', '-', '--json'], {}, `${access_token}\n`);
    expect(JSON.parse(byToken.out)).toMatchObject({
      grant: { grant_id, tokens: [{ sha256: createHash('sha256').update(access_token).digest('hex') }] },
      reach: { from: 'record' },
      not_known: expect.arrayContaining([expect.stringContaining('paths and verbs')]),
    });
    for (const { out, err } of [byId, byToken]) expect(out + err).not.toContain(access_token);
  });

  it('has paths and verbs where the policy is the one of the grant, and says where it is not', async () => {
    const { grant_id } = await issue();
    const file = join(folder, 'policy.yaml');
    const text = everyKindPolicyText(keydesk.project);
    writeFileSync(file, text);
    const show = async () =>
      JSON.parse((await run(['grants', 'show', grant_id, '--policy', file, '--json'])).out).reach;
    expect(await show()).toMatchObject({
      from: 'policy',
      lines: expect.arrayContaining([expect.stringContaining(': ')]),
    });
    writeFileSync(file, `${text}\n# another version\n`);
    expect((await show()).from).toBe('other_policy');
  });

  it.each<[number, string, readonly string[]]>([
    [1, 'No grant 0123456789abcdef0123456789abcdef is on record', ['0123456789abcdef0123456789abcdef']],
    [2, 'Give the id of a grant, or --token', []],
    [2, 'keydesk grants list --job-id', ['0184990a-477b-4fa8-9968-496074483cee']],
    [2, '32 hex digits', ['latest']],
  ])('exits with %i and says "%s"', async (code, message, args) => {
    expect(await run(['grants', 'show', ...args])).toMatchObject({
      code,
      out: '',
      err: expect.stringContaining(message),
    });
  });

  it('says of an unknown token that no grant on record has it', async () => {
    const { code, err } = await run(['grants', 'show', '--token', '-'], {}, UNKNOWN);
    expect(code).toBe(1);
    expect(err).toContain('No grant on record has a token with the SHA-256');
    expect(err).not.toContain(UNKNOWN);
  });
});

describe('keydesk grants export', () => {
  it('writes what it counts and hashes, in both formats', async () => {
    const branch = 'release/export';
    const { grant_id } = await issue('staging-config', { build_branch: branch });
    for (const format of ['ndjson', 'csv']) {
      const { code, out, err } = await run(['grants', 'export', '--branch', branch, '--format', format]);
      expect(code).toBe(0);
      expect(err).toContain(`SHA-256 ${createHash('sha256').update(out).digest('hex')}.`);
      expect(err).toMatch(/^1 grant: /);
      expect(out.split('\n').filter((line) => line.includes(grant_id))).toHaveLength(1);
    }
  });

  it('exits with 1 and gives no hash when it cannot go on', async () => {
    const { code, err } = await run(['grants', 'export'], { KEYDESK_ID_TOKEN: 'a.b.c' });
    expect(code).toBe(1);
    expect(err).not.toContain('SHA-256');
  });
});

describe('keydesk grants watch', () => {
  it('prints live grants, and exits with 0 when it is interrupted', async () => {
    const { grant_id, job } = await issue();
    const args = [KEYDESK, 'grants', 'watch', '--job-id', job.id];
    const child = spawn(process.execPath, args, { cwd: ROOT, env: await environment() });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let out = '';
    for await (const chunk of child.stdout) {
      out += chunk;
      if (out.includes('\n')) child.kill('SIGINT');
    }
    expect(await ended).toBe(0);
    expect(out).toMatch(new RegExp(`^20\\S+Z  live +${grant_id}  app #\\d+ .*\n$`));
  });

  it('takes an interval of five seconds or more', async () => {
    expect(await run(['grants', 'watch', '--interval', '4'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('5'),
    });
  });
});

describe('keydesk explain --grant ID', () => {
  it('reads the grant from reader', async () => {
    const file = join(folder, 'explained.yaml');
    writeFileSync(file, everyKindPolicyText(keydesk.project));
    const { grant_id, access_token } = await issue();
    const explain = async () => {
      const request = ['--path', 'config/app', '--verb', 'get', '--policy', file, '--json'];
      const { code, out } = await run(['explain', '--grant', grant_id, ...request]);
      expect(code).toBe(0);
      return JSON.parse(out);
    };
    expect(await explain()).toMatchObject({ verdict: 'allowed' });
    await keydesk.revoke(access_token);
    expect(await explain()).toMatchObject({
      verdict: 'denied',
      checks: expect.arrayContaining([expect.objectContaining({ check: 'grant', result: 'problem' })]),
    });
  });
});
