import { Timestamp } from '@google-cloud/firestore';
import { parseCursor, toCursor } from '../../../functions/reader/cursor.ts';
import { fromLedgerTime, toLedgerTime } from '../../../functions/reader/ledger-time.ts';
import {
  describeFilters,
  grantListQuerySchema,
  toGrantFilters,
  withDefaultState,
} from '../../../shared/core/operator-api/grant-list.ts';
import { parseJson } from '../independent/json.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const AS_OF = { seconds: 1_795_514_400, nanoseconds: 123_456_000 };
const POSITION = { as_of: AS_OF, query: 0, id: 'a'.repeat(32) };
const WRITTEN = { position: POSITION, begun_at: 1_795_514_400_000 };
const base64url = (json: string) => Buffer.from(json).toString('base64url');

export const target: Target = {
  claim:
    'The query of a list of grants as JSON, and the text inside of a cursor: a cursor is accepted only if it has the form of one and was made for the same filters, and one that is written is read again.',
  files: ['functions/reader/cursor.ts', 'functions/reader/ledger-time.ts', 'shared/core/operator-api/grant-list.ts'],
  seeds: [
    `{"environment":"production","state":"live"}\n${decoded(toCursor(WRITTEN, toGrantFilters({ environment: 'production', state: 'live' })))}`,
    `{"pipeline":"0184990A-4782-42b5-afc1-16715b10b1f0","from":"2026-11-24T10:00:00Z"}\n{"as_of":{"seconds":1,"nanoseconds":0},"query":1,"id":"a","begun_at":1,"filters":"x"}`,
    '{"limit":"500","branch":"main","to":"2026-11-24T10:00:00.5+01:00"}\n',
    '{"limit":"501"}\n',
    '{}\n{',
  ],
  run: (input) => {
    const [query = '', ...lines] = input.toString('utf8').split('\n');
    const parsed = grantListQuerySchema.safeParse(parseJson(query));
    const filters = toGrantFilters(parsed.success ? withoutPage(parsed.data) : {});
    if (parsed.success) {
      const { limit } = parsed.data;
      demand(limit === undefined || (Number.isInteger(limit) && limit >= 1 && limit <= 500), 'a page has 1 to 500');
      for (const at of [filters.from, filters.to]) if (at !== undefined) Timestamp.fromMillis(at);
      describeFilters(withDefaultState(withoutPage(parsed.data)));
    }
    const read = parseCursor(base64url(lines.join('\n')), filters);
    if (!read) return;
    new Timestamp(read.position.as_of.seconds, read.position.as_of.nanoseconds);
    const { as_of } = read.position;
    demand(Number.isSafeInteger(as_of.seconds) && as_of.nanoseconds < 1e9, 'a cursor has a time');
    demandEqual(parseCursor(toCursor(read, filters), filters), read, 'a cursor is read again');
    demand(
      parseCursor(toCursor(read, filters), { ...filters, credential: 'other-one' }) === undefined,
      'no other filters',
    );
    const shown = { ...as_of, nanoseconds: Math.floor(as_of.nanoseconds / 1_000) * 1_000 };
    demandEqual(toLedgerTime(fromLedgerTime(shown)), shown, 'a time of the ledger survives its text');
  },
};

function withoutPage({ limit: _, cursor: __, ...filters }: ReturnType<typeof grantListQuerySchema.parse>) {
  return filters;
}

function decoded(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString('utf8');
}
