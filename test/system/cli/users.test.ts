// `keydesk users create` against the real Auth emulator: whom it creates, whom it leaves as they are, and what it says it cannot know.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { firebaseUid } from '../../../shared/core/firebase-user.ts';
import { runCli } from './run-cli.ts';

const [ONE, TWO] = ['0184990a-4782-42b5-afc1-16715b10b1f0', '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31'];
const TENANT = 'ci-x7k2p';

describe('keydesk users create', () => {
  let folder: string;
  let project: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-users-'));
    project = `users-${randomBytes(5).toString('hex')}`;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (rules: string) => {
    const opening = (database: string) => `
  ${database}:
    environment: staging
    ttl: 15m
    firestore: { database: ${database}, allow: [{ path: "config/{document}", verbs: [get] }] }`;
    const database = (name: string, of: string, more = '') =>
      `\n  ${name}: { project: ${of}, apiKey: web-key, signer: signer@${of}.iam.gserviceaccount.com${more} }`;
    const databases = [
      database('config', project),
      database('other', project, ', database: other'),
      database('apart', `${project}-t`, `, tenant: ${TENANT}`),
    ];
    writeFileSync(
      join(folder, 'policy.yaml'),
      `version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { staging: {} }
pipelines: { two: ${TWO} }
databases:${databases.join('')}
credentials:${['config', 'other', 'apart'].map(opening).join('')}
rules:
${rules}`,
    );
  };
  const RULES = `  - { name: two, match: { pipeline_id: [${ONE.toUpperCase()}, ${TWO}] }, grants: [config, apart] }
  - { name: again, match: { pipeline_id: ${ONE}, build_branch: main }, grants: [config, other] }
  - { name: by name, match: { pipeline: two, build_branch: main }, grants: [config] }
`;
  const SLUGS = `  - { name: by slug, match: { pipeline_slug: app }, grants: [config] }
  - { name: part, match: { pipeline_slug: app, pipeline_id: "0184990a-*" }, grants: [other] }
`;
  const env = () => ({
    KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
    GOOGLE_OAUTH_ACCESS_TOKEN: 'owner',
  });
  const users = (args: readonly string[] = [], more: Record<string, string> = {}) =>
    runCli('users create', args, { cwd: folder, env: { ...env(), ...more } });

  const usersIn = async (parent: string) => {
    const response = await fetch(`${env().KEYDESK_IDENTITYTOOLKIT_URL}/v1/projects/${parent}/accounts:query`, {
      method: 'POST',
      headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
      body: '{}',
    });
    const { userInfo = [] } = (await response.json()) as { userInfo?: { localId: string }[] };
    return userInfo.map(({ localId }) => localId).sort();
  };
  const uids = (credential: string, ...pipelines: string[]) =>
    pipelines.flatMap((pipeline) => [0, 1, 2].map((nth) => firebaseUid({ pipeline, credential }, nth))).sort();

  it('creates three users of each pipeline and credential, those of a tenant in it, and leaves them as they are', async () => {
    put(RULES);
    expect(await users()).toEqual({
      code: 0,
      err: '',
      out: `${project}: 9 users created, 0 were there already\n${project}-t, tenant ${TENANT}: 6 users created, 0 were there already\n`,
    });
    expect(await usersIn(project)).toEqual([...uids('config', ONE, TWO), ...uids('other', ONE)].sort());
    expect(await usersIn(`${project}-t/tenants/${TENANT}`)).toEqual(uids('apart', ONE, TWO));
    expect(await usersIn(`${project}-t`)).toEqual([]);
    expect((await users()).out).toContain(`${project}: 0 users created, 9 were there already\n`);
    expect(await usersIn(project)).toHaveLength(9);
    const more = await users(['--generations', '5', '--database', 'other']);
    expect(more.out).toContain(`${project}: 2 users created, 3 were there already\n`);
    expect(await usersIn(project)).toContain(firebaseUid({ pipeline: ONE, credential: 'other' }, 4));
  });

  it.each(['0', '-1', '1.5', '1001', 'many'])('refuses --generations %s', async (generations) => {
    put(RULES);
    expect(await users([`--generations=${generations}`])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--generations takes a whole number from 1 to 1000'),
    });
  });

  it('uses only the named project and database, and with --dry-run creates nothing', async () => {
    put(RULES);
    expect(await users(['--database', 'other', '--dry-run'])).toEqual({
      code: 0,
      err: '',
      out: [0, 1, 2].map((nth) => `${project}: ${firebaseUid({ pipeline: ONE, credential: 'other' }, nth)}\n`).join(''),
    });
    expect((await users(['--project', `${project}-t`, '--dry-run'])).out.trim().split('\n')).toHaveLength(6);
    expect(await usersIn(project)).toEqual([]);
  });

  it('says whom it cannot create ahead, and what that means', async () => {
    put(RULES + SLUGS);
    const { code, out } = await users(['--dry-run']);
    expect(code).toBe(0);
    expect(out).toContain('cannot be created ahead: users of config for rule "by slug"');
    expect(out).toContain('cannot be created ahead: users of other for rule "part"');
    expect(out).toContain('100 an hour and IP address');
    put(SLUGS);
    expect((await users()).out).toContain('no user is known');
  });

  it('sends 1,000 users a request at most, to an address with a slash at its end too', async () => {
    const sizes: number[] = [];
    const paths = new Set<string | undefined>();
    const server = createServer(async (request, response) => {
      paths.add(request.url);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { users: unknown[]; allowOverwrite: boolean };
      sizes.push(body.users.length);
      expect(body.allowOverwrite).toBe(false);
      response.setHeader('content-type', 'application/json');
      response.end('{"kind":"identitytoolkit#UploadAccountResponse"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const ids = Array.from(
      { length: 1_001 },
      (_, index) => `0184990a-4782-42b5-afc1-${String(index).padStart(12, '0')}`,
    );
    put(`  - { name: many, match: { pipeline_id: [${ids.join(', ')}] }, grants: [config] }\n`);
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await users(['--generations', '1'], { KEYDESK_IDENTITYTOOLKIT_URL: `${url}/` })).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${project}: 1001 users created, 0 were there already\n`),
    });
    expect(sizes).toEqual([1_000, 1]);
    expect([...paths]).toEqual([`/v1/projects/${project}/accounts:batchCreate`]);
    server.close();
  });

  it('fails with what Google says when it may not, and names the permission', async () => {
    put(RULES);
    const { code, err } = await users([], { GOOGLE_OAUTH_ACCESS_TOKEN: 'somebody' });
    expect(code).toBe(1);
    expect(err).toContain(`projects/${project}: identitytoolkit accounts.batchCreate returned 401`);
    expect(err).toContain('firebaseauth.users.create');
    expect(err).not.toContain('somebody');
  });
});
