import { describe, expect, it } from 'vitest';
import { randomUuid, systemClock } from '../../../shared/runtime/clock.ts';
import { DependencyError, withTimeout } from '../../../shared/runtime/errors.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const START = Date.UTC(2026, 0, 5, 9);

describe('the system clock', () => {
  it('gives up a sleep whose signal is aborted', async () => {
    const done = new AbortController();
    const sleep = systemClock.sleep(60_000, done.signal);
    done.abort('done');
    await expect(sleep).rejects.toBe('done');
    await expect(systemClock.sleep(60_000, done.signal)).rejects.toBe('done');
  });

  it('ends a sleep no earlier than requested', async () => {
    const asleepAt = systemClock.now();
    await systemClock.sleep(5);
    // A timer may fire up to a millisecond early.
    expect(systemClock.now() - asleepAt).toBeGreaterThanOrEqual(4);
  });

  it('gives numbers from 0 to below 1 that differ', () => {
    const numbers = Array.from({ length: 1_000 }, () => systemClock.random());
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(new Set(numbers).size).toBeGreaterThan(990);
  });
});

describe('a random UUID', () => {
  it('has the form of version 4, whatever the numbers are', () => {
    for (const random of [() => 0, () => 1 - 2 ** -32, systemClock.random])
      expect(randomUuid({ ...systemClock, random })).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
  });

  it('is another one each time, and the same ones for the same seed', () => {
    const [one, same] = [new TestClock(START, 7), new TestClock(START, 7)];
    const uuids = Array.from({ length: 100 }, () => randomUuid(one));
    expect(new Set(uuids).size).toBe(100);
    expect(Array.from({ length: 100 }, () => randomUuid(same))).toEqual(uuids);
  });
});

describe('a deadline', () => {
  const never = new Promise<never>(() => {});

  it('falls when its time has passed on the clock, and not before', async () => {
    const clock = new TestClock(START);
    const late = withTimeout({ clock, milliseconds: 3_000, dependency: 'ledger' }, never);
    clock.advance(2_999);
    expect(clock.deadlines).toBe(1);
    clock.advance(1);
    await expect(late).rejects.toThrow(new DependencyError('ledger', 'timed_out', 'no response within 3000 ms'));
  });

  it('is over when the work is done, however it ends', async () => {
    const clock = new TestClock(START);
    const limit = { clock, milliseconds: 3_000, dependency: 'ledger' };
    expect(await withTimeout(limit, Promise.resolve('done'))).toBe('done');
    await expect(withTimeout(limit, Promise.reject(new Error('broken')))).rejects.toThrow(
      new DependencyError('ledger', 'call_failed', 'broken'),
    );
    const own = new DependencyError('iam', 'error_response', 'returned 500');
    await expect(withTimeout(limit, Promise.reject(own))).rejects.toBe(own);
    expect(clock.deadlines).toBe(0);
  });
});

describe('the clock of tests', () => {
  it('stands still until somebody moves it or pauses', async () => {
    const clock = new TestClock(START);
    await Promise.all([clock.sleep(200), clock.sleep(100)]);
    expect(clock.now()).toBe(START + 200);
    clock.advance(1_000);
    clock.reset();
    expect(clock.now()).toBe(START);
  });

  it('resumes those who wait for a deadline in the order of their times, at their times', async () => {
    const clock = new TestClock(START);
    const resolved: [string, number][] = [];
    const { signal } = new AbortController();
    const wait = (name: string, milliseconds: number) =>
      clock.sleep(milliseconds, signal).then(() => resolved.push([name, clock.now() - START]));
    const all = [wait('second', 20), wait('first', 10), wait('last', 30)];
    await clock.sleep(40);
    await Promise.all(all);
    expect(resolved.map(([name]) => name)).toEqual(['first', 'second', 'last']);
  });
});
