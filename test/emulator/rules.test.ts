// The generated security rules against the real emulator: they allow exactly what policy says, and only while the grant
// document says so. What policy says is worked out here a second time, by an oracle that shares no code with Keydesk.

import * as fc from 'fast-check';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { putRules } from '../../sandbox/emulators.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { newRulesFile, replaceGenerated } from '../../shared/core/security-rules/generate.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../shared/firestore/grant-document.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { clientOpener, restOpener } from '../fixtures/emulator-databases.ts';
import { firestorePolicy } from '../fixtures/firestore-policy.ts';

const openDatabase = clientOpener(inject('firestoreHost'));
const used = restOpener(inject('firestoreHost'));
const open = createGrantDocumentOpener(used, systemClock);
const close = createGrantDocumentCloser(used, systemClock);
const IN_AN_HOUR = () => systemClock.now() + 3_600_000;

beforeAll(() => {
  process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
});

// ---- A project of its own, its rules, tokens and requests

let projects = 0;
const freshProject = () => `rules-${process.pid}-${systemClock.now().toString(36)}-${projects++}`;

interface Allow {
  readonly path: string;
  readonly verbs: readonly string[];
}
type Credentials = Readonly<Record<string, readonly Allow[]>>;

/** A policy whose credentials all open the project's default database, except one that opens another with the same paths. */
function policyOf(project: string, credentials: Credentials): Policy {
  const here = Object.entries(credentials).map(([name, allow]) => [name, { project, allow }]);
  const elsewhere = { project, database: 'elsewhere', allow: Object.values(credentials).flat() };
  return firestorePolicy({ ...Object.fromEntries(here), elsewhere });
}

async function putRulesOf(policy: Policy, project: string, database = '(default)'): Promise<void> {
  await putRules(inject('firestoreHost'), project, database, newRulesFile(policy, { project, database }));
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The emulator takes a token's claims as they are: there is no signature to forge. */
function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  return `${base64url({ alg: 'none', typ: 'JWT' })}.${base64url({ sub: 'keydesk', ...claims })}.`;
}
const tokenOf = (grantId: unknown, more: Readonly<Record<string, unknown>> = {}) =>
  tokenWith({ firebase: { sign_in_provider: 'custom' }, keydesk_grant: grantId, ...more });

interface Request {
  readonly method: string;
  /** Below /documents, with the slash or colon it begins with. */
  readonly at: string;
  readonly body?: unknown;
}

async function statusOf(
  project: string,
  accessToken: string | undefined,
  { method, at, body }: Request,
  database = '(default)',
): Promise<number> {
  const response = await fetch(
    `http://${inject('firestoreHost')}/v1/projects/${project}/databases/${database}/documents${at}`,
    {
      method,
      headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  );
  await response.text();
  return response.status;
}

async function asOwner(project: string, request: Request, database = '(default)'): Promise<void> {
  expect(await statusOf(project, 'owner', request, database)).toBe(200);
}

function commit(project: string, paths: readonly string[], what: 'update' | 'delete'): Promise<void> {
  const name = (path: string) => `projects/${project}/databases/(default)/documents/${path}`;
  const writes = paths.map((path) =>
    what === 'delete' ? { delete: name(path) } : { update: { name: name(path), fields: {} } },
  );
  return asOwner(project, { method: 'POST', at: ':commit', body: { writes } });
}

// ---- The requests behind each verb of the rules language; two ways where Firestore has two

const VERBS = ['get', 'list', 'create', 'update', 'delete'] as const;
type Verb = (typeof VERBS)[number];

const parent = (path: string) => path.slice(0, path.lastIndexOf('/'));
const last = (path: string) => path.slice(path.lastIndexOf('/') + 1);

const requests: Record<Verb, (path: string) => Request[]> = {
  get: (path) => [{ method: 'GET', at: `/${path}` }],
  list: (collection) => [
    { method: 'GET', at: `/${collection}?pageSize=2` },
    {
      method: 'POST',
      at: collection.includes('/') ? `/${parent(collection)}:runQuery` : ':runQuery',
      body: { structuredQuery: { from: [{ collectionId: last(collection) }], limit: 2 } },
    },
  ],
  create: (path) => [
    { method: 'PATCH', at: `/${path}?currentDocument.exists=false`, body: { fields: {} } },
    { method: 'POST', at: `/${parent(path)}?documentId=${last(path)}`, body: { fields: {} } },
  ],
  update: (path) => [{ method: 'PATCH', at: `/${path}?currentDocument.exists=true`, body: { fields: {} } }],
  delete: (path) => [{ method: 'DELETE', at: `/${path}?currentDocument.exists=true` }],
};

// ---- The oracle: policy's meaning, written from design.md section 4 and the rules language's reference

const SHORTHAND: Record<string, readonly string[]> = { read: ['get', 'list'], write: ['create', 'update', 'delete'] };
/** A list asks for documents of any name, so only a wildcard covers it. */
const ANY_DOCUMENT = '\u0000any';

function policyAllows(allow: readonly Allow[], verb: Verb, path: string): boolean {
  const segments = (verb === 'list' ? `${path}/${ANY_DOCUMENT}` : path).split('/');
  return allow.some(
    (entry) =>
      entry.verbs.some((named) => named === verb || SHORTHAND[named]?.includes(verb)) &&
      covers(entry.path.split('/'), segments),
  );
}

function covers([template, ...templates]: readonly string[], segments: readonly string[]): boolean {
  if (template === undefined) return segments.length === 0;
  if (template.endsWith('=**}')) return true;
  const [segment, ...rest] = segments;
  if (segment === undefined) return false;
  return (template.startsWith('{') || template === segment) && covers(templates, rest);
}

// ---- Generated policies. Few names, so that templates overlap and paths hit; among them the awkward ones

const COLLECTIONS = ['config', 'a-b', '2024'];
const DOCUMENTS = ['web', 'match', '-1_'];
const WILDCARDS = ['document', 'get', '_', 'grant', 'credentials', 'x1'];

const nameAt = (index: number) => fc.constantFrom(...(index % 2 === 0 ? COLLECTIONS : DOCUMENTS));
const segmentAt = (index: number) =>
  index === 0
    ? nameAt(index)
    : fc.oneof({ weight: 2, arbitrary: nameAt(index) }, { weight: 3, arbitrary: fc.constant(`{${WILDCARDS[index]}}`) });
const segments = (length: number) => fc.tuple(...Array.from({ length }, (_, index) => segmentAt(index)));
const template = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(2, 2, 4).chain(segments) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 1, 2, 3, 4).chain((length) => segments(length).map((all) => [...all, '{rest=**}'])),
  },
);
const allow = fc.record({
  path: template.map((all) => all.join('/')),
  verbs: fc.uniqueArray(fc.constantFrom(...VERBS, 'read', 'write'), { minLength: 1, maxLength: 3 }),
});
const credentials = fc.dictionary(
  fc.constantFrom('reader', 'writer', 'a', 'constructor'),
  fc.array(allow, { minLength: 1, maxLength: 3 }),
  { minKeys: 1, maxKeys: 3 },
);
const documentPath = fc
  .constantFrom(2, 4)
  .chain((length) => fc.tuple(...Array.from({ length }, (_, index) => nameAt(index))))
  .map((all) => all.join('/'));

/** A document the template covers, and one next to, above or beneath it. */
function documentsAround(path: string, seed: number): string[] {
  const filled = path
    .split('/')
    .map((segment, index) => (segment.startsWith('{') ? `any${index}` : segment))
    .slice(0, path.endsWith('=**}') && (seed >> 2) % 2 === 0 ? -1 : undefined);
  const covered = filled.length % 2 === 0 ? filled : [...filled, 'odd'];
  const neighbours = [
    [...covered.slice(0, -1), 'other'],
    ['other', ...covered.slice(1)],
    [...covered, 'deeper', 'down'],
    covered.length > 2 ? covered.slice(0, -2) : [...covered, 'config', 'web'],
  ];
  return [covered, neighbours[seed % 4] ?? covered].map((all) => all.join('/'));
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += 16) await Promise.all(items.slice(from, from + 16).map(work));
}

describe('the generated rules', () => {
  it('allow each verb on each path exactly if policy allows it, whatever the policy', {
    timeout: 900_000,
  }, async () => {
    let requested = 0;
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(
        credentials,
        fc.array(documentPath, { maxLength: 2 }),
        fc.nat(63),
        async (generated, strays, seed) => {
          const project = freshProject();
          await putRulesOf(policyOf(project, generated), project);
          const paths = Object.values(generated).flatMap((allows) => allows.map(({ path }) => path));
          const around = paths.flatMap((path, index) => documentsAround(path, seed + index * 7));
          const documents = [...new Set([...around, ...strays])].slice(0, 8);
          const collections = [...new Set(documents.map(parent))];
          const holders = [...Object.entries(generated), ['elsewhere', []] as const];
          await Promise.all(
            holders.map(([name]) =>
              open(
                { project, database: '(default)', grant_id: `grant-${name}` },
                { roles: [name], expires_at: IN_AN_HOUR() },
              ),
            ),
          );
          for (const [name, allows] of holders) {
            const accessToken = tokenOf(`grant-${name}`);
            const judge = async (verb: Verb, path: string, which = 0) => {
              const ways = requests[verb](path);
              const way = ways[which % ways.length] as Request;
              const expected = policyAllows(allows, verb, path);
              const status = await statusOf(project, accessToken, way);
              requested += 1;
              if (expected) allowed += 1;
              expect({ name, verb, path, way: `${way.method} ${way.at}`, status }).toMatchObject({
                status: expected ? 200 : 403,
              });
            };
            await commit(project, documents, 'update');
            await inBatches(
              [
                ...documents.flatMap((path) => [['get', path] as const, ['update', path] as const]),
                ...collections.map((path) => ['list', path] as const),
              ],
              ([verb, path]) => judge(verb, path, seed),
            );
            await inBatches(documents, (path) => judge('delete', path));
            await commit(project, documents, 'delete');
            await inBatches(documents, (path) => judge('create', path, seed));
          }
        },
      ),
      { numRuns: 20 * inject('effort') },
    );
    // The generator must keep hitting both sides, or the property says little.
    expect(allowed).toBeGreaterThan(requested / 10);
    expect(requested - allowed).toBeGreaterThan(requested / 10);
  });

  it('close the grant documents to a token that holds every credential, also beneath them', async () => {
    const project = freshProject();
    const everything = [{ path: 'config/{document=**}', verbs: ['read', 'write'] }];
    await putRulesOf(policyOf(project, { wide: everything, wider: everything }), project);
    await open(
      { project, database: '(default)', grant_id: 'mine' },
      { roles: ['wide', 'wider', 'elsewhere'], expires_at: IN_AN_HOUR() },
    );
    await commit(project, ['keydesk_grants/other', 'keydesk_grants/mine/notes/one', 'config/web'], 'update');
    const accessToken = tokenOf('mine');
    const at = (documents: string[], collections: string[]) => [
      ...documents.flatMap((path) => [requests.get, requests.update, requests.delete].flatMap((of) => of(path))),
      ...documents.flatMap((path) => [0, 1].flatMap((way) => requests.create(`${path}-new${way}`)[way] ?? [])),
      ...collections.flatMap(requests.list),
    ];
    for (const request of at(['config/web'], ['config']))
      expect({ request, status: await statusOf(project, accessToken, request) }).toMatchObject({ status: 200 });
    const closed = at(
      ['keydesk_grants/mine', 'keydesk_grants/other', 'keydesk_grants/mine/notes/one'],
      ['keydesk_grants', 'keydesk_grants/mine/notes'],
    );
    for (const request of closed)
      expect({ request, status: await statusOf(project, accessToken, request) }).toMatchObject({ status: 403 });
  });

  it('refuse a commit, a batch of reads and a collection-group query that reach beyond policy in part', async () => {
    const project = freshProject();
    await putRulesOf(
      policyOf(project, { wide: [{ path: 'config/{document=**}', verbs: ['read', 'write'] }] }),
      project,
    );
    await open({ project, database: '(default)', grant_id: 'mine' }, { roles: ['wide'], expires_at: IN_AN_HOUR() });
    await commit(project, ['config/web', 'live/web', 'live/web/config/web'], 'update');
    const name = (path: string) => `projects/${project}/databases/(default)/documents/${path}`;
    const writes = (...paths: string[]) => ({
      method: 'POST',
      at: ':commit',
      body: { writes: paths.map((path) => ({ update: { name: name(path), fields: {} } })) },
    });
    const reads = (...paths: string[]) => ({
      method: 'POST',
      at: ':batchGet',
      body: { documents: paths.map(name) },
    });
    const group = (under: string, collectionId: string) => ({
      method: 'POST',
      at: `${under}:runQuery`,
      body: { structuredQuery: { from: [{ collectionId, allDescendants: true }] } },
    });
    const requestToken = (request: Request) => statusOf(project, tokenOf('mine'), request);
    expect(await requestToken(writes('config/web', 'config/new'))).toBe(200);
    expect(await requestToken(writes('config/web', 'live/web'))).toBe(403);
    expect(await requestToken(writes('config/web', 'keydesk_grants/mine'))).toBe(403);
    expect(await requestToken(reads('config/web'))).toBe(200);
    expect(await requestToken(reads('config/web', 'live/web'))).toBe(403);
    expect(await requestToken(reads('config/web', 'keydesk_grants/mine'))).toBe(403);
    expect(await requestToken(group('/config/web', 'notes'))).toBe(200);
    expect(await requestToken(group('', 'config'))).toBe(403);
    expect(await requestToken(group('', 'keydesk_grants'))).toBe(403);
  });

  it('honour a grant only in the database that holds it', async () => {
    const project = freshProject();
    const policy = policyOf(project, { here: [{ path: 'config/{document}', verbs: ['write', 'read'] }] });
    await putRulesOf(policy, project);
    await putRulesOf(policy, project, 'elsewhere');
    const request = { method: 'GET', at: '/config' };
    const roles = ['here', 'elsewhere'];
    await open({ project, database: '(default)', grant_id: 'one' }, { roles, expires_at: IN_AN_HOUR() });
    await open({ project, database: 'elsewhere', grant_id: 'two' }, { roles, expires_at: IN_AN_HOUR() });
    expect(await statusOf(project, tokenOf('one'), request)).toBe(200);
    expect(await statusOf(project, tokenOf('one'), request, 'elsewhere')).toBe(403);
    expect(await statusOf(project, tokenOf('two'), request, 'elsewhere')).toBe(200);
    expect(await statusOf(project, tokenOf('two'), request)).toBe(403);
  });

  it('leave hand-written rules around them in force, for other users too', async () => {
    const project = freshProject();
    const policy = policyOf(project, { web: [{ path: 'config/{document}', verbs: ['read'] }] });
    const own = `rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /public/{document} { allow read: if true; }
    // keydesk:begin
    // keydesk:end
    match /users/{user} { allow read: if request.auth.uid == user; }
  }
}
`;
    const spliced = replaceGenerated(own, policy, { project, database: '(default)' });
    if ('problem' in spliced) throw new Error(spliced.problem);
    await putRules(inject('firestoreHost'), project, '(default)', spliced.text);
    await open({ project, database: '(default)', grant_id: 'mine' }, { roles: ['web'], expires_at: IN_AN_HOUR() });
    const get = (collection: string) => ({ method: 'GET', at: `/${collection}` });
    const user = tokenWith({ user_id: 'ann', sub: 'ann', firebase: { sign_in_provider: 'password' } });
    expect(await statusOf(project, undefined, get('public'))).toBe(200);
    expect(await statusOf(project, tokenOf('mine'), get('config'))).toBe(200);
    expect(await statusOf(project, user, get('config'))).toBe(403);
    expect(await statusOf(project, tokenOf('mine'), get('users'))).toBe(403);
  });
});

describe('a grant document', () => {
  const request = { method: 'GET', at: '/config' };
  let project: string;
  let count = 0;

  beforeAll(async () => {
    project = freshProject();
    const policy = policyOf(project, {
      web: [{ path: 'config/{document}', verbs: ['list'] }],
      other: [{ path: 'live/{document}', verbs: ['list'] }],
    });
    await putRulesOf(policy, project);
  });

  const nameOf = (grant_id: string) => ({ project, database: '(default)', grant_id });
  const requestToken = (accessToken: string | undefined) => statusOf(project, accessToken, request);

  /** A live grant for `web`, checked to be let in. */
  async function openedGrant(): Promise<string> {
    const id = `grant-${count++}`;
    expect(await open(nameOf(id), { roles: ['web'], expires_at: IN_AN_HOUR() })).toBe(true);
    expect(await requestToken(tokenOf(id))).toBe(200);
    return id;
  }

  function setField(id: string, field: string, value: unknown): Promise<void> {
    return asOwner(project, {
      method: 'PATCH',
      at: `/keydesk_grants/${id}?updateMask.fieldPaths=${field}`,
      body: { fields: value === undefined ? {} : { [field]: value } },
    });
  }

  async function fieldsOf(id: string) {
    const snapshot = await openDatabase(nameOf(id)).collection('keydesk_grants').doc(id).get();
    return snapshot.data() ?? {};
  }

  const strings = (...values: string[]) => ({ arrayValue: { values: values.map((stringValue) => ({ stringValue })) } });
  const time = (at: number) => ({ timestampValue: new Date(at).toISOString() });

  it.each([
    ['state is "ended"', 'state', { stringValue: 'ended' }],
    ['state is unknown', 'state', { stringValue: 'Active' }],
    ['state is missing', 'state', undefined],
    ['expires_at has passed', 'expires_at', time(systemClock.now() - 1)],
    ['expires_at is missing', 'expires_at', undefined],
    ['expires_at is null', 'expires_at', { nullValue: null }],
    ['expires_at is a number', 'expires_at', { integerValue: '99999999999999' }],
    ['expires_at is text', 'expires_at', { stringValue: '9999-12-31T00:00:00Z' }],
    ['roles name another credential only', 'roles', strings('other')],
    ['roles name one that begins alike', 'roles', strings('web2', 'we')],
    ['roles are empty', 'roles', { arrayValue: {} }],
    ['roles are missing', 'roles', undefined],
    ['roles are one text', 'roles', { stringValue: 'web' }],
  ])('lets nobody in when %s', async (_, field, value) => {
    const id = await openedGrant();
    const { [field]: before } = await fieldsOf(id);
    await setField(id, field, value);
    expect(await requestToken(tokenOf(id))).toBe(403);
    await openDatabase(nameOf(id))
      .collection('keydesk_grants')
      .doc(id)
      .update({ [field]: before });
    expect(await requestToken(tokenOf(id))).toBe(200);
  });

  it('lets nobody in once it is gone', async () => {
    const id = await openedGrant();
    await asOwner(project, { method: 'DELETE', at: `/keydesk_grants/${id}` });
    expect(await requestToken(tokenOf(id))).toBe(403);
  });

  it.each([
    ['without a grant', (_: string) => tokenWith({ firebase: { sign_in_provider: 'custom' } })],
    ['whose grant is a number', (_: string) => tokenOf(7)],
    ['whose grant is null', (_: string) => tokenOf(null)],
    ['whose grant is empty', (_: string) => tokenOf('')],
    ['whose grant is a list', (id: string) => tokenOf([id])],
    ['of a grant that does not exist', (id: string) => tokenOf(`${id}0`)],
    ['whose grant names a document beneath one', (id: string) => tokenOf(`${id}/notes/one`)],
    ['whose grant climbs out', (id: string) => tokenOf(`../keydesk_grants/${id}`)],
    ['of a password user', (id: string) => tokenOf(id, { firebase: { sign_in_provider: 'password' } })],
    ['of an anonymous user', (id: string) => tokenOf(id, { firebase: { sign_in_provider: 'anonymous' } })],
    ['without a sign-in provider', (id: string) => tokenOf(id, { firebase: {} })],
    ['without Firebase claims', (id: string) => tokenWith({ keydesk_grant: id })],
    ['that is absent', (_: string) => undefined],
  ])('does not let in a token %s', async (_, tokenFor) => {
    const id = await openedGrant();
    await asOwner(project, {
      method: 'PATCH',
      at: `/keydesk_grants/${id}/notes/one`,
      body: { fields: { state: { stringValue: 'active' }, expires_at: time(IN_AN_HOUR()), roles: strings('web') } },
    });
    expect(await requestToken(tokenFor(id))).toBe(403);
    expect(await requestToken(tokenOf(id))).toBe(200);
  });

  it('lets a token of another grant do what that one may, and no more', async () => {
    await openedGrant();
    const id = `grant-${count++}`;
    await open(nameOf(id), { roles: ['other'], expires_at: IN_AN_HOUR() });
    expect(await requestToken(tokenOf(id))).toBe(403);
    expect(await statusOf(project, tokenOf(id), { method: 'GET', at: '/live' })).toBe(200);
  });

  it('refuses the next request after it was closed, and stays closed to a late opener', async () => {
    const id = await openedGrant();
    await close(nameOf(id), systemClock.now());
    expect(await requestToken(tokenOf(id))).toBe(403);
    expect(await open(nameOf(id), { roles: ['web'], expires_at: IN_AN_HOUR() })).toBe(false);
    expect(await requestToken(tokenOf(id))).toBe(403);
    expect(await fieldsOf(id)).toMatchObject({ state: 'ended', roles: [] });
  });

  it('closed before it was ever opened never opens', async () => {
    const id = `grant-${count++}`;
    await close(nameOf(id), systemClock.now());
    expect(await open(nameOf(id), { roles: ['web'], expires_at: IN_AN_HOUR() })).toBe(false);
    expect(await requestToken(tokenOf(id))).toBe(403);
  });

  it('may be closed twice', async () => {
    const id = await openedGrant();
    await close(nameOf(id), systemClock.now());
    await close(nameOf(id), systemClock.now());
    expect(await requestToken(tokenOf(id))).toBe(403);
  });

  it('ends closed however an opener and a closer meet', async () => {
    for (let round = 0; round < 10; round++) {
      const id = round % 2 === 0 ? `grant-${count++}` : await openedGrant();
      const [opened] = await Promise.all([
        open(nameOf(id), { roles: ['web'], expires_at: IN_AN_HOUR() }),
        close(nameOf(id), systemClock.now()),
      ]);
      expect(typeof opened).toBe('boolean');
      expect(await requestToken(tokenOf(id))).toBe(403);
    }
  });

  it('is lengthened by a renewal and never shortened by one', async () => {
    const id = await openedGrant();
    const until = IN_AN_HOUR() + 60_000;
    expect(await open(nameOf(id), { roles: ['web'], expires_at: until })).toBe(true);
    expect(await open(nameOf(id), { roles: ['web'], expires_at: until - 1_800_000 })).toBe(true);
    const { expires_at, delete_at } = await fieldsOf(id);
    expect(expires_at.toMillis()).toBe(until);
    expect(delete_at.toMillis()).toBeGreaterThan(until);
  });

  it('opened by several at once is open for all, until the latest end', async () => {
    const id = `grant-${count++}`;
    const until = IN_AN_HOUR();
    const opened = await Promise.all(
      [until - 60_000, until, until - 120_000].map((expires_at) => open(nameOf(id), { roles: ['web'], expires_at })),
    );
    expect(opened).toEqual([true, true, true]);
    expect((await fieldsOf(id)).expires_at.toMillis()).toBe(until);
    expect(await requestToken(tokenOf(id))).toBe(200);
  });

  it('is renewed by several at once without one of them failing', async () => {
    for (let round = 0; round < 3; round++) {
      const id = await openedGrant();
      const until = IN_AN_HOUR() + 60_000;
      const renewed = await Promise.allSettled(
        [until, until - 1_000, until - 2_000].map((expires_at) => open(nameOf(id), { roles: ['web'], expires_at })),
      );
      expect(renewed).toEqual(renewed.map(() => ({ status: 'fulfilled', value: true })));
      expect((await fieldsOf(id)).expires_at.toMillis()).toBe(until);
    }
  });
});
