// The real gcloud against the running functions and a local Cloud Storage: every way to give it a credential, and what its
// user reads of a refusal. Each run takes a second, so there are few.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { needs } from '../../fixtures/needs.ts';
import { JOB_ENDED, NOT_GRANTED } from '../../fixtures/refusals.ts';
import type { Ran } from './child.ts';
import { withoutRequestId } from './client-process.ts';
import { gcloudEnvironment, runGcloud } from './gcloud.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';
import { type NoWayOut, openNoWayOut } from './no-way-out.ts';

const UNKNOWN = `${NOT_GRANTED} Request id: ID`;
const ENDED = `${JOB_ENDED} Request id: ID`;
const PRINT_DEFAULT = ['auth', 'application-default', 'print-access-token'];
const gcloud = needs('gcloud');

describe.skipIf(gcloud.missing)(gcloud.title('gcloud'), () => {
  let keydesk: InProcessKeydesk;
  let exit: NoWayOut;
  let bucket: string;
  let on: JobOnDisk;
  beforeAll(async () => {
    [keydesk, exit] = await Promise.all([openInProcessKeydesk(), openNoWayOut()]);
    bucket = `gs://${keydesk.project}-cache`;
  });
  beforeEach(() => {
    on = newJobOnDisk(keydesk);
  });
  afterEach(() => on.remove());
  afterAll(async () => {
    await Promise.all([keydesk.close(), exit.close()]);
  });

  function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return runGcloud(args, {
      ...on.env,
      ...exit.env,
      ...gcloudEnvironment(on.folder),
      CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${keydesk.google.url}/storage/v1/`,
      ...env,
    });
  }

  /** What it printed; fails with its complaint. */
  async function outputOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await run(args, env);
    expect([args, exitCode, exitCode === 0 ? '' : stderr]).toEqual([args, 0, '']);
    return stdout.trim();
  }

  /** The complaint of what fails, in one line. */
  async function complaintOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await run(args, env);
    expect([exitCode, stdout]).toEqual([1, '']);
    return withoutRequestId(stderr).replaceAll(/\s+/g, ' ').trim();
  }

  const issuedSince = (from: number) =>
    keydesk.audit.slice(from).filter(({ event }) => event === 'grant.issued').length;

  it('takes application default credentials from a file with a newline at its end, and from the plugin', async () => {
    for (const source of [await on.fileSource('\n'), on.pluginSource()]) {
      const env = { GOOGLE_APPLICATION_CREDENTIALS: on.credentialFile('staging-export', source) };
      const accessToken = await outputOf(PRINT_DEFAULT, env);
      expect(await keydesk.gate(accessToken)).toBe(200);
      expect((await keydesk.introspect(accessToken)).json).toMatchObject({ active: true, job_id: on.job.id });
    }
  });

  it('logs in under the name that Keydesk returns, and keeps its token for the commands that follow', async () => {
    const lines = keydesk.audit.length;
    const login = ['auth', 'login', `--cred-file=${on.credentialFile('staging-export', on.pluginSource())}`];
    expect((await run(login)).stderr).toContain(
      `Authenticated with external account credentials for: [export@${keydesk.project}.iam.gserviceaccount.com].`,
    );
    expect(await keydesk.gate(await outputOf(['auth', 'print-access-token']))).toBe(200);
    expect(issuedSince(lines)).toBe(1);
  });

  it('logs in under the id of the grant where no service account stands behind the token', async () => {
    const login = ['auth', 'login', `--cred-file=${on.credentialFile('staging-config', on.pluginSource())}`];
    const { stderr } = await run(login);
    expect(stderr).toContain(
      `Authenticated with external account credentials for: [${keydesk.audit.findLast(({ event }) => event === 'grant.issued')?.grant_id}].`,
    );
  });

  it('copies, reads and lists under the prefix with a token, and nothing else', async () => {
    const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(on.job), 'staging-cache');
    const [text, token] = [join(on.folder, 'a.txt'), join(on.folder, 'access-token')];
    writeFileSync(text, 'text\n');
    writeFileSync(token, json.access_token);
    const byValue = { CLOUDSDK_AUTH_ACCESS_TOKEN: json.access_token as string };
    const byFile = { CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: token };
    await outputOf(['storage', 'cp', text, `${bucket}/warm/a.txt`], byValue);
    expect(await outputOf(['storage', 'cat', `${bucket}/warm/a.txt`], byFile)).toBe('text');
    expect(await outputOf(['storage', 'ls', `${bucket}/warm/*`], byFile)).toBe(`${bucket}/warm/a.txt`);

    const account = `cache-ci@${keydesk.project}.iam.gserviceaccount.com`;
    expect(await complaintOf(['storage', 'cp', text, `${bucket}/cold/a.txt`], byFile)).toContain(
      `ERROR: (gcloud.storage.cp) HTTPError 403: ${account} does not have storage.objects.get access to the Google Cloud Storage object.`,
    );
    // It lists `warm`, which the prefix `warm/` does not cover: a folder is named with /* or /** behind it.
    expect(await complaintOf(['storage', 'ls', `${bucket}/warm/`], byFile)).toContain(
      `${account} does not have storage.objects.list access to the Google Cloud Storage bucket.`,
    );
  });

  it('calls Keydesk again, more than once, for a command that is given a credential file', async () => {
    const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(on.job), 'staging-cache');
    const put = await fetch(
      `${keydesk.google.url}/upload/storage/v1/b/${keydesk.project}-cache/o?uploadType=media&name=warm/b.txt`,
      { method: 'POST', headers: { authorization: `Bearer ${json.access_token}` }, body: 'text' },
    );
    expect(put.status).toBe(200);
    const lines = keydesk.audit.length;
    const env = { CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: on.credentialFile('staging-cache', on.pluginSource()) };
    expect(await outputOf(['storage', 'cat', `${bucket}/warm/b.txt`], env)).toBe('text');
    expect(issuedSince(lines)).toBeGreaterThan(1);
  });

  it('shows its user why Keydesk issues no token', async () => {
    const unknown = on.credentialFile('nothing-of-the-kind', on.pluginSource());
    const ended = on.credentialFile('staging-cache', await on.fileSource());
    const refused = (error: string, description: string) =>
      `There was a problem refreshing your current auth tokens: ('Error code ${error}: ${description}', '{"error":"${error}","request_id":"`;
    expect(await complaintOf(PRINT_DEFAULT, { GOOGLE_APPLICATION_CREDENTIALS: unknown })).toContain(
      `ERROR: (gcloud.auth.application-default.print-access-token) ${refused('invalid_target', UNKNOWN)}`,
    );
    expect(await complaintOf(['auth', 'login', `--cred-file=${unknown}`])).toContain(
      `ERROR: (gcloud.auth.login) ${refused('invalid_target', UNKNOWN)}`,
    );
    await on.finish();
    const list = ['storage', 'ls', `${bucket}/warm/*`];
    expect(await complaintOf(list, { CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE: ended })).toContain(
      `ERROR: (gcloud.storage.ls) ${refused('invalid_grant', ENDED)}`,
    );
    const executable = on.credentialFile('staging-cache', on.pluginSource());
    expect(await complaintOf(PRINT_DEFAULT, { GOOGLE_APPLICATION_CREDENTIALS: executable })).toContain(
      'There was a problem refreshing your current auth tokens: Executable returned unsuccessful response: code: KEYDESK_NO_JOB_TOKEN, message: buildkite-agent oidc request-token failed, as it does once the job has ended: buildkite-agent: fatal: POST',
    );
  });

  it('never made the service send a malformed request to Google, and connected to no other host', () => {
    expect([keydesk.google.unexpected, exit.requests]).toEqual([[], []]);
  });
});
