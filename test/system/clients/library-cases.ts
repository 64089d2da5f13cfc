// What every client library of Google's has to do with Keydesk, whatever its language: the same cases for a program on each
// of them, which runs in a process of its own. Firestore is reached by gRPC over TLS, as at Google: by
// FIRESTORE_EMULATOR_HOST the libraries would be the emulator's owner, to whom no rule applies.

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Authority, makeAuthority } from '../../../sandbox/authority.ts';
import { openTlsFront, type TlsFront } from '../../../sandbox/tls-front.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import type { Needed } from '../../fixtures/needs.ts';
import type { Command } from './child.ts';
import { type ClientProcess, type Outcome, startCommand } from './client-process.ts';
import { type JobOnDisk, newJobOnDisk } from './job.ts';
import { type NoWayOut, openNoWayOut } from './no-way-out.ts';
import { PREPARE_LIMIT_MS } from './toolchain.ts';

/** gRPC's codes, which Firestore's clients report. */
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

export interface Library {
  /** What is missing to run it, for the title. */
  readonly needs: Needed;
  /** The operations that send a GET request with a new token. */
  readonly requests: readonly string[];
  /** Whether it takes a token URL without TLS. */
  readonly takesHttp: boolean;
  /** Builds the program. @returns how it is run so that it trusts `authority` and has no way out but `exit` */
  prepare(authority: Authority, exit: NoWayOut): Promise<Command>;
}

export interface LibraryTests {
  readonly keydesk: () => InProcessKeydesk;
  /** A program of a job of its own, which is ended after the test. */
  readonly newClient: (
    credential: string,
    options?: {
      readonly source?: (on: JobOnDisk) => object | Promise<object>;
      /** Further members of the credential file. */
      readonly more?: object;
    },
  ) => Promise<{ readonly client: ClientProcess; readonly on: JobOnDisk }>;
}

/** @param more tests of this library alone */
export function describeLibrary(
  title: string,
  { needs, requests, takesHttp, prepare }: Library,
  more: (tests: LibraryTests) => void = () => {},
): void {
  describe.skipIf(needs.missing)(needs.title(title), () => {
    let keydesk: InProcessKeydesk;
    let exit: NoWayOut;
    let authority: Authority;
    let [firestore, token]: TlsFront[] = [];
    let command: Command;
    const open: (() => unknown)[] = [];
    beforeAll(async () => {
      authority = makeAuthority();
      exit = await openNoWayOut();
      command = await prepare(authority, exit);
      keydesk = await openInProcessKeydesk();
      [firestore, token] = await Promise.all([
        openTlsFront(inject('firestoreHost'), authority),
        openTlsFront(new URL(keydesk.tokenUrl).host, authority, 'http/1.1'),
      ]);
    }, PREPARE_LIMIT_MS);
    afterEach(async () => {
      for (const close of open.splice(0).reverse()) await close();
    });
    afterAll(async () => {
      await Promise.all([firestore, token, keydesk, exit].map((one) => one?.close()));
      authority?.remove();
    });

    const newClient: LibraryTests['newClient'] = async (credential, options = {}) => {
      const { source = (on) => on.pluginSource(), more: members = {} } = options;
      const on = newJobOnDisk(keydesk);
      open.push(on.remove);
      const byTls = { token_url: `https://${token?.host}/token`, ...members };
      const env = {
        ...on.env,
        ...exit.env,
        ...command.env,
        GOOGLE_APPLICATION_CREDENTIALS: on.credentialFile(credential, await source(on), byTls),
        STORAGE_URL: keydesk.google.url,
        FIRESTORE_HOST: firestore?.host ?? '',
      };
      const client = startCommand({ ...command, env });
      open.push(client.close);
      return { client, on };
    };
    const gate = () => `${keydesk.google.url}/gate`;
    const fromFile = { source: (on: JobOnDisk) => on.fileSource() };

    it.each(
      requests.flatMap((operation) => [
        [operation, 'a file', fromFile],
        [operation, "the plugin's executable", {}],
      ]) as [string, string, object][],
    )('gets a token (%s) for a job token from %s', async (operation, _, options) => {
      const { client } = await newClient('staging-export', options);
      const account = `export@${keydesk.project}.iam.gserviceaccount.com`;
      const scope = expect.stringContaining('/auth/datastore');
      expect(await client.call(operation, gate())).toEqual({ value: { account, scope } });
    });

    it(`${takesHttp ? 'takes' : 'refuses'} a token URL without TLS`, async () => {
      const { client } = await newClient('staging-export', { more: { token_url: `${keydesk.tokenUrl}/token` } });
      const lines = keydesk.audit.length;
      expect(await client.call(requests[0] ?? '', gate())).toHaveProperty(takesHttp ? 'value' : 'error');
      expect(keydesk.audit.slice(lines).map(({ event }) => event)).toEqual(takesHttp ? ['grant.issued'] : []);
    });

    it('writes, reads, lists and deletes objects within the prefix, and gets 403 outside it', async () => {
      const [bucket, elsewhere] = [`${keydesk.project}-cache`, `${keydesk.project}-artifacts`];
      const { client } = await newClient('staging-cache');
      for (const [value, operation, ...args] of [
        [null, 'save', bucket, 'warm/a', 'text'],
        ['text', 'read', bucket, 'warm/a'],
        [null, 'save', bucket, 'warm/b', ''],
        [['warm/a', 'warm/b'], 'list', bucket, 'warm/'],
        [null, 'delete', bucket, 'warm/b'],
      ] as const)
        expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, { value }]);

      const denied = { error: expect.objectContaining({ code: 403 }) };
      for (const [operation, ...args] of [
        ['save', bucket, 'cold/a', 'text'],
        ['save', elsewhere, 'warm/a', 'text'],
        ['read', bucket, 'warmer/a'],
        ['read', elsewhere, 'warm/a'],
        ['list', bucket, 'warm'],
        ['delete', bucket, 'cold/a'],
      ] as const)
        expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, denied]);
      expect([...keydesk.google.objects]).toEqual([[`${bucket}/warm/a`, 'text']]);
    });

    it('writes and reads the documents that policy allows, and gets PERMISSION_DENIED for others', async () => {
      const id = randomUUID();
      const { client } = await newClient('staging-config');
      for (const [value, operation, ...args] of [
        [null, 'set', `config/${id}`, 'one'],
        [null, 'transaction', `config/${id}`, ' and two'],
        [{ text: 'one and two' }, 'get', `config/${id}`],
      ] as const)
        expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, { value }]);

      await documentOf(`other/${id}`).set({ text: 'not yours' });
      const denied = { error: expect.objectContaining({ code: PERMISSION_DENIED }) };
      for (const [operation, ...args] of [
        ['get', `other/${id}`],
        ['set', `other/${id}`, 'mine'],
        ['transaction', `other/${id}`, 'mine'],
        ['get', `keydesk_grants/${id}`],
      ] as const)
        expect([operation, ...args, await client.call(operation, ...args)]).toEqual([operation, ...args, denied]);
      expect((await documentOf(`other/${id}`).get()).data()).toEqual({ text: 'not yours' });
    });

    it('shows invalid_target and the id of the request when no rule grants the credential', async () => {
      const { client } = await newClient('production-config');
      for (const [operation, ...args] of [
        ...requests.map((name) => [name, gate()] as const),
        ['read', `${keydesk.project}-cache`, 'warm/a'],
        ['save', `${keydesk.project}-cache`, 'warm/a', 'text'],
      ] as const)
        await expectRefusal('invalid_target', () => client.call(operation, ...args));
      const error = await expectRefusal('invalid_target', () => client.call('get', 'live/any'));
      expect(error).toMatchObject({ code: UNAUTHENTICATED });
    });

    it('gets no new token once the job has ended, and shows invalid_grant', async () => {
      const { client, on } = await newClient('staging-export', fromFile);
      for (const operation of requests)
        expect(await client.call(operation, gate())).toMatchObject({ value: expect.anything() });
      await on.finish();
      for (const operation of requests) await expectRefusal('invalid_grant', () => client.call(operation, gate()));
    });

    it("shows the code of the plugin's executable once the job has ended", async () => {
      const { client, on } = await newClient('staging-export');
      await on.finish();
      const lines = keydesk.audit.length;
      for (const operation of requests)
        expect(await client.call(operation, gate())).toEqual({
          error: expect.objectContaining({ message: expect.stringContaining('KEYDESK_NO_JOB_TOKEN') }),
        });
      expect(keydesk.audit.slice(lines)).toEqual([]);
    });

    it('is denied by Firestore on its next request once the job has ended', async () => {
      const path = `config/${randomUUID()}`;
      const { client, on } = await newClient('staging-config');
      expect(await client.call('set', path, 'before')).toEqual({ value: null });
      await on.finish();
      const denied = { error: expect.objectContaining({ code: PERMISSION_DENIED }) };
      expect(await client.call('set', path, 'after')).toEqual(denied);
      expect(await client.call('get', path)).toEqual(denied);
      expect((await documentOf(path).get()).data()).toEqual({ text: 'before' });
    });

    more({ keydesk: () => keydesk, newClient });

    it('sends no request that the fakes do not know, and none to another host', () => {
      expect([keydesk.google.unexpected, exit.requests]).toEqual([[], []]);
    });

    const documentOf = (path: string) => databaseOf(keydesk.project, '(default)').doc(path);

    /** What the user sees of a refusal, somewhere in the error or in what caused it. */
    async function expectRefusal(code: string, request: () => Promise<Outcome>) {
      const lines = keydesk.audit.length;
      const outcome = await request();
      const [refused] = keydesk.audit.slice(lines);
      expect(refused).toMatchObject({ event: 'grant.refused' });
      const error = 'error' in outcome ? outcome.error : expect.unreachable('the request succeeded');
      const shown = [error.message, ...(error.causes ?? [])].join('\n');
      expect(shown).toContain(code);
      expect(shown).toContain(refused?.request_id);
      return error;
    }
  });
}
