// Google's own client library for Node against the running functions: every source of a job token, what its user reads of
// a refusal, and a job that outlives its tokens.

import { fileURLToPath } from 'node:url';
import { type AuthClient, GoogleAuth } from 'google-auth-library';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { jsonServer } from '../../../sandbox/local-server.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { DEPENDENCY_UNAVAILABLE, JOB_ENDED, JOB_TOKEN_NOT_ACCEPTED, NOT_GRANTED } from '../../fixtures/refusals.ts';
import { grantsOf } from '../../http/token-request.ts';
import { runChild } from './child.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';

const AUTH = 'https://www.googleapis.com/auth';
const CHILD = fileURLToPath(new URL('node-auth-child.ts', import.meta.url));
const MINUTE = 60_000;
const REQUEST_ID = /Request id: ([0-9a-f-]{36})$/;

describe('google-auth-library', () => {
  let keydesk: InProcessKeydesk;
  let on: JobOnDisk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());
  beforeEach(() => {
    on = newJobOnDisk(keydesk);
    for (const [name, value] of Object.entries(on.env)) vi.stubEnv(name, value);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
    keydesk.google.before = undefined;
    on.remove();
  });

  /** A client as a program gets it that knows of nothing but its environment. */
  async function clientOf(path: string, scopes = [`${AUTH}/datastore`]): Promise<AuthClient> {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path);
    const client = await new GoogleAuth({ scopes }).getClient();
    // Keydesk runs in this process, and has an identity of its own.
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
    return client;
  }

  /** What Google's other APIs take the client for. */
  async function heldBy(client: AuthClient): Promise<unknown> {
    return (await client.request({ url: `${keydesk.google.url}/gate` })).data;
  }

  async function errorOf(client: AuthClient): Promise<Error & { code?: unknown }> {
    return client.getAccessToken().then(
      () => expect.unreachable('a token was issued'),
      (error) => error,
    );
  }

  /** The audit lines of whatever happens from now on. */
  function auditFromNow(): () => Record<string, unknown>[] {
    const from = keydesk.audit.length;
    return () => keydesk.audit.slice(from);
  }

  it.each<[string, () => object | Promise<object>]>([
    ['a file', () => on.fileSource()],
    ['a file with a newline at its end', () => on.fileSource('\n')],
    ['the agent as an executable', () => on.agentSource()],
    ["the plugin's executable", () => on.pluginSource()],
  ])('takes the job token from %s', async (_, source) => {
    const client = await clientOf(on.credentialFile('staging-export', await source()));
    expect(await heldBy(client)).toEqual({
      account: `export@${keydesk.project}.iam.gserviceaccount.com`,
      scope: `${AUTH}/datastore`,
    });
  });

  it.each([
    ['as text', {}, (jobToken: string) => ({ text: jobToken, headers: { 'content-type': 'text/plain' } })],
    [
      'in a member of JSON',
      { format: { type: 'json', subject_token_field_name: 'job_token' } },
      (jobToken: string) => ({ json: { job_token: jobToken } }),
    ],
  ])('takes the job token from a URL with a header, %s', async (_, format, response) => {
    const jobToken = await keydesk.buildkite.jobToken(on.job);
    const server = await jsonServer('a source of job tokens', ({ headers }) =>
      headers['x-step'] === 'deploy' ? { status: 200, ...response(jobToken) } : { status: 403, text: 'who asks?' },
    );
    try {
      const source = { url: server.url, headers: { 'X-Step': 'deploy' }, ...format };
      const client = await clientOf(on.credentialFile('staging-export', source));
      expect(await heldBy(client)).toMatchObject({ scope: `${AUTH}/datastore` });
    } finally {
      await server.close();
    }
  });

  it.each([
    ['everything', [`${AUTH}/cloud-platform`], [`${AUTH}/datastore`, `${AUTH}/devstorage.read_only`]],
    ['more than policy gives', [`${AUTH}/datastore`, `${AUTH}/devstorage.full_control`], [`${AUTH}/datastore`]],
    ['less than policy gives', [`${AUTH}/devstorage.read_only`], [`${AUTH}/devstorage.read_only`]],
  ])('that requests %s gets no more than policy allows', async (_, scopes, given) => {
    const client = await clientOf(on.credentialFile('staging-export', await on.fileSource()), scopes);
    expect(await heldBy(client)).toMatchObject({ scope: given.join(' ') });
  });

  it('may send a client_id and a client_secret, which are nobody', async () => {
    const sent: unknown[] = [];
    const between = await jsonServer('a proxy in front of Keydesk', async ({ headers, body }) => {
      sent.push(headers.authorization);
      const { authorization = '', 'content-type': type = '' } = headers as Record<string, string>;
      const requested = { method: 'POST', headers: { authorization, 'content-type': type }, body };
      const { status, json } = await keydesk.call(`${keydesk.tokenUrl}/token`, requested);
      return { status, json };
    });
    const more = { client_id: 'somebody', client_secret: 'anything', token_url: between.url };
    const client = await clientOf(on.credentialFile('staging-export', await on.fileSource(), more));
    expect(await heldBy(client).finally(between.close)).toMatchObject({ scope: `${AUTH}/datastore` });
    expect(sent).toEqual([`Basic ${Buffer.from('somebody:anything').toString('base64')}`]);
  });

  it.each<[string, string, string, () => unknown]>([
    [
      'a credential that policy does not know',
      'nothing-of-the-kind',
      `Error code invalid_target: ${NOT_GRANTED}`,
      () => {},
    ],
    [
      'a credential that is not for this job',
      'production-config',
      `Error code invalid_target: ${NOT_GRANTED}`,
      () => {},
    ],
    ['a job that has ended', 'staging-export', `Error code invalid_grant: ${JOB_ENDED}`, () => on.finish()],
  ])('shows its user %s, and the request ID', async (_, credential, message, before) => {
    const client = await clientOf(on.credentialFile(credential, await on.fileSource()));
    await before();
    const audit = auditFromNow();
    const error = await errorOf(client);
    expect(error.message.replace(REQUEST_ID, '').trim()).toBe(message);
    expect(error.code).toBe(400);
    expect(audit()).toMatchObject([{ event: 'grant.refused', request_id: REQUEST_ID.exec(error.message)?.[1] }]);
  });

  it('shows its user that the job token was not accepted', async () => {
    const client = await clientOf(on.credentialFile('staging-export', await on.fileSource('x')));
    expect((await errorOf(client)).message).toContain(
      `Error code invalid_request: ${JOB_TOKEN_NOT_ACCEPTED} Request id: `,
    );
  });

  it('sends four requests when Keydesk fails, and then shows its user the last request ID', async () => {
    keydesk.google.before = ({ method }) => (method === 'generateAccessToken' ? { status: 503, json: {} } : undefined);
    const client = await clientOf(on.credentialFile('staging-export', await on.fileSource()));
    const audit = auditFromNow();
    const error = await errorOf(client);
    expect(error.message.replace(REQUEST_ID, '').trim()).toBe(
      `Error code temporarily_unavailable: ${DEPENDENCY_UNAVAILABLE}`,
    );
    expect(audit().map(({ reason }) => reason)).toEqual(Array(4).fill('dependency_unavailable'));
    expect(audit().at(-1)?.request_id).toBe(REQUEST_ID.exec(error.message)?.[1]);
  });

  it('gets a token on its second try when Keydesk failed for a moment, and the job holds one grant', async () => {
    let failures = 1;
    keydesk.google.before = ({ method }) =>
      method === 'generateAccessToken' && failures-- > 0 ? { status: 503, json: {} } : undefined;
    const { file } = (await on.fileSource()) as { file: string };
    const client = await clientOf(on.credentialFile('staging-export', { file }));
    const audit = auditFromNow();
    expect(await heldBy(client)).toMatchObject({ scope: `${AUTH}/datastore` });
    expect(audit().map(({ event }) => event)).toEqual(['grant.refused', 'grant.issued']);
    expect(await grantsOf(keydesk, await keydesk.buildkite.jobToken(on.job))).toMatchObject([{ state: 'active' }]);
  });

  it("says why, and does not show the job token, when a program's error goes uncaught", async () => {
    const path = on.credentialFile('nothing-of-the-kind', await on.fileSource());
    const [start = ''] = (await keydesk.buildkite.jobToken(on.job)).split('.', 1);
    const env = { ...on.env, GOOGLE_APPLICATION_CREDENTIALS: path };
    const { exitCode, stdout, stderr } = await runChild({ file: process.execPath, args: [CHILD], env });
    expect([exitCode, stdout, stderr.includes(start)]).toEqual([1, '', false]);
    expect(stderr).toMatch(/error_description: (['"])No rule of the policy grants .* Request id: [0-9a-f-]{36}\1/);
  });

  it.each<[string, () => object]>([
    ["the plugin's executable", () => on.pluginSource()],
    ['the agent as an executable', () => on.agentSource()],
  ])('of a job of 20 minutes refreshes three times by %s, and not once when the job has ended', async (_, source) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const start = Date.now();
    const audit = auditFromNow();
    const client = await clientOf(on.credentialFile('staging-export', source()));
    const held = new Set<unknown>();
    for (let minute = 0; minute < 20; minute += 1) {
      vi.setSystemTime(start + minute * MINUTE);
      held.add((await client.getAccessToken()).token);
      await heldBy(client);
    }
    expect(held.size).toBe(4);
    expect(audit().map(({ event }) => event)).toEqual(Array(4).fill('grant.issued'));
    const [grant, ...more] = await grantsOf(keydesk, await keydesk.buildkite.jobToken(on.job));
    expect(more).toEqual([]);
    expect(grant).toMatchObject({ state: 'active', tokens_issued: 4 });

    vi.setSystemTime(start + 20 * MINUTE);
    await on.finish();
    // Buildkite's agent may still get a token when the webhook is already here.
    on.job.state = 'running';
    const error = await errorOf(client);
    expect(error.message).toContain(`Error code invalid_grant: ${JOB_ENDED} Request id: `);
  });

  it("shows its user the agent's message when the agent issues no job token any more", async () => {
    const clients = await Promise.all(
      [on.pluginSource(), on.agentSource()].map((source) => clientOf(on.credentialFile('staging-export', source))),
    );
    await on.finish();
    const errors = await Promise.all(clients.map(errorOf));
    const agent = `buildkite-agent: fatal: POST ${keydesk.buildkite.agentEndpoint}/jobs/${on.job.id}/oidc/tokens: 401 Invalid access token`;
    expect(errors.map(({ message }) => message)).toEqual([
      `The executable failed with exit code: KEYDESK_NO_JOB_TOKEN and error message: buildkite-agent oidc request-token failed, as it does once the job has ended: ${agent}.`,
      `The executable failed with exit code: 1 and error message: ${agent}\n.`,
    ]);
  });

  it('may only start an executable when the environment says so', async () => {
    vi.stubEnv('GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES', undefined);
    const client = await clientOf(on.credentialFile('staging-export', on.pluginSource()));
    expect((await errorOf(client)).message).toBe(
      'Pluggable Auth executables need to be explicitly allowed to run by setting the GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES environment Variable to 1.',
    );
  });

  it('never made the service send a malformed request to Google', () => {
    expect(keydesk.google.unexpected).toEqual([]);
  });
});
