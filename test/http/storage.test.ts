// Credentials for a part of a bucket: what they open, that nothing widens them, and that their end is reported as it is.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { newJobToken } from './token-request.ts';

describe('a credential for a part of a bucket', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());
  afterEach(() => {
    keydesk.clock.reset();
    keydesk.google.before = undefined;
  });

  /** What Cloud Storage answers. */
  async function storage(accessToken: string, path: string, init: RequestInit = {}): Promise<number> {
    const response = await fetch(`${keydesk.google.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${accessToken}` },
    });
    await response.body?.cancel();
    return response.status;
  }
  const upload = (accessToken: string, bucket: string, name: string) =>
    storage(accessToken, `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`, {
      method: 'POST',
      body: 'text',
    });
  const read = (accessToken: string, bucket: string, name: string) =>
    storage(accessToken, `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`);
  const list = (accessToken: string, bucket: string, prefix: string) =>
    storage(accessToken, `/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`);
  const grantOf = async (grant_id: string) =>
    (await databaseOf(keydesk.project, 'ledger').collection('grants').doc(grant_id).get()).data();
  const accountOf = async (email: string) =>
    (await databaseOf(keydesk.project, 'ledger').collection('service_accounts').doc(email).get()).data();

  it('opens the folder that policy names, with the role that it names, and nothing else', async () => {
    const { status, json, audit } = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-cache');
    expect(status).toBe(200);
    expect(json).toMatchObject({ credential: 'staging-cache', revocation: 'expiry', token_type: 'Bearer' });
    expect(json).not.toHaveProperty('scope');
    const { access_token } = json;
    const bucket = `${keydesk.project}-cache`;
    expect(await upload(access_token, bucket, 'warm/a')).toBe(200);
    expect(await read(access_token, bucket, 'warm/a')).toBe(200);
    expect(await list(access_token, bucket, 'warm/')).toBe(200);
    expect(await upload(access_token, bucket, 'cold/a')).toBe(403);
    expect(await upload(access_token, bucket, 'warmer/a')).toBe(403);
    expect(await list(access_token, bucket, '')).toBe(403);
    expect(await upload(access_token, `${keydesk.project}-artifacts`, 'warm/a')).toBe(403);
    expect(await keydesk.gate(access_token)).toBe(403);

    const storageOnRecord = { bucket, prefix: 'warm/', role: 'roles/storage.objectUser' };
    expect(audit[0]).toMatchObject({ event: 'grant.issued', storage: storageOnRecord, scopes: [] });
    expect(await grantOf(json.grant_id)).toMatchObject({
      kind: 'service_account',
      revocation: 'expiry',
      storage: storageOnRecord,
      scopes: [],
    });
  });

  it('reads and does not write where the role only reads', async () => {
    const { json } = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-artifacts');
    const bucket = `${keydesk.project}-artifacts`;
    expect(await list(json.access_token, bucket, '')).toBe(200);
    expect(await read(json.access_token, bucket, 'missing')).toBe(404);
    expect(await upload(json.access_token, bucket, 'build/1')).toBe(403);
  });

  it('is not widened by anything in a request', async () => {
    const wide = {
      scope: 'https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/devstorage.full_control',
      options: JSON.stringify({ accessBoundary: { accessBoundaryRules: [] } }),
      resource: `//storage.googleapis.com/projects/_/buckets/${keydesk.project}-artifacts`,
      access_boundary: '{}',
      bucket: `${keydesk.project}-artifacts`,
      prefix: '',
      role: 'roles/storage.admin',
      lifetime: '3600',
    };
    const plain = await keydesk.requestByForm(await newJobToken(keydesk), 'staging-cache');
    const [expected] = keydesk.google.exchanges.slice(-1);
    const wished = await keydesk.requestByForm(await newJobToken(keydesk), 'staging-cache', wide);
    const [sent] = keydesk.google.exchanges.slice(-1);
    expect([plain.status, wished.status]).toEqual([200, 200]);
    expect(sent?.boundary).toEqual(expected?.boundary);
    expect(new URLSearchParams(sent?.form).get('options')).toBe(new URLSearchParams(expected?.form).get('options'));
    expect(wished.json.expires_in).toBeLessThanOrEqual(600);
    expect(wished.json).not.toHaveProperty('scope');
  });

  it('gives away neither the token it was narrowed from nor one that was not narrowed', async () => {
    const { json } = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-cache');
    const parent = new URLSearchParams(keydesk.google.exchanges.at(-1)?.form).get('subject_token') ?? '';
    expect(await keydesk.gate(parent)).toBe(200);
    expect(json.access_token).not.toBe(parent);
    expect(keydesk.lines.join('')).not.toContain(parent);
    expect(JSON.stringify(await grantOf(json.grant_id))).not.toContain(parent);

    keydesk.google.before = ({ method }) => (method === 'exchangeToken' ? { status: 500, json: {} } : undefined);
    const failed = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-cache');
    expect([failed.status, failed.json.error]).toEqual([503, 'temporarily_unavailable']);
  });

  it('does not set an account of the pool aside when the boundary is what Google refuses', async () => {
    keydesk.google.before = ({ method }) =>
      method === 'exchangeToken' ? { status: 400, json: { error: 'invalid_request' } } : undefined;
    const refused = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-artifacts');
    expect(refused.status).toBe(503);
    expect(refused.audit[0]).toMatchObject({
      reason: 'google_refused',
      cause: 'request_not_accepted',
    });
    const accounts = await databaseOf(keydesk.project, 'ledger').collection('service_accounts').get();
    expect(accounts.docs.map((account) => account.get('state'))).not.toContain('cooling_down');
  });

  it('of a shared account is not renewed any more when the job has ended, and says so', async () => {
    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    const { json } = await keydesk.requestByPath(jobToken, 'staging-cache');
    expect((await keydesk.notify(keydesk.buildkite.event(job))).json).toMatchObject({ revoked: 0, not_renewed: 1 });
    const reported = await keydesk.introspect(json.access_token);
    expect(reported.json).toMatchObject({ active: true, revocation: 'expiry', renewable: false });
    expect((await keydesk.requestByPath(jobToken, 'staging-cache')).json.error).toBe('invalid_grant');
  });

  it('of a pool has its account disabled when the job has ended, and is still never called revoked', async () => {
    keydesk.clock.set(keydesk.clock.now());
    const start = keydesk.clock.now();
    const job = keydesk.buildkite.startJob();
    const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-artifacts');
    const { access_token, grant_id, expires_in } = json;
    expect(json.revocation).toBe('expiry');
    const ended = await keydesk.notify(keydesk.buildkite.event(job));
    expect(ended.json).toMatchObject({ revoked: 0, not_renewed: 1, pending: 0 });
    const grant = await grantOf(grant_id);
    expect(grant).toMatchObject({ state: 'revoking', revocation: 'expiry' });
    expect(grant?.access_ended_at).toEqual(grant?.expires_at);
    expect(keydesk.google.accounts.get(grant?.service_account)).toEqual({ disabled: true });
    expect(await accountOf(grant?.service_account)).toMatchObject({ state: 'cooling_down', grant_id });
    // The local Google takes the worse of what is possible for true.
    expect(await list(access_token, `${keydesk.project}-artifacts`, '')).toBe(200);
    expect((await keydesk.introspect(access_token)).json).toMatchObject({ active: true, renewable: false });

    const again = await keydesk.notify(keydesk.buildkite.event(job));
    expect(again.audit.map(({ event }) => event)).toEqual(['webhook.accepted']);
    const calls = keydesk.google.calls.length;
    expect((await keydesk.sweep()).json).toMatchObject({ revoked: 0, not_renewed: 0, failed: 0 });
    expect(keydesk.google.calls.slice(calls).filter(({ method }) => method === 'disable')).toEqual([]);

    keydesk.clock.set(start + (expires_in + 130) * 1000);
    expect(await list(access_token, `${keydesk.project}-artifacts`, '')).toBe(401);
    const { json: swept, audit } = await keydesk.sweep();
    expect(swept.failed).toBe(0);
    expect(audit.filter((line) => line.grant_id === grant_id).map(({ event }) => event)).toEqual([
      'grant.expired',
      'account.enabled',
    ]);
    expect(await grantOf(grant_id)).toMatchObject({ state: 'expired', ended_by: 'job.finished' });
    expect(keydesk.google.accounts.get(grant?.service_account)).toEqual({ disabled: false });
    expect(await accountOf(grant?.service_account)).toMatchObject({ state: 'free' });
  });

  it('of a pool whose account cannot be disabled yet is left to the sweep, which logs its end', async () => {
    keydesk.google.before = ({ method }) => (method === 'disable' ? { status: 503, json: {} } : undefined);
    const job = keydesk.buildkite.startJob();
    const { json } = await keydesk.requestByPath(await keydesk.buildkite.jobToken(job), 'staging-artifacts');
    expect((await keydesk.notify(keydesk.buildkite.event(job))).json).toMatchObject({ not_renewed: 0, pending: 1 });
    expect(await grantOf(json.grant_id)).toMatchObject({ state: 'revoking', access_ended_at: null });
    keydesk.google.before = undefined;
    const swept = await keydesk.sweep();
    expect(swept.json).toMatchObject({ not_renewed: 1, failed: 0 });
    expect(swept.audit.map(({ event }) => event)).toContain('grant.ended');
  });

  it('released early reports each time that its token still works', async () => {
    const { json } = await keydesk.requestByPath(await newJobToken(keydesk), 'staging-artifacts');
    for (const _ of [1, 2]) {
      const returned = await keydesk.revoke(json.access_token);
      expect([returned.status, returned.json.revocation]).toEqual([200, 'expiry']);
      expect(returned.json.expires_in).toBeGreaterThan(500);
    }
  });

  it('never made the service send a malformed request to Google', () => {
    expect(keydesk.google.unexpected).toEqual([]);
  });
});
