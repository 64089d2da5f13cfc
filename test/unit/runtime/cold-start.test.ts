// The first calls of an instance: what is loaded and built at first use does not use up their deadlines.

import { setImmediate } from 'node:timers/promises';
import type { Firestore } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { lazyWarm } from '../../../functions/runtime/lazy.ts';
import { COLD_DEADLINE_MS } from '../../../shared/core/timing.ts';
import { createGrantDocumentOpener } from '../../../shared/firestore/grant-document.ts';
import { createTimeout } from '../../../shared/runtime/errors.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const never = new Promise<never>(() => {});
const START = Date.UTC(2026, 7, 21);

/** What came of it up to now. */
async function stateOf(work: Promise<unknown>): Promise<string> {
  const settled = work.then(
    () => 'done',
    (error: unknown) => String(error),
  );
  return Promise.race([settled, setImmediate('waiting')]);
}

describe('clients', () => {
  const clientsThat = (warm: () => Promise<void>) => {
    const clock = new TestClock(START);
    const opened: object[] = [];
    const get = lazyWarm(async () => {
      const clients = { warmUp: warm };
      opened.push(clients);
      return clients;
    }, clock);
    return { clock, opened, get };
  };

  it('are waited for by the first request until they are warm, and opened once', async () => {
    const warmed = Promise.withResolvers<void>();
    const { get, opened } = clientsThat(() => warmed.promise);
    const requests = [get(), get()];
    expect(await stateOf(requests[0] as Promise<unknown>)).toBe('waiting');
    warmed.resolve();
    expect(await Promise.all([...requests, get()])).toEqual([opened[0], opened[0], opened[0]]);
    expect(opened).toHaveLength(1);
  });

  it('are not waited for longer than 15 s', async () => {
    const { clock, get, opened } = clientsThat(() => never);
    const request = get();
    await stateOf(request);
    clock.advance(COLD_DEADLINE_MS - 1);
    expect(await stateOf(request)).toBe('waiting');
    clock.advance(1);
    expect(await request).toBe(opened[0]);
  });

  it('are there when they could not be warmed', async () => {
    const { get, opened } = clientsThat(() => Promise.reject(new Error('no network')));
    expect(await get()).toBe(opened[0]);
  });

  it('that could not be loaded are loaded again for the next request', async () => {
    let tries = 0;
    const get = lazyWarm(async () => {
      tries += 1;
      if (tries === 1) throw new Error('out of memory');
      return { warmUp: async () => {} };
    }, new TestClock(START));
    await expect(get()).rejects.toThrow('out of memory');
    await expect(get()).resolves.toBeDefined();
  });
});

describe('calls with a deadline of 3 s', () => {
  const limit = { milliseconds: 3_000, dependency: 'ledger' };

  it('have 15 s until the first of them has ended, and 3 s from then on', async () => {
    const clock = new TestClock(START);
    const timed = createTimeout({ ...limit, clock });
    const [first, second] = [timed(never), timed(never)];
    clock.advance(COLD_DEADLINE_MS - 1);
    expect([await stateOf(first), await stateOf(second)]).toEqual(['waiting', 'waiting']);
    clock.advance(1);
    await expect(first).rejects.toThrow('ledger: no response within 15000 ms');
    await expect(second).rejects.toThrow('ledger: no response within 15000 ms');
    const third = timed(never);
    clock.advance(3_000);
    await expect(third).rejects.toThrow('ledger: no response within 3000 ms');
  });

  it('have 3 s after one that came out well', async () => {
    const clock = new TestClock(START);
    const timed = createTimeout({ ...limit, clock });
    expect(await timed(Promise.resolve('answer'))).toBe('answer');
    const late = timed(never);
    clock.advance(3_000);
    await expect(late).rejects.toThrow('ledger: no response within 3000 ms');
  });

  it('are counted by database when grant documents are opened', async () => {
    const clock = new TestClock(START);
    const silent = { collection: () => ({ doc: () => ({ create: () => never }) }) } as unknown as Firestore;
    const open = createGrantDocumentOpener(() => silent, clock);
    const openIn = (database: string) =>
      open({ project: 'acme', database, grant_id: 'f' }, { roles: [], expires_at: START + 900_000 });
    for (const [database, milliseconds] of [
      ['first', COLD_DEADLINE_MS],
      ['first', 3_000],
      ['second', COLD_DEADLINE_MS],
    ] as const) {
      const opening = openIn(database);
      clock.advance(milliseconds - 1);
      expect(await stateOf(opening)).toBe('waiting');
      clock.advance(1);
      await expect(opening).rejects.toThrow(`grant document: no response within ${milliseconds} ms`);
    }
  });
});
