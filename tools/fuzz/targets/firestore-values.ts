import { createFirestoreApi, FirestoreError } from '../../../shared/firestore/rest-api.ts';
import { createRestDatabase } from '../../../shared/firestore/rest-database.ts';
import { StoredTime } from '../../../shared/firestore/values.ts';
import { withLedgerTimeout } from '../../../shared/ledger/documents.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { parseJson } from '../independent/json.ts';
import { CLOCK, respondingWith } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const NAME = 'projects/acme/databases/(default)/documents/grants/a';
const AT = '2026-11-24T10:00:00.123456Z';
const found = (fields: object) =>
  `200\n${JSON.stringify([{ found: { name: NAME, fields, updateTime: AT }, readTime: AT }])}`;

export const target: Target = {
  claim:
    "Firestore's response over REST: values are those that the documented encoding has, and everything else is a failure of the ledger.",
  files: ['shared/firestore/values.ts', 'shared/firestore/rest-database.ts', 'shared/firestore/rest-api.ts'],
  seeds: [
    found({
      s: { stringValue: 'é' },
      b: { booleanValue: true },
      i: { integerValue: '9007199254740991' },
      d: { doubleValue: 'NaN' },
      n: { nullValue: null },
      t: { timestampValue: AT },
      y: { bytesValue: 'AQID' },
      m: { mapValue: { fields: { a: { arrayValue: { values: [{ doubleValue: 1.5 }, { mapValue: {} }] } } } } },
    }),
    `200\n${JSON.stringify([{ missing: NAME, readTime: AT }])}`,
    `200\n${JSON.stringify([{ document: { name: NAME, fields: { __proto__: { stringValue: 'x' } }, updateTime: AT } }, { readTime: AT }])}`,
    `200\n${JSON.stringify([{ result: { aggregateFields: { count: { integerValue: '12' } } } }])}`,
    `200\n${JSON.stringify({ writeResults: [{ updateTime: AT }], commitTime: AT })}`,
    `409\n${JSON.stringify({ error: { code: 409, status: 'ABORTED', message: 'again' } })}`,
    `200\n${JSON.stringify([{ error: { status: 'UNAVAILABLE', message: 'x' } }])}`,
    '503\n',
  ],
  run: async (input) => {
    const [status = '', ...lines] = input.toString('utf8').split('\n');
    const json = parseJson(lines.join('\n'));
    const api = { send: respondingWith(Number(status) || 0, json), url: 'https://firestore.example', clock: STILL };
    const database = createRestDatabase(
      { project: 'acme', database: '(default)' },
      createFirestoreApi(api, { project: 'acme', database: '(default)' }),
    );
    const grants = database.collection('grants');
    const read = await outcomeOf(async () => {
      const snapshot = await grants.doc('a').get();
      return { data: snapshot.data(), field: snapshot.get('m'), at: snapshot.updateTime?.toMillis() };
    });
    if (read) demandDecoded(read.data, json);
    await outcomeOf(async () => (await grants.where('s', '==', 'x').limit(2).get()).docs.map((one) => one.data()));
    const count = await outcomeOf(async () => (await grants.count().get()).data().count);
    demand(count === undefined || Number.isSafeInteger(count), 'a count is a whole number');
    await outcomeOf(async () => (await grants.doc('a').set({ s: 'x' })).writeTime.toMillis());
  },
};

/** Its time is up at once: nothing is tried again. */
let now = 0;
const STILL = {
  ...CLOCK,
  now: () => {
    now += 60_000;
    return now;
  },
};

/** What the ledger sees of it: a value, or a failure of the ledger. */
async function outcomeOf<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await withLedgerTimeout(CLOCK, work());
  } catch (error) {
    demand(DependencyError.is(error), `a failure is of the ledger: ${error}`);
    const { cause } = error;
    const isKnown = cause instanceof FirestoreError || (cause instanceof Error && cause.name === 'Error');
    demand(isKnown, `the failure was foreseen: ${cause instanceof Error ? cause.stack : cause}`);
    return undefined;
  }
}

/** By the documentation's table of types, one after another. */
function demandDecoded(data: unknown, json: unknown): void {
  const part = (json as { found?: { name: string; fields?: object } }[]).findLast(({ found }) => found?.name === NAME);
  demandEqual(shown(data), part ? fieldsOf(part.found?.fields ?? {}) : undefined, 'the values of a document');
}

function shown(value: unknown): unknown {
  if (value instanceof StoredTime) return `at ${value.text}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('base64')}`;
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return `number ${value}`;
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([name, member]) => [name, shown(member)]);
}

function fieldsOf(fields: object): unknown {
  return Object.entries(fields).map(([name, value]) => [name, shownValue(value)]);
}

function shownValue(value: Record<string, unknown>): unknown {
  const [[type, content] = []] = Object.entries(value);
  if (type === 'nullValue') return null;
  if (type === 'timestampValue') return `at ${content}`;
  if (type === 'bytesValue') return `bytes ${Buffer.from(String(content), 'base64').toString('base64')}`;
  if (type === 'integerValue' || type === 'doubleValue')
    return Number.isSafeInteger(Number(content)) ? Number(content) : `number ${Number(content)}`;
  if (type === 'arrayValue')
    return ((content as { values?: object[] }).values ?? []).map((one) => shownValue({ ...one }));
  if (type === 'mapValue') return fieldsOf((content as { fields?: object }).fields ?? {});
  return content;
}
