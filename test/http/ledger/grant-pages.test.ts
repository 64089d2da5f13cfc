// Which grants the reader finds: for a day against a brute-force over every hour, for each filter, in pages of one state of the ledger.

import { randomUUID } from 'node:crypto';
import type { Firestore } from '@google-cloud/firestore';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import type { GrantFilters } from '../../../shared/core/grant/filters.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../../shared/core/grant/id.ts';
import { toStoredRecord } from '../../../shared/firestore/stored-record.ts';
import { createReaderLedger } from '../../../shared/ledger/reader.ts';
import type { GrantPosition, ReaderLedger } from '../../../shared/operations/ports.ts';
import { ACCOUNTS, grantIn, KINDS, NOW, pooled, STATES, subject } from '../../fixtures/grants.ts';
import { databaseOf } from '../../fixtures/in-process-keydesk.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MIDNIGHT = Date.UTC(2026, 10, 24);

let database: Firestore;
let ledger: ReaderLedger;
beforeEach(() => {
  database = databaseOf(`pages-${randomUUID().slice(0, 8)}`, 'ledger');
  ledger = createReaderLedger(database, new TestClock(NOW));
});

const put = async (grant: Grant): Promise<string> => {
  const id = grantIdOf(grant);
  const token_sha256s = grant.tokens.map(({ sha256 }) => sha256);
  await database
    .collection('grants')
    .doc(id)
    .set(toStoredRecord({ ...grant, token_sha256s }));
  return id;
};
/** A grant of a job of its own. */
const newGrant = (
  change: Partial<Grant> = {},
  state: (typeof STATES)[number] = 'active',
  kind = KINDS[0] as (typeof KINDS)[number],
) => ({ ...grantIn(state, kind), subject: { ...subject, id: randomUUID() }, ...change }) as Grant;

/** The ids on every page, in the order in which they came. */
async function idsOnPages(filters: GrantFilters, limit = 500, between: () => Promise<void> = async () => {}) {
  const pages: string[][] = [];
  for (let position: GrantPosition | undefined; pages.length === 0 || position; ) {
    const found = await ledger.findGrants(filters, { limit, position });
    if (!found) throw new Error('the position was not accepted');
    pages.push([...found.grants.map(grantIdOf), ...found.unreadable.map(({ id }) => id)]);
    position = found.next;
    if (position) await between();
  }
  return pages;
}
const idsOf = async (filters: GrantFilters, limit?: number) => (await idsOnPages(filters, limit)).flat();

describe('a period', () => {
  it('has exactly the grants that could be used at some hour of it', { timeout: 300_000 }, async () => {
    // Hours since three days before; an end that is not on record is null.
    const hour = fc.integer({ min: 0, max: 6 * 24 });
    const life = fc.record({
      created: hour,
      lasts: fc.oneof(fc.constantFrom(0, 1, 2), fc.integer({ min: 0, max: 4 * 24 })),
      ended: fc.boolean(),
      environment: fc.constantFrom('production', 'staging'),
    });
    const periods = fc.record({
      begins: hour,
      hours: fc.constantFrom(1, 24, 24, 48),
      limit: fc.constantFrom(1, 3, 500),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { maxLength: 12 }), periods, async (lives, { begins, hours, limit }) => {
        database = databaseOf(`pages-${randomUUID().slice(0, 8)}`, 'ledger');
        ledger = createReaderLedger(database, new TestClock(NOW));
        const at = (hours: number) => MIDNIGHT + (hours - 3 * 24) * HOUR;
        const expected: string[] = [];
        for (const { created, lasts, ended, environment } of lives) {
          const times = { created_at: at(created), expires_at: at(created + lasts), environment };
          const id = await put(
            ended
              ? newGrant(
                  { ...times, expires_at: at(created + lasts + 9), access_ended_at: at(created + lasts) },
                  'revoked',
                )
              : newGrant(times),
          );
          const usable = (hour: number) => hour >= created && hour <= created + lasts;
          const period = Array.from({ length: hours }, (_, hour) => begins + hour);
          if (environment === 'production' && period.some(usable)) expected.push(id);
        }
        const filters = { environment: 'production', from: at(begins), to: at(begins + hours) };
        expect((await idsOf(filters, limit)).sort()).toEqual(expected.sort());
        const everywhere = await idsOf({ from: at(begins), to: at(begins + hours) }, limit);
        expect(everywhere).toEqual(expect.arrayContaining(expected));
      }),
      { numRuns: inject('ledger') === 'memory' ? 60 : 8 },
    );
  });

  it('begins with its first moment, and ends before its last', async () => {
    const grant = (created_at: number, access_ended_at: number) =>
      put(newGrant({ created_at, access_ended_at }, 'revoked'));
    const [first, last] = [await grant(0, MIDNIGHT), await grant(MIDNIGHT + DAY - 1, MIDNIGHT + DAY)];
    await grant(0, MIDNIGHT - 1);
    await grant(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY);
    expect((await idsOf({ from: MIDNIGHT, to: MIDNIGHT + DAY })).sort()).toEqual([first, last].sort());
  });

  it('has no grant twice whose tokens end in the future although its end is on record', async () => {
    const id = await put(
      newGrant({ access_ended_at: MIDNIGHT + DAY, created_at: MIDNIGHT }, 'revoking', 'narrowedPool'),
    );
    expect(await idsOf({ from: MIDNIGHT })).toEqual([id]);
    expect(await idsOf({ to: MIDNIGHT + 1 })).toEqual([id]);
  });
});

describe('a filter', () => {
  const PIPELINE = '11111111-4782-42b5-afc1-16715b10b1f0';
  const other = {
    ...subject,
    id: randomUUID(),
    pipeline_id: PIPELINE,
    pipeline_slug: 'web',
    build_branch: 'release/7',
  };
  it.each<[string, GrantFilters]>([
    ['pipeline_id', { pipeline_id: PIPELINE }],
    ['pipeline_slug', { pipeline_slug: 'web' }],
    ['branch', { build_branch: 'release/7' }],
    ['credential', { credential: 'production-config' }],
    ['environment', { environment: 'production' }],
    ['job', { job_id: other.id }],
    ['token', { token_sha256: 'c'.repeat(64) }],
  ])('by %s finds what fits, alone and with others, in each state and in a period', async (_, filter) => {
    await put(newGrant());
    const tokens = [{ sha256: 'c'.repeat(64), expires_at: NOW + HOUR }];
    const fitting = { subject: other, credential: 'production-config', environment: 'production', tokens };
    const id = await put(newGrant(fitting));
    for (const more of [{}, { states: ['active', 'revoking'] }, { from: NOW, to: NOW + HOUR }] as const)
      expect(await idsOf({ ...filter, ...more })).toEqual([id]);
    expect(await idsOf({ ...filter, states: ['revoked'] })).toEqual([]);
    expect(await idsOf({ ...filter, credential: 'staging-other' })).toEqual([]);
  });

  it.each(STATES)('by the state %s finds the grants in it', async (state) => {
    const ids = new Map<string, string>();
    for (const each of STATES) ids.set(each, await put(newGrant({}, each)));
    expect(await idsOf({ states: [state] })).toEqual([ids.get(state)]);
    expect((await idsOf({})).sort()).toEqual([...ids.values()].sort());
  });

  it('by account finds leases, earlier leases and shared accounts', async () => {
    const [account, next] = ACCOUNTS;
    const past_leases = [{ service_account: account, leased_at: 1, access_ended_at: 2 }];
    const lease = await put(newGrant({}, 'active', 'pool'));
    const past = await put({ ...pooled(newGrant({}, 'active', 'pool')), service_account: next, past_leases });
    const shared = await put({ ...newGrant({}, 'active', 'serviceAccount'), service_account: account } as Grant);
    await put(newGrant());
    expect((await idsOf({ account })).sort()).toEqual([lease, past, shared].sort());
    expect(await idsOf({ account: next })).toEqual([past]);
  });
});

describe('pages', () => {
  it('show one state of the ledger, whatever is written between them', async () => {
    const ids = await Promise.all(Array.from({ length: 7 }, () => put(newGrant({ environment: 'production' }))));
    const ended = await Promise.all(
      Array.from({ length: 7 }, (_, at) =>
        put(newGrant({ environment: 'production', created_at: NOW, access_ended_at: NOW + at }, 'revoked')),
      ),
    );
    const disturb = async () => {
      await put(newGrant({ environment: 'production' }));
      for (const id of ids) await database.collection('grants').doc(id).update({ state: 'revoked', environment: 'x' });
      await database
        .collection('grants')
        .doc(ended[6] as string)
        .delete();
    };
    const live = await idsOnPages({ states: ['active'] }, 3, disturb);
    expect(live.map(({ length }) => length)).toEqual([3, 3, 1]);
    expect(live.flat().sort()).toEqual(ids.sort());
  });

  it('go on where they were cut off, also from one query to the next', async () => {
    const ids = await Promise.all(
      [0, 1, 2, 3].map((at) => put(at < 2 ? newGrant({}) : newGrant({ access_ended_at: NOW + at }, 'revoked'))),
    );
    const pages = await idsOnPages({ from: NOW, to: NOW + DAY }, 1, async () => {
      for (const id of ids) await database.collection('grants').doc(id).delete();
    });
    expect(pages.flat().sort()).toEqual(ids.sort());
  });

  it('list a record that cannot be read, also where it is not known whether it fits', async () => {
    const broken = await put(newGrant());
    await database.collection('grants').doc(broken).update({ rule: 7 });
    const found = await ledger.findGrants({ states: ['active'], account: 'nobody@x' }, { limit: 10 });
    expect(found).toMatchObject({
      grants: [],
      unreadable: [{ id: broken, error: expect.stringContaining('rule') }],
      next: undefined,
    });
  });

  it('end after as many records as a request may read, and go on', async () => {
    for (let written = 0; written < 2_100; written += 300) {
      const batch = database.batch();
      for (let nth = 0; nth < 300; nth += 1) {
        const grant = newGrant();
        batch.set(database.collection('grants').doc(grantIdOf(grant)), toStoredRecord(grant));
      }
      await batch.commit();
    }
    const fitting = await put({ ...newGrant({}, 'active', 'pool') });
    const pages = await idsOnPages({ account: ACCOUNTS[0] });
    expect(pages.length).toBe(2);
    expect(pages.flat()).toEqual([fitting]);
  });

  it('end where they are when a request has taken long', async () => {
    await Promise.all(Array.from({ length: 250 }, () => put(newGrant())));
    const slow = { random: () => 0, sleep: () => new Promise<void>(() => {}), now: () => (time += 2_000) };
    let time = NOW;
    ledger = createReaderLedger(database, slow);
    const pages = await idsOnPages({ states: ['active'] });
    expect(pages.length).toBeGreaterThan(1);
    expect(new Set(pages.flat()).size).toBe(250);
    expect(pages.flat()).toHaveLength(250);
  });

  it('refuse a position that no page returned', async () => {
    const found = await ledger.findGrants({}, { limit: 1 });
    const as_of = found?.as_of ?? { seconds: 0, nanoseconds: 0 };
    for (const position of [
      { as_of, query: 0, id: 'none' },
      { as_of, query: 7, id: await put(newGrant()) },
    ])
      expect(await ledger.findGrants({}, { limit: 1, position })).toBeUndefined();
  });
});

describe('a record that the queries cannot find', () => {
  const listed = async (filters: GrantFilters) => {
    const found = await ledger.findGrants(filters, { limit: 500 });
    return found && [...found.grants.map(grantIdOf), ...found.unreadable.map(({ id }) => id)];
  };
  const putChanged = async (change: object) => {
    const id = await put(newGrant());
    await database.collection('grants').doc(id).update(change);
    return id;
  };
  const LIVE: GrantFilters = { states: ['issuing', 'active', 'revoking'] };
  const PERIOD: GrantFilters = { from: NOW - HOUR, to: NOW + HOUR };

  it.each<[string, object]>([
    ['a state of a later release', { state: 'suspended' }],
    ['a state that is no text', { state: 7 }],
  ])('is listed as one that cannot be read, and counted so, with %s', async (_, change) => {
    const id = await putChanged(change);
    expect(await listed(LIVE)).toEqual([id]);
    expect(await listed(PERIOD)).toEqual([id]);
    expect((await ledger.countLive()).unreadable).toMatchObject([{ id }]);
  });

  it.each<[string, object]>([
    ['text', { access_ended_at: 'x' }],
    ['a number', { access_ended_at: 7 }],
    ['true', { access_ended_at: true }],
    ['no time although it has ended', { state: 'revoked', access_ended_at: null }],
  ])('is listed with a period as one that cannot be read, where access ended at %s', async (_, change) => {
    const id = await putChanged(change);
    expect(await listed(PERIOD)).toEqual([id]);
  });

  it('is named once, and not with the grants of one job', async () => {
    const id = await putChanged({ state: 'suspended', access_ended_at: 'x' });
    expect(await listed(PERIOD)).toEqual([id]);
    expect(await listed({ job_id: 'another' })).toEqual([]);
  });
});

describe('the count of live grants', () => {
  it('says when it did not get to all of them in time', async () => {
    for (let nth = 0; nth < 101; nth += 1) await put(newGrant());
    const clock = new TestClock(NOW);
    expect((await createReaderLedger(database, clock).countLive()).complete).toBe(true);
    const slow = { ...clock, now: () => clock.advance(6000) ?? clock.now() };
    const counted = await createReaderLedger(database, slow).countLive();
    expect(counted.complete).toBe(false);
    expect([...counted.live.values()]).toEqual([100]);
  });
});
