// google-auth for Python, the copy that comes with gcloud, against the running functions: sources of a job token, requests
// that Security Rules judge, and what its user reads of a refusal.

import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { jsonServer } from '../../../sandbox/local-server.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { needs } from '../../fixtures/needs.ts';
import { DEPENDENCY_UNAVAILABLE, JOB_ENDED, NOT_GRANTED } from '../../fixtures/refusals.ts';
import { grantsOf } from '../../http/token-request.ts';
import { runChild } from './child.ts';
import { withoutRequestId } from './client-process.ts';
import { pythonOfGcloud } from './gcloud.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';
import { type NoWayOut, openNoWayOut } from './no-way-out.ts';

const SCRIPT = fileURLToPath(new URL('python-client.py', import.meta.url));
const python = pythonOfGcloud();
const needed = needs('google-auth for Python', {
  find: () => python?.command,
  install: 'the Google Cloud CLI, which brings it',
});

describe.skipIf(needed.missing)(needed.title('google-auth for Python'), () => {
  let keydesk: InProcessKeydesk;
  let exit: NoWayOut;
  let on: JobOnDisk;
  beforeAll(async () => {
    [keydesk, exit] = await Promise.all([openInProcessKeydesk(), openNoWayOut()]);
  });
  beforeEach(() => {
    on = newJobOnDisk(keydesk);
  });
  afterEach(() => {
    keydesk.google.before = undefined;
    on.remove();
  });
  afterAll(async () => {
    await Promise.all([keydesk.close(), exit.close()]);
  });

  /** The lines it printed. */
  async function run(credential: string, source: object, ...operation: string[]): Promise<unknown[]> {
    const { exitCode, stdout, stderr } = await runChild({
      file: python?.command ?? 'python3',
      args: [SCRIPT, on.credentialFile(credential, source), ...operation],
      env: { ...on.env, ...exit.env, PYTHONPATH: python?.path ?? '', PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect([exitCode, stderr]).toEqual([0, '']);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  it.each<[string, () => object | Promise<object>]>([
    ['a file', () => on.fileSource()],
    ['a file with a newline at its end', () => on.fileSource('\n')],
    ["the plugin's executable", () => on.pluginSource()],
    ['the agent as an executable', () => on.agentSource()],
  ])('takes the job token from %s, and refreshes', async (_, source) => {
    const reported = await run('staging-export', await source(), 'refresh', `${keydesk.google.url}/gate`);
    const refreshed = { token: expect.any(String), valid: true };
    const account = `export@${keydesk.project}.iam.gserviceaccount.com`;
    const response = { status: 200, body: { account, scope: expect.stringContaining('/auth/datastore') } };
    expect(reported).toEqual([refreshed, refreshed, response]);
    expect(await grantsOf(keydesk, await keydesk.buildkite.jobToken(on.job))).toMatchObject([{ tokens_issued: 2 }]);
  });

  it('reads what rules let it read, and nothing once the job has ended', async () => {
    await databaseOf(keydesk.project, '(default)').doc('config/python').set({ n: 1 });
    const at = `http://${inject('firestoreHost')}/v1/projects/${keydesk.project}/databases/(default)/documents`;
    // What ends the job is one of the program's own requests, so that the token is in its hands by then.
    const end = await jsonServer('the end of the job', async () => {
      await on.finish();
      return { status: 200 };
    });
    const documents = [`${at}/config/python`, `${at}/other/python`, end.url, `${at}/config/python`];
    const reported = await run('staging-config', on.pluginSource(), 'get', ...documents).finally(end.close);
    expect(reported).toMatchObject([
      { status: 200, body: { fields: { n: { integerValue: '1' } } } },
      { status: 403, body: { error: { status: 'PERMISSION_DENIED' } } },
      { status: 200 },
      { status: 403, body: { error: { status: 'PERMISSION_DENIED' } } },
    ]);
  });

  it.each([
    [
      'a credential that policy does not know',
      'nothing-of-the-kind',
      `Error code invalid_target: ${NOT_GRANTED} Request id: ID`,
      () => {},
    ],
    [
      'a job that has ended',
      'staging-export',
      `Error code invalid_grant: ${JOB_ENDED} Request id: ID`,
      () => on.finish(),
    ],
  ])('shows its user %s', async (_, credential, message, before) => {
    const source = await on.fileSource();
    await before();
    const [printed] = await run(credential, source, 'get', `${keydesk.google.url}/gate`);
    expect(withoutRequestId(printed)).toEqual({ error: 'OAuthError', message, retryable: false });
  });

  it("shows its user the agent's message when the agent issues no job token any more", async () => {
    const source = on.pluginSource();
    await on.finish();
    const [printed] = await run('staging-export', source, 'get', `${keydesk.google.url}/gate`);
    expect(printed).toEqual({
      error: 'RefreshError',
      message: `Executable returned unsuccessful response: code: KEYDESK_NO_JOB_TOKEN, message: buildkite-agent oidc request-token failed, as it does once the job has ended: buildkite-agent: fatal: POST ${keydesk.buildkite.agentEndpoint}/jobs/${on.job.id}/oidc/tokens: 401 Invalid access token.`,
      retryable: false,
    });
  });

  it('sends one request when Keydesk fails', async () => {
    keydesk.google.before = ({ method }) => (method === 'generateAccessToken' ? { status: 503, json: {} } : undefined);
    const lines = keydesk.audit.length;
    const [printed] = await run('staging-export', await on.fileSource(), 'get', `${keydesk.google.url}/gate`);
    expect(withoutRequestId(printed)).toEqual({
      error: 'OAuthError',
      message: `Error code temporarily_unavailable: ${DEPENDENCY_UNAVAILABLE} Request id: ID`,
      retryable: false,
    });
    expect(keydesk.audit.slice(lines).map(({ reason }) => reason)).toEqual(['dependency_unavailable']);
  });

  it('never made the service send a malformed request to Google, and connected to no other host', () => {
    expect([keydesk.google.unexpected, exit.requests]).toEqual([[], []]);
  });
});
