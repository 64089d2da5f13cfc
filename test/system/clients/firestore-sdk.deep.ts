// `@google-cloud/firestore` in a process of its own with a token that Security Rules judge: what it can do, what it cannot,
// and how it is pointed at the emulator without losing its token.

import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Authority, makeAuthority } from '../../../sandbox/authority.ts';
import { openTlsFront, type TlsFront } from '../../../sandbox/tls-front.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { needs } from '../../fixtures/needs.ts';
import { NOT_GRANTED } from '../../fixtures/refusals.ts';
import { type ClientProcess, startClient, withoutRequestId } from './client-process.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';
import { type NoWayOut, openNoWayOut } from './no-way-out.ts';

const CLIENT = new URL('firestore-client.ts', import.meta.url);
const DENIED = 7;
const NO_RULE = 'No matching allow statements';
const NO_METADATA = 'Metadata operations require admin authentication.';
const PARTS = 'parts';

const openssl = needs('openssl');

interface Where {
  readonly env: Readonly<Record<string, string>>;
  readonly settings?: object;
}

describe('@google-cloud/firestore', () => {
  let keydesk: InProcessKeydesk;
  let exit: NoWayOut;
  let authority: Authority | undefined;
  let front: TlsFront | undefined;
  const open: (() => unknown)[] = [];
  beforeAll(async () => {
    authority = openssl.missing ? undefined : makeAuthority();
    [keydesk, exit, front] = await Promise.all([
      openInProcessKeydesk(),
      openNoWayOut(),
      authority && openTlsFront(inject('firestoreHost'), authority),
    ]);
  });
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await Promise.all([keydesk.close(), exit.close(), front?.close()]);
    authority?.remove();
  });

  /** REST at the emulator, by the environment alone. */
  const rest = (): Where => ({
    env: { FIRESTORE_EMULATOR_HOST: inject('firestoreHost'), FIRESTORE_PREFER_REST: 'true' },
  });
  /** gRPC by TLS, as at Google. */
  const grpc = (): Where => ({
    env: { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: authority?.certificateFile ?? '' },
    settings: { host: front?.host },
  });

  /** A client with collections of its own, one that policy allows and one that it does not. */
  async function newClient(
    { env, settings = {} }: Where,
    credential = 'staging-config',
  ): Promise<{ client: ClientProcess; on: JobOnDisk; inside: string; outside: string }> {
    const on = newJobOnDisk(keydesk);
    const [inside, outside] = [`config/${on.job.id}/docs`, `other/${on.job.id}/docs`];
    const data = databaseOf(keydesk.project, '(default)');
    await Promise.all(
      [`${inside}/a`, `${inside}/b`, `${inside}/a/${PARTS}/1`, `${outside}/a`].map((path, n) =>
        data.doc(path).set({ n }),
      ),
    );
    const client = startClient(CLIENT, {
      ...on.env,
      ...exit.env,
      ...env,
      GOOGLE_APPLICATION_CREDENTIALS: on.credentialFile(credential, on.pluginSource()),
      FIRESTORE_SETTINGS: JSON.stringify(settings),
    });
    open.push(on.remove, client.close);
    return { client, on, inside, outside };
  }

  it('does by REST what policy allows, and nothing else', async () => {
    const { client, inside, outside } = await newClient(rest());
    for (const [value, operation, ...args] of [
      [{ n: 0 }, 'get', `${inside}/a`],
      [{ n: 2 }, 'get', `${inside}/a/${PARTS}/1`],
      [null, 'get', `${inside}/none`],
      [[{ n: 0 }, null], 'getAll', `${inside}/a`, `${inside}/none`],
      [null, 'create', `${inside}/c`, { n: 3 }],
      [null, 'set', `${inside}/d`, { n: 4 }],
      [null, 'update', `${inside}/d`, { n: 5 }],
      [null, 'delete', `${inside}/c`],
      [null, 'batch', `${inside}/e`, `${inside}/f`],
      [1, 'transaction', `${inside}/a`],
      [['a', 'b', 'd', 'e', 'f'], 'list', inside],
      [['d'], 'query', inside, 'n', '>', 1],
      [5, 'count', inside],
    ] as const)
      expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, { value }]);

    const refused = { error: { code: DENIED, message: NO_RULE } };
    for (const [operation, ...args] of [
      ['get', `${outside}/a`],
      ['create', `${outside}/b`, {}],
      ['set', `${outside}/a`, {}],
      ['update', `${outside}/a`, { n: 6 }],
      ['delete', `${outside}/a`],
      ['transaction', `${outside}/a`],
      ['list', outside],
      ['query', outside, 'n', '>', 1],
      ['count', outside],
    ] as const)
      expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, refused]);

    // One document that is not allowed spoils all that is asked for or written with it.
    const spoilt = { error: { code: DENIED, message: expect.any(String) } };
    expect(await client.call('getAll', `${inside}/a`, `${outside}/a`)).toEqual(spoilt);
    expect(await client.call('batch', `${inside}/g`, `${outside}/g`)).toEqual(spoilt);
    expect(await client.call('get', `${inside}/g`)).toEqual({ value: null });
    expect(await client.call('get', 'keydesk_grants/any')).toEqual(spoilt);
  });

  // Stands in docs as a table: what is for server credentials only. The texts are the emulator's.
  it('cannot do with a token that rules judge what is for server credentials only', async () => {
    const { client, inside } = await newClient(rest());
    for (const [message, operation, ...args] of [
      [NO_RULE, 'collectionGroup', PARTS],
      [NO_METADATA, 'listCollections'],
      [NO_METADATA, 'listSubcollections', `${inside}/a`],
      [NO_METADATA, 'listDocuments', inside],
      ['Batch writes require admin authentication.', 'bulkWriter', `${inside}/g`],
      ['1 delete failed. The last delete failed with: ', 'recursiveDelete', `${inside}/a/${PARTS}`],
    ] as const)
      expect([operation, await client.call(operation, ...args)]).toEqual([
        operation,
        { error: { code: DENIED, message } },
      ]);
  });

  it('is denied by REST on its next call once the job has ended', async () => {
    const { client, on, inside } = await newClient(rest());
    expect(await client.call('get', `${inside}/a`)).toEqual({ value: { n: 0 } });
    await on.finish();
    for (const [operation, ...args] of [
      ['get', `${inside}/a`],
      ['set', `${inside}/a`, {}],
      ['list', inside],
      ['transaction', `${inside}/a`],
    ] as const)
      expect(await client.call(operation, ...args)).toMatchObject({ error: { code: DENIED } });
  });

  it.skipIf(openssl.missing)(
    openssl.title('does by gRPC what policy allows, is denied the rest, and hears nothing more once the job has ended'),
    async () => {
      const { client, on, inside, outside } = await newClient(grpc());
      expect(await client.call('get', `${inside}/a`)).toEqual({ value: { n: 0 } });
      expect(await client.call('transaction', `${inside}/a`)).toEqual({ value: 1 });
      expect(await client.call('count', inside)).toEqual({ value: 2 });
      const refused = { error: { code: DENIED, message: `7 PERMISSION_DENIED: ${NO_RULE}` } };
      expect(await client.call('set', `${outside}/a`, {})).toEqual(refused);
      expect(await client.call('listDocuments', inside)).toMatchObject({ error: { code: DENIED } });
      expect(await client.call('listen', `${inside}/a`)).toEqual({ value: { n: 1 } });
      await on.finish();
      // The emulator looks at its listeners again when what they listen to changes.
      await databaseOf(keydesk.project, '(default)').doc(`${inside}/a`).set({ n: 'after the end' });
      expect(await client.call('untilListenerEnds')).toEqual({
        error: { message: expect.stringMatching(/^Error 7: /) },
      });
      expect(await client.call('heard')).toEqual({ value: [{ n: 1 }] });
      expect(await client.call('set', `${inside}/a`, {})).toMatchObject({ error: { code: DENIED } });
      // Before it tells that a read is denied it asks three times in all, which takes seconds; by REST it tells at once.
      expect(await client.call('get', `${inside}/a`)).toMatchObject({ error: { code: DENIED } });
    },
  );

  it('shows its user by REST and by gRPC why Keydesk issues no token', async () => {
    for (const [where, code, before] of [
      [rest(), 3, ''],
      ...(front ? ([[grpc(), 400, '400 undefined: Getting metadata from plugin failed with error: ']] as const) : []),
    ] as const) {
      const { client, inside } = await newClient(where, 'nothing-of-the-kind');
      const why = `Error code invalid_target: ${NOT_GRANTED}`;
      const outcome = await client.call('set', `${inside}/a`, {});
      expect(withoutRequestId(outcome)).toEqual({ error: { code, message: `${before}${why} Request id: ID` } });
    }
  });

  it('by gRPC at FIRESTORE_EMULATOR_HOST is an owner to whom no rule applies, and never calls Keydesk', async () => {
    const { client, outside } = await newClient({ env: { FIRESTORE_EMULATOR_HOST: inject('firestoreHost') } });
    const lines = keydesk.audit.length;
    expect(await client.call('get', `${outside}/a`)).toEqual({ value: { n: 3 } });
    expect(keydesk.audit).toHaveLength(lines);
  });

  it('by REST at FIRESTORE_EMULATOR_HOST becomes such an owner with its first listener', async () => {
    const { client, outside } = await newClient(rest());
    expect(await client.call('get', `${outside}/a`)).toMatchObject({ error: { code: DENIED } });
    expect(await client.call('listen', `${outside}/a`)).toEqual({ value: { n: 3 } });
    expect(await client.call('get', `${outside}/a`)).toEqual({ value: { n: 3 } });
  });

  it('wanted to go nowhere else', () => {
    expect(exit.requests).toEqual([]);
  });
});
