// Which generation of a Firebase user is in force, on record and in the instances that go by it.

import { expect, it } from 'vitest';
import { createFirebaseUserLedger } from '../../../shared/ledger/firebase-users.ts';
import { type Around, createMemoryFirestore } from '../../fixtures/memory-firestore.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const USER = { pipeline: '0184990a-4782-42b5-afc1-16715b10b1f0', credential: 'config' };
const OTHER = { ...USER, credential: 'other' };
const MINUTE = 60_000;

/** Several instances on one ledger. */
function instances(count: number, around?: Around) {
  const clock = new TestClock(Date.UTC(2026, 10, 24));
  let reads = 0;
  const { firestore, dump } = createMemoryFirestore({
    around: async (call, perform) => {
      if (call.kind !== 'write') reads += 1;
      return around ? around(call, perform) : perform();
    },
  });
  const ledgers = Array.from({ length: count }, () => createFirebaseUserLedger(firestore, clock));
  return { ledgers, clock, reads: () => reads, dump };
}

it('is 0 for a user that nobody changed, which leaves no record', async () => {
  const { ledgers, dump } = instances(1);
  expect(await ledgers[0]?.generationOf(USER)).toBe(0);
  expect(dump().size).toBe(0);
});

it('is read once in ten minutes', async () => {
  const { ledgers, clock, reads } = instances(1);
  for (let minute = 0; minute < 10; minute += 1) {
    await ledgers[0]?.generationOf(USER);
    clock.advance(MINUTE);
  }
  expect(reads()).toBe(1);
  await ledgers[0]?.generationOf(USER);
  expect(reads()).toBe(2);
});

it('moves by one when two instances find the same user changed, and one of them learns that it was first', async () => {
  const { ledgers, dump } = instances(2, async (_, perform) => {
    await Promise.resolve();
    return perform();
  });
  const found = await Promise.all(ledgers.map((ledger) => ledger.retire(USER, 0)));
  expect(found.map(({ generation }) => generation)).toEqual([1, 1]);
  expect(found.filter(({ retired }) => retired)).toHaveLength(1);
  expect([...dump().values()]).toMatchObject([{ data: { generation: 1 } }].map(({ data }) => data));
  expect(await Promise.all(ledgers.map((ledger) => ledger.generationOf(USER)))).toEqual([1, 1]);
});

it('is taken over from the record by an instance that still goes by an older one', async () => {
  const { ledgers } = instances(2);
  const [first, second] = ledgers;
  expect(await second?.generationOf(USER)).toBe(0);
  await first?.retire(USER, 0);
  await first?.retire(USER, 1);
  expect(await second?.generationOf(USER)).toBe(0);
  expect(await second?.retire(USER, 0)).toEqual({ generation: 2, retired: false });
  expect(await second?.generationOf(USER)).toBe(2);
});

it('moves on from the one that was found, should its record be gone', async () => {
  const { ledgers } = instances(1);
  expect(await ledgers[0]?.retire(USER, 3)).toEqual({ generation: 4, retired: true });
});

it('is recognized as its own write when the response was lost', async () => {
  let lost = false;
  const { ledgers } = instances(1, async (call, perform) => {
    const response = perform();
    if (call.kind === 'write' && !lost) {
      lost = true;
      throw Object.assign(new Error('ABORTED'), { code: 10 });
    }
    return response;
  });
  expect(await ledgers[0]?.retire(USER, 0)).toEqual({ generation: 1, retired: true });
});

it('is one user by itself for each credential', async () => {
  const { ledgers } = instances(1);
  await ledgers[0]?.retire(USER, 0);
  expect(await ledgers[0]?.generationOf(OTHER)).toBe(0);
});
