// The commands of auditors and of people on call, as they see them, against the functions: what proves nothing is not shown as "nobody".

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { runCli } from '../system/cli/run-cli.ts';

/** The Firestore in memory begins soon after, and the ledger is read as of its time. */
const BEGIN = Date.parse('2023-11-14T18:00:00Z');

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk({ records: true });
  keydesk.clock.set(BEGIN);
  const { access_token } = await issue();
  await keydesk.revoke(access_token);
});
afterAll(() => keydesk.close());

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

describe('a period of which the ledger says nothing', () => {
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
