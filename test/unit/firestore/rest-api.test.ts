import { describe, expect, it } from 'vitest';
import { createFirestoreApi, FirestoreError, type Method } from '../../../shared/firestore/rest-api.ts';
import { createRestDatabase, createRestOpener } from '../../../shared/firestore/rest-database.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 24);
const NAME = { project: 'acme-staging', database: 'ledger' };
const DOCUMENTS = 'projects/acme-staging/databases/ledger/documents';

const responds = (status: number, json: unknown): JsonResponse => ({ status, json, headers: new Headers() });
const done = responds(200, { writeResults: [], commitTime: '2026-11-24T00:00:00Z' });
const refuses = (status: number, word: string) =>
  responds(status, { error: { code: status, status: word, message: `said ${word}` } });
const fails = (code: 'unreachable' | 'timed_out' | 'not_attempted' | 'response_too_large') =>
  new DependencyError('firestore', code, `was ${code}`);

/** A Firestore that gives these outcomes, one for each request. */
function api(outcomes: readonly (JsonResponse | Error)[], { takes = 0 } = {}) {
  const clock = new TestClock(NOW);
  const requests: (OutgoingRequest & { readonly at: number })[] = [];
  const send = async (request: OutgoingRequest) => {
    requests.push({ ...request, at: clock.now() - NOW });
    clock.advance(takes);
    const outcome = outcomes[requests.length - 1];
    if (outcome === undefined) throw new Error('requested once too often');
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const call = createFirestoreApi({ send, url: 'https://firestore.googleapis.com', clock }, NAME);
  return { call, requests, database: createRestDatabase(NAME, call) };
}

const failureOf = (calling: Promise<unknown>) =>
  calling.then(
    () => 'no failure',
    (error: unknown) => error,
  );

describe('a response in another form than documented', () => {
  const name = `${DOCUMENTS}/grants/a`;
  const updateTime = '2026-11-24T00:00:00Z';
  it.each([
    [{}],
    [[null]],
    [[{ error: null }]],
    [[{ document: { name } }]],
    [[{ document: { name: 7, updateTime } }]],
    [[{ document: { name, updateTime, fields: 'x' } }]],
    [[{ result: {} }]],
    [{ writeResults: 7, commitTime: updateTime }],
  ])('is a failure that says so: %j', async (json) => {
    const responding = () => api([responds(200, json)]).database.collection('grants');
    const grants = Array.isArray(json) && 'document' in (json[0] ?? {}) ? undefined : responding().doc('a');
    const calls = [
      grants?.get(),
      grants?.set({ a: 1 }),
      responding().where('a', '==', 1).get(),
      responding().count().get(),
    ];
    const failures = await Promise.all(calls.map((call) => call && failureOf(call)));
    for (const failure of failures)
      if (failure instanceof Error) expect(['Error', 'FirestoreError']).toContain(failure.name);
    expect(failures.filter((failure) => failure instanceof Error)).not.toEqual([]);
  });
});

describe('a call', () => {
  it('goes to the method of the database', async () => {
    const { call, requests } = api([done]);
    await call('commit', { writes: [] });
    expect(requests[0]).toMatchObject({
      url: `https://firestore.googleapis.com/v1/${DOCUMENTS}:commit`,
      method: 'POST',
      json: { writes: [] },
      deadlineMs: 2_000,
      until: NOW + 5_000,
    });
  });

  const PASSING: readonly [string, JsonResponse | Error][] = [
    ['UNAVAILABLE', refuses(503, 'UNAVAILABLE')],
    ['RESOURCE_EXHAUSTED', refuses(429, 'RESOURCE_EXHAUSTED')],
    ['DEADLINE_EXCEEDED', refuses(504, 'DEADLINE_EXCEEDED')],
    ['a 502 without JSON', responds(502, undefined)],
    ['a connection that failed', fails('unreachable')],
    ['a connection on which nothing arrived', fails('timed_out')],
  ];
  const METHODS: readonly Method[] = ['commit', 'batchGet', 'runQuery', 'runAggregationQuery'];
  it.each(METHODS.flatMap((method) => PASSING.map(([what, outcome]) => ({ method, what, outcome }))))(
    '$method is tried again after $what',
    async ({ method, outcome }) => {
      const { call, requests } = api([outcome, outcome, done]);
      await expect(call(method, {})).resolves.toBe(done.json);
      expect(requests).toHaveLength(3);
    },
  );

  it.each([
    ['commit', 'ABORTED', 409, true],
    ['batchGet', 'ABORTED', 409, false],
    ['commit', 'INTERNAL', 500, false],
    ['batchGet', 'INTERNAL', 500, true],
    ['runQuery', 'INTERNAL', 500, true],
    ['commit', 'ALREADY_EXISTS', 409, false],
    ['commit', 'FAILED_PRECONDITION', 400, false],
    ['commit', 'NOT_FOUND', 404, false],
    ['commit', 'PERMISSION_DENIED', 403, false],
    ['batchGet', 'UNAUTHENTICATED', 401, false],
    ['runQuery', 'INVALID_ARGUMENT', 400, false],
    ['commit', 'a word of tomorrow', 400, false],
  ] as const)('%s after %s (HTTP %i): tried again? %s', async (method, word, status, again) => {
    const { call, requests } = api([refuses(status, word), done]);
    await failureOf(call(method, {}));
    expect(requests).toHaveLength(again ? 2 : 1);
  });

  it.each([
    ['ALREADY_EXISTS', 6],
    ['NOT_FOUND', 5],
    ['FAILED_PRECONDITION', 9],
    ['PERMISSION_DENIED', 7],
    ['a word of tomorrow', 2],
  ])('that is refused with %s fails with the code %i and with Firestore’s words', async (word, code) => {
    const failure = await failureOf(api([refuses(400, word)]).call('commit', {}));
    expect(failure).toBeInstanceOf(FirestoreError);
    expect(failure).toMatchObject({ code, message: `said ${word}` });
  });

  it('pauses longer each time, with chance, and begins no attempt after its time is up', async () => {
    const { call, requests } = api(Array.from({ length: 40 }, () => refuses(503, 'UNAVAILABLE')));
    expect(await failureOf(call('commit', {}))).toMatchObject({ code: 14 });
    const pauses = requests.slice(1).map(({ at }, index) => at - (requests[index]?.at ?? 0));
    for (const [index, most] of [50, 100, 200, 400, 800, 1_000].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(most / 2);
      expect(pauses[index]).toBeLessThanOrEqual(most + 1);
    }
    expect(requests.every(({ at }) => at < 5_000)).toBe(true);
    expect(requests.length).toBeGreaterThan(5);
  });

  it('counts the time that attempts take', async () => {
    const { call, requests } = api(
      Array.from({ length: 9 }, () => fails('timed_out')),
      { takes: 2_000 },
    );
    expect(await failureOf(call('batchGet', {}))).toMatchObject({ code: 4, message: 'firestore: was timed_out' });
    expect(requests).toHaveLength(3);
  });

  it.each([
    ['timed_out', 4],
    ['not_attempted', 4],
    ['unreachable', 14],
    ['response_too_large', 14],
  ] as const)('that ends with %s has the code %i when no time is left', async (failure, code) => {
    const { call } = api([fails(failure)], { takes: 5_000 });
    expect(await failureOf(call('batchGet', {}))).toMatchObject({ code });
  });

  it('passes on what failed before Firestore was asked', async () => {
    const failure = new DependencyError('application default credentials', 'unreachable', 'no metadata server');
    const { call, requests } = api([failure]);
    expect(await failureOf(call('commit', {}))).toBe(failure);
    expect(requests).toHaveLength(1);
  });

  it('is not repeated for a fault of its own', async () => {
    const fault = new TypeError('a fault');
    expect(await failureOf(api([fault]).call('commit', {}))).toBe(fault);
  });

  it('fails when a stream ends in an error, with the error', async () => {
    const half = [
      { found: { name: `${DOCUMENTS}/grants/one` } },
      { error: { status: 'PERMISSION_DENIED', message: 'gone' } },
    ];
    expect(await failureOf(api([responds(200, half)]).call('batchGet', {}))).toMatchObject({
      code: 7,
      message: 'gone',
    });
  });

  it.each([[undefined], ['text'], [null], [7]])(
    'is repeated when a read responds with what is no JSON object: %j',
    async (json) => {
      const { call, requests } = api([responds(200, json), responds(200, [])]);
      expect(await call('runQuery', {})).toEqual([]);
      expect(requests).toHaveLength(2);
    },
  );

  it('takes any other status than 200 for a failure', async () => {
    expect(await failureOf(api([responds(204, {})]).call('commit', {}))).toMatchObject({
      code: 2,
      message: 'HTTP 204',
    });
  });
});

describe('an opened database', () => {
  it.each([
    [undefined, 'service', `https://firestore.googleapis.com/v1/${DOCUMENTS}:batchGet`],
    // As a variable of the environment that is set to nothing.
    ['', 'service', `https://firestore.googleapis.com/v1/${DOCUMENTS}:batchGet`],
    ['127.0.0.1:8080', 'owner', `http://127.0.0.1:8080/v1/${DOCUMENTS}:batchGet`],
  ])('with the emulator at %j', async (emulatorHost, identity, url) => {
    const seen: unknown[] = [];
    const sendWith = (name: string) => async (request: OutgoingRequest) => {
      seen.push([request.headers?.authorization === 'Bearer owner' ? 'owner' : name, request.url]);
      return responds(200, [{ missing: `${DOCUMENTS}/grants/a` }]);
    };
    const clients = { sendRequest: sendWith('nobody'), sendAsService: sendWith('service') };
    const open = createRestOpener({ ...clients, emulatorHost, clock: new TestClock(NOW) });
    expect(open(NAME)).toBe(open({ ...NAME }));
    await open(NAME).collection('grants').doc('a').get();
    expect(seen).toEqual([[identity, url]]);
  });
});

describe('a response', () => {
  it('may have documents in any order, and each once', async () => {
    const stored = (id: string) => ({
      found: { name: `${DOCUMENTS}/grants/${id}`, fields: {}, updateTime: '2026-11-24T00:00:00Z' },
    });
    const { database, requests } = api([
      responds(200, [stored('b'), { missing: `${DOCUMENTS}/grants/c` }, stored('a')]),
    ]);
    const documents = ['a', 'b', 'a', 'c'].map((id) => database.collection('grants').doc(id));
    const read = await database.getAll(...documents);
    expect(read.map(({ id, exists }) => [id, exists])).toEqual([
      ['a', true],
      ['b', true],
      ['a', true],
      ['c', false],
    ]);
    expect(requests[0]?.json).toEqual({ documents: ['a', 'b', 'c'].map((id) => `${DOCUMENTS}/grants/${id}`) });
  });

  it('that says nothing of a document is a failure, and not a document that is missing', async () => {
    const { database } = api([responds(200, [{ missing: `${DOCUMENTS}/grants/a` }])]);
    const documents = ['a', 'b'].map((id) => database.collection('grants').doc(id));
    expect(await failureOf(database.getAll(...documents))).toMatchObject({
      message: "Firestore's response lacks grants/b",
    });
  });

  it('that lacks the result of a write is a failure', async () => {
    const { database } = api([done]);
    expect(await failureOf(database.collection('grants').doc('a').set({ a: 1 }))).toMatchObject({
      message: "Firestore's response lacks a result for each write",
    });
  });

  it('without a count is a failure, and no count of 0', async () => {
    const { database } = api([responds(200, [{}])]);
    expect(await failureOf(database.collection('grants').count().get())).toMatchObject({
      message: "Firestore's response has no count",
    });
  });

  it('may hold a field called __proto__', async () => {
    const fields = JSON.parse(
      '{"map":{"mapValue":{"fields":{"__proto__":{"mapValue":{"fields":{"admin":{"booleanValue":true}}}}}}}}',
    );
    const found = { name: `${DOCUMENTS}/grants/a`, fields, updateTime: '2026-11-24T00:00:00Z' };
    const { database } = api([responds(200, [{ found }])]);
    const { map } = (await database.collection('grants').doc('a').get()).data() as { map: Record<string, unknown> };
    expect(Object.getPrototypeOf(map)).toBe(Object.prototype);
    expect(Object.keys(map)).toEqual(['__proto__']);
    expect(map.admin).toBeUndefined();
  });
});
