// What the rules language and Firestore's evaluation of it allow, measured on the real emulator: which names a wildcard may
// have, how large a path may be, and what a request for a document may cost.

import { beforeAll, describe, expect, inject, it } from 'vitest';
import { putRules, RulesRefused } from '../../sandbox/emulators.ts';
import { documentPathProblem, RULES_WORDS } from '../../shared/core/policy/document-path.ts';
import { newRulesFile } from '../../shared/core/security-rules/generate.ts';
import { generatedRulesProblems, MAX_MATCHES_OF_A_DOCUMENT } from '../../shared/core/security-rules/limits.ts';
import { createGrantDocumentOpener } from '../../shared/firestore/grant-document.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { restOpener } from '../fixtures/emulator-databases.ts';
import { firestorePolicy } from '../fixtures/firestore-policy.ts';

const PROJECT = `rules-limits-${process.pid}-${systemClock.now().toString(36)}`;
const DATABASE = '(default)';

beforeAll(() => {
  process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
});

const count = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, index) => make(index));

/** Whether the emulator compiles these matches together with the functions of the generated rules. */
async function compiles(...matches: string[]): Promise<boolean> {
  const empty = newRulesFile(policyOf([]), { project: PROJECT, database: DATABASE });
  const text = empty.replace('// keydesk:end', `${matches.join('\n')}\n// keydesk:end`);
  return putRules(inject('firestoreHost'), PROJECT, DATABASE, text).then(
    () => true,
    (error: unknown) => {
      if (error instanceof RulesRefused) return false;
      throw error;
    },
  );
}

const opening = (path: string) => `match /${path} { allow get: if keydeskAllows('x'); }`;

/** One credential for each path. */
const policyOf = (paths: readonly string[]) => {
  const opening = (path: string) => ({ project: PROJECT, allow: [{ path, verbs: ['get', 'update', 'create'] }] });
  return firestorePolicy(Object.fromEntries(paths.map((path, index) => [`credential-${index}`, opening(path)])));
};

describe('a name of a wildcard', () => {
  it.each(RULES_WORDS)('does not compile as %s, which policy refuses', async (word) => {
    expect(await compiles(opening(`c/{${word}}`))).toBe(false);
    expect(await compiles(opening(`c/{${word}=**}`))).toBe(false);
  });

  it('compiles if policy takes it, whatever else the word means', async () => {
    const taken = WORDS.filter((word) => documentPathProblem(`c/{${word}}`) === undefined);
    expect(taken.length).toBeGreaterThan(200);
    expect(await compiles(...taken.flatMap((word) => [opening(`c/{${word}}`), opening(`c/{${word}=**}`)]))).toBe(true);
  });

  it('compiles as any word where it is no wildcard', async () => {
    const words = [...WORDS, ...RULES_WORDS].filter((word) => !/^__.*__$/.test(word));
    expect(await compiles(...words.map((word) => opening(`${word}/${word}`)))).toBe(true);
  });
});

describe('a path', () => {
  const wildcards = (length: number) => count(length, (index) => `c/{w${index}}`).join('/');
  const names = (length: number) => count(length, () => 'd').join('/');

  it.each([
    ['wildcards', wildcards(19), wildcards(20)],
    ['wildcards with the rest of the path', `${wildcards(18)}/{rest=**}`, `${wildcards(19)}/{rest=**}`],
    ['segments', `${names(96)}/{rest=**}`, `${names(97)}/{rest=**}`],
  ])('may have as many %s as policy takes, and no more', async (_, most, more) => {
    expect(documentPathProblem(most)).toBeUndefined();
    expect(await compiles(opening(most))).toBe(true);
    expect(documentPathProblem(more)).toBeDefined();
    expect(await compiles(opening(more))).toBe(false);
  });
});

describe('a request', () => {
  /** The status of a get that the rules judge, for the holder of this credential. */
  async function statusFor(credential: string, at: string, request: RequestInit = {}): Promise<number> {
    const grant_id = `grant-of-${credential}`;
    const expires_at = systemClock.now() + 3_600_000;
    const open = createGrantDocumentOpener(restOpener(inject('firestoreHost')), systemClock);
    await open({ project: PROJECT, database: DATABASE, grant_id }, { roles: [credential], expires_at });
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: 'keydesk', firebase: { sign_in_provider: 'custom' }, keydesk_grant: grant_id };
    const response = await fetch(
      `http://${inject('firestoreHost')}/v1/projects/${PROJECT}/databases/${DATABASE}/documents${at}`,
      { ...request, headers: { authorization: `Bearer ${encoded({ alg: 'none' })}.${encoded(claims)}.` } },
    );
    await response.text();
    return response.status;
  }
  const FOUND_NOTHING = 404;
  const put = (policy: ReturnType<typeof policyOf>) =>
    putRules(
      inject('firestoreHost'),
      PROJECT,
      DATABASE,
      newRulesFile(policy, { project: PROJECT, database: DATABASE }),
    );

  it('is judged however many credentials open its path', async () => {
    await put(policyOf(count(4_000, () => 'config/{document=**}')));
    expect(await statusFor('credential-0', '/config/web')).toBe(FOUND_NOTHING);
    expect(await statusFor('credential-3999', '/config/web')).toBe(FOUND_NOTHING);
    expect(await statusFor('credential-4000', '/config/web')).toBe(403);
    expect(await statusFor('credential', '/config/web')).toBe(403);
  });

  it('costs an expression for each item of a list, and so no list is generated', async () => {
    const listed = (items: number) =>
      `match /config/{document=**} { allow get: if [${count(items, (index) => `'x${index}'`).join(', ')}].size() > 0; }`;
    expect(await compiles(listed(900))).toBe(true);
    expect(await statusFor('any', '/config/web')).toBe(FOUND_NOTHING);
    expect(await compiles(listed(1_000))).toBe(true);
    expect(await statusFor('any', '/config/web')).toBe(403);
  });

  /** Paths that all cover c/d/s/d/s/d/s/d. */
  const overlapping = (index: number) =>
    `c/${count(4, (at) => ((index >> at) % 2 === 0 ? 'd' : `{w${at}}`)).join('/s/')}${index >= 16 ? '/{rest=**}' : ''}`;
  const holderOfLast = (paths: readonly string[]) => `credential-${paths.indexOf([...paths].sort().at(-1) ?? '')}`;

  it('is judged by as many matches as policy takes, with a third to spare', async () => {
    const paths = count(MAX_MATCHES_OF_A_DOCUMENT, overlapping);
    const policy = policyOf(paths);
    expect(generatedRulesProblems(policy)).toEqual([]);
    const spare = count(330, (index) => `'x${index}'`).join(', ');
    const text = newRulesFile(policy, { project: PROJECT, database: DATABASE }).replace(
      'match /keydesk_grants/',
      `match /c/{rest=**} { allow get: if [${spare}].size() == 0; }\nmatch /keydesk_grants/`,
    );
    await putRules(inject('firestoreHost'), PROJECT, DATABASE, text);
    expect(await statusFor(holderOfLast(paths), '/c/d/s/d/s/d/s/d')).toBe(FOUND_NOTHING);
  });

  it('is refused to the holder of a credential behind too many matches, which policy refuses', async () => {
    const paths = count(20, overlapping);
    const policy = policyOf(paths);
    expect(generatedRulesProblems(policy)).toHaveLength(1);
    await put(policy);
    expect(await statusFor(holderOfLast(paths), '/c/d/s/d/s/d/s/d')).toBe(403);
  });

  it('for many documents is judged document by document', async () => {
    await put(policyOf(['config/{document=**}']));
    const name = (index: number) => `projects/${PROJECT}/databases/${DATABASE}/documents/config/d${index}`;
    const body = (requested: unknown) => ({ method: 'POST', body: JSON.stringify(requested) });
    const writes = count(40, (index) => ({ update: { name: name(index), fields: {} } }));
    expect(await statusFor('credential-0', ':commit', body({ writes }))).toBe(200);
    expect(await statusFor('credential-0', ':batchGet', body({ documents: count(40, name) }))).toBe(200);
  });
});

/** Words of the rules language's packages, types and methods, of ECMAScript and of other languages that a reader knows. */
const WORDS = (
  'get list create update delete read write getAfter exists existsAfter data id _ __ a1 A path request_ resource_ auth uid ' +
  'token time method params query limit offset orderBy firestore cloud database_ databases documents document grant ' +
  'credentials keys values toSet hasAny hasAll hasOnly size split join matches lower upper trim replace toUtf8 toBase64 ' +
  'toHexString diff addedKeys affectedKeys changedKeys removedKeys unchangedKeys difference intersection union concat ' +
  'removeAll bool bytes constraint float int integer map map_diff number set string latlng_ timestamp_ duration_ null_ abs ' +
  'ceil floor round sqrt pow isInfinite isNaN crc32 crc32c md5 sha256 date year month day hours minutes seconds nanos ' +
  'toMillis value latitude longitude distance rules ruleset version constants permission operation ' +
  'abstract as async await boolean byte catch char class const debugger double enum eval export final finally from ' +
  'implements instanceof interface long native new of private protected public short static super synchronized this throw ' +
  'throws transient try typeof undefined void volatile with yield NaN Infinity globalThis ' +
  'and or xor elif def lambda self pass raise except global nonlocal None True False del assert print ' +
  'fn impl mut pub ref struct trait type use where loop match_ mod move crate chan defer fallthrough func go range select ' +
  'begin end until unless next redo rescue ensure module require alias undef nil foreach namespace echo ' +
  'Allow ALLOW Package PACKAGE Default DEFAULT Extends Match Service True_ TRUE NULL Null Function IF In Is Let Not Math ' +
  'packages defaults extended allowed denied matched rule services functions imports lets nulls returns trues falses iff ' +
  'inn iss do_ each_ for_ goto_ var_ while_ then_ else_ case_ break_ switch_ continue_ arguments_ rules_version2'
).split(' ');
