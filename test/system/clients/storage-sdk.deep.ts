// `@google-cloud/storage` in a process of its own with a token for a part of a bucket: what it opens, what it does not, and
// that no wish of a client makes it more.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { JOB_ENDED, NOT_GRANTED } from '../../fixtures/refusals.ts';
import { newJobToken } from '../../http/token-request.ts';
import { type ClientProcess, startClient, withoutRequestId } from './client-process.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';
import { type NoWayOut, openNoWayOut } from './no-way-out.ts';

const CLIENT = new URL('storage-client.ts', import.meta.url);
const MINUTE = 60_000;

describe('@google-cloud/storage', () => {
  let keydesk: InProcessKeydesk;
  let exit: NoWayOut;
  let bucket: string;
  let elsewhere: string;
  const open: (() => unknown)[] = [];
  beforeAll(async () => {
    [keydesk, exit] = await Promise.all([openInProcessKeydesk(), openNoWayOut()]);
    [bucket, elsewhere] = [`${keydesk.project}-cache`, `${keydesk.project}-artifacts`];
  });
  afterEach(async () => {
    keydesk.clock.reset();
    for (const close of open.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await Promise.all([keydesk.close(), exit.close()]);
  });

  function newClient(on: JobOnDisk, credential: string, source = on.pluginSource()): ClientProcess {
    const client = startClient(CLIENT, {
      ...on.env,
      ...exit.env,
      GOOGLE_APPLICATION_CREDENTIALS: on.credentialFile(credential, source),
      STORAGE_ENDPOINT: keydesk.google.url,
    });
    open.push(on.remove, client.close);
    return client;
  }

  const denied = (permission: string) => {
    const message = `${permission} access to the Google Cloud Storage`;
    return { error: { code: 403, message: expect.stringContaining(message) } };
  };

  it('reads, writes, lists and deletes under the prefix, and nothing else', async () => {
    const client = newClient(newJobOnDisk(keydesk), 'staging-cache');
    for (const [value, operation, ...args] of [
      [null, 'save', bucket, 'warm/a', 'text'],
      [null, 'saveResumably', bucket, 'warm/b/c', 'more text'],
      ['text', 'read', bucket, 'warm/a'],
      ['more text', 'read', bucket, 'warm/b/c'],
      [['warm/a', 'warm/b/c'], 'list', bucket, 'warm/'],
      [['warm/b/c'], 'list', bucket, 'warm/b'],
      [null, 'delete', bucket, 'warm/a'],
      [false, 'exists', bucket, 'warm/a'],
    ] as const)
      expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, { value }]);

    for (const [where, name, prefix] of [
      [bucket, 'cold/a', 'cold/'],
      [bucket, 'warmer/a', 'warm'],
      [bucket, 'a', ''],
      [elsewhere, 'warm/a', 'warm/'],
    ] as const) {
      expect(await client.call('save', where, name, 'text')).toEqual(denied('storage.objects.create'));
      expect(await client.call('saveResumably', where, name, 'text')).toEqual(denied('storage.objects.create'));
      expect(await client.call('read', where, name)).toEqual(denied('storage.objects.get'));
      expect(await client.call('exists', where, name)).toEqual(denied('storage.objects.get'));
      expect(await client.call('list', where, prefix)).toEqual(denied('storage.objects.list'));
      expect(await client.call('delete', where, name)).toEqual(denied('storage.objects.delete'));
    }
    expect([...keydesk.google.objects.keys()]).toEqual([`${bucket}/warm/b/c`]);
  });

  it('writes nothing where the role only reads', async () => {
    const client = newClient(newJobOnDisk(keydesk), 'staging-artifacts');
    expect(await client.call('list', elsewhere, '')).toEqual({ value: [] });
    expect(await client.call('save', elsewhere, 'a', 'text')).toEqual(denied('storage.objects.create'));
    expect(await client.call('list', bucket, 'warm/')).toEqual(denied('storage.objects.list'));
  });

  it('is refused when its token has expired, which its job has to wait for', async () => {
    keydesk.clock.set(Date.now());
    const on = newJobOnDisk(keydesk);
    const client = newClient(on, 'staging-cache');
    expect(await client.call('save', bucket, 'warm/d', 'text')).toEqual({ value: null });
    await on.finish();
    keydesk.clock.advance(9 * MINUTE);
    expect(await client.call('read', bucket, 'warm/d')).toEqual({ value: 'text' });
    keydesk.clock.advance(2 * MINUTE);
    const expired = { error: { code: 401, message: 'Request had invalid authentication credentials.' } };
    expect(await client.call('save', bucket, 'warm/d', 'other text')).toEqual(expired);
    expect(await client.call('list', bucket, 'warm/')).toEqual(expired);
    expect(await client.call('read', bucket, 'warm/d')).toEqual({
      error: { code: 401, message: expect.stringContaining('ACCESS_TOKEN_EXPIRED') },
    });
  });

  it('shows its user why Keydesk issues no token', async () => {
    const on = newJobOnDisk(keydesk);
    const ended = newClient(on, 'staging-cache', await on.fileSource());
    await on.finish();
    const unknown = newClient(newJobOnDisk(keydesk), 'nothing-of-the-kind');
    for (const [client, message] of [
      [ended, `Error code invalid_grant: ${JOB_ENDED} Request id: ID`],
      [unknown, `Error code invalid_target: ${NOT_GRANTED} Request id: ID`],
    ] as const)
      for (const [operation, ...args] of [
        ['read', bucket, 'warm/a'],
        ['save', bucket, 'warm/a', 'text'],
      ] as const)
        expect(withoutRequestId(await client.call(operation, ...args))).toEqual({ error: { code: 400, message } });
  });

  it('gets no more than policy allows for the scopes that it requests', async () => {
    const exchanges = keydesk.google.exchanges.length;
    expect(await newClient(newJobOnDisk(keydesk), 'staging-cache').call('exists', bucket, 'warm/none')).toEqual({
      value: false,
    });
    const wide = {
      scope: 'https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/devstorage.full_control',
      options: JSON.stringify({ accessBoundary: { accessBoundaryRules: [] } }),
      resource: `//storage.googleapis.com/projects/_/buckets/${elsewhere}`,
      lifetime: '3600',
    };
    const wished = await keydesk.requestByForm(await newJobToken(keydesk), 'staging-cache', wide);
    expect(wished.status).toBe(200);
    expect(wished.json.expires_in).toBeLessThanOrEqual(600);
    const [plain, ...others] = keydesk.google.exchanges
      .slice(exchanges)
      .map(({ boundary, account }) => ({ boundary, account }));
    expect(others).toEqual([plain]);
    expect(plain).toEqual({
      account: `cache-ci@${keydesk.project}.iam.gserviceaccount.com`,
      boundary: {
        accessBoundaryRules: [
          {
            availableResource: `//storage.googleapis.com/projects/_/buckets/${bucket}`,
            availablePermissions: ['inRole:roles/storage.objectUser'],
            availabilityCondition: { expression: expect.stringContaining("startsWith('warm/')") },
          },
        ],
      },
    });
  });

  it.each([
    'staging-cache staging-artifacts',
    'staging-cache,staging-artifacts',
    '//storage.googleapis.com/projects/_/buckets/any',
  ])('gets nothing for the audience %s', async (audience) => {
    const exchanges = keydesk.google.exchanges.length;
    const { status, json } = await keydesk.requestByForm(await newJobToken(keydesk), audience);
    expect([status, json.error, keydesk.google.exchanges.length]).toEqual([400, 'invalid_target', exchanges]);
  });

  it('never made the service send a malformed request to Google, and connected to no other host', () => {
    expect([keydesk.google.unexpected, exit.requests]).toEqual([[], []]);
  });
});
