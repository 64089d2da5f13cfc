// The commands of auditors and of people on call, as they see them, against the functions: what proves nothing is not shown as "nobody".

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { everyKindPolicyText } from '../fixtures/policies.ts';
import { runCli } from '../system/cli/run-cli.ts';

/** The Firestore in memory begins soon after, and the ledger is read as of its time. */
const BEGIN = Date.parse('2023-11-14T18:00:00Z');

let keydesk: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-auditor-'));
  keydesk = await openInProcessKeydesk({ records: true });
  keydesk.clock.set(BEGIN);
  const { access_token } = await issue();
  await keydesk.revoke(access_token);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await keydesk.close();
});

const issue = async (credential?: string) => {
  const job = keydesk.buildkite.startJob();
  const issuedAt = Math.floor(keydesk.clock.now() / 1000);
  const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job, { issuedAt }), credential);
  return { job, ...json } as { job: { id: string }; grant_id: string; access_token: string };
};
const run = async (line: string, env: Record<string, string> = {}) =>
  runCli(line, [], {
    env: {
      KEYDESK_READER_URL: keydesk.readerUrl,
      KEYDESK_ADMIN_URL: keydesk.adminUrl,
      KEYDESK_ID_TOKEN: await keydesk.google.idToken('alice@acme.example'),
      ...env,
    },
  });

describe('a name that nothing has', () => {
  it.each([
    ['grants list --environment stage', 'the environment "stage", and the policy in force does not name it.'],
    ['grants list --json --credential STAGING-CONFIG', 'Did you mean staging-config?'],
    ['grants export --environment staging --pipeline nope --state all', 'has the pipeline "nope"'],
    ['grants watch --environment stage', 'has the environment "stage"'],
    ['grants list --account nope --from 2023-11-14', 'has the account "nope"'],
  ])('is an error and not "nobody": %s', async (line, message) => {
    const { code, err } = await run(line);
    expect(code).toBe(1);
    expect(err).toContain(message);
    expect(err).not.toMatch(/SHA-256|add --state all/);
  });

  it('makes a review one of nothing', async () => {
    const { code, out } = await run('review --from 2023-11-14 --to 2023-11-15 --environment stage');
    expect(code).toBe(1);
    expect(out).toContain('has the environment "stage"');
  });
});

describe('a period that the ledger does not cover', () => {
  it.each([
    ['grants list --day 2031-01-01', 'The period is in the future'],
    ['grants list --day 2020-01-01', 'The first grant on record began at 2023-11-14 18:00 UTC.'],
    ['grants export --from 2020-01-01T00:00:00Z --to 2020-01-02T00:00:00Z', 'The first grant on record began at'],
  ])('is no evidence: %s', async (line, message) => {
    const { code, err } = await run(line);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
  });

  it('is not one in which other grants were used', async () => {
    const { code, err } = await run('grants list --day 2023-11-14 --branch nobody/builds/this');
    expect([code, err]).toEqual([0, expect.stringContaining('No grant matches')]);
  });
});

describe('a function that does not respond', () => {
  it.each([
    [
      'nothing listens',
      { KEYDESK_READER_URL: 'http://127.0.0.1:2' },
      'at 127.0.0.1:2: could not be reached: nothing listens there',
    ],
    [
      'its name is unknown',
      { KEYDESK_READER_URL: 'https://reader.invalid' },
      'at reader.invalid: could not be reached: DNS',
    ],
    [
      'it is another function',
      { KEYDESK_READER_URL: 'admin' },
      'is not the function reader, or one of another version. Check KEYDESK_READER_URL',
    ],
    ['the token has a scheme', { KEYDESK_ID_TOKEN: 'Bearer a.b.c' }, 'without "Bearer"'],
    ['the token is empty', { KEYDESK_ID_TOKEN: '' }, 'KEYDESK_ID_TOKEN is set, and empty'],
  ])('is named with the cause: %s', async (_, settings, message) => {
    const env = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name, value === 'admin' ? keydesk.adminUrl : value]),
    );
    const { code, err } = await run('status', env);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    expect(err).not.toContain('a.b.c');
  });
});

describe('after a kill', () => {
  const explain = async (grant_id: string) => {
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, everyKindPolicyText(keydesk.project));
    return (await run(`explain --grant ${grant_id} --path config/app --verb get --policy ${file}`)).out;
  };

  it('list and export show that a token may be used and its grant has ended, and explain says who ended it', async () => {
    const config = await issue('staging-config');
    const shared = await issue('staging-export');
    await keydesk.asPerson(`${keydesk.adminUrl}/kill`, {
      body: { id: randomUUID(), selector: { environment: 'staging' }, reason: 'INC-7: a leaked agent' },
    });
    const list = await run('grants list');
    expect(list.out.split('\n')[1]).toMatch(new RegExp(`^${shared.grant_id} .* ended by kill_switch; usable  20`));
    const exported = JSON.parse((await run('grants export')).out);
    expect(exported).toMatchObject({ grant_id: shared.grant_id, state: 'active', access: 'ended_usable' });
    const why = await explain(config.grant_id);
    expect(why).toContain('alice@acme.example activated the kill switch (INC-7: a leaked agent).');
    expect(why).toContain('Its job does not get this credential again.');
    expect(why).not.toContain('did not issue it');
    const other = await explain(shared.grant_id);
    expect(other).toContain('staging-export is not a firestore credential');
    expect(other).not.toContain('Request the credential again');
  });
});
