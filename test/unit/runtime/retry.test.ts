import { describe, expect, it } from 'vitest';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { retry } from '../../../shared/runtime/retry.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 24);
const passing = () => new DependencyError('iam', 'error_response', 'returned 500');

describe('insisting', () => {
  /** When each try began, in milliseconds since the first, and what came of it. */
  async function retryWith(outcomes: readonly unknown[], { until = 60_000, takes = 0, chance = 0.5 } = {}) {
    const clock = new TestClock(NOW);
    const tries: number[] = [];
    const retrying = retry({ until: NOW + until, clock: { ...clock, random: () => chance } }, async () => {
      tries.push(clock.now() - NOW);
      clock.advance(takes);
      const outcome = outcomes[tries.length - 1];
      if (outcome instanceof Error) throw outcome;
      if (outcome === undefined) throw new TypeError('tried once too often');
      return outcome;
    });
    return { tries, outcome: await retrying.catch((error: unknown) => error) };
  }

  it('tries once when that is enough', async () => {
    expect(await retryWith(['done'])).toEqual({ tries: [0], outcome: 'done' });
  });

  it('tries again after pauses that double, four times in all, and then throws the last failure', async () => {
    const tries = [0, 200, 600, 1400];
    expect(await retryWith([passing(), passing(), passing(), 'done'])).toEqual({ tries, outcome: 'done' });
    const last = passing();
    expect(await retryWith([passing(), passing(), passing(), last])).toEqual({ tries, outcome: last });
  });

  it.each([
    ['half as long', 0, [0, 100, 300, 700]],
    ['up to half as long again', 0.999, [0, 299.8, 899.4, 2098.6]],
  ])('pauses %s as chance has it, so that many do not try at once', async (_, chance, expected) => {
    const { tries } = await retryWith([passing(), passing(), passing(), 'done'], { chance });
    for (const [index, at] of tries.entries()) expect(Math.abs(at - (expected[index] ?? 0))).toBeLessThanOrEqual(3);
    expect(tries).toHaveLength(4);
  });

  it.each([
    [200, [0]],
    [201, [0, 200]],
    [600, [0, 200]],
    [601, [0, 200, 600]],
  ])('begins no try at or after the time at which to stop: %i ms', async (until, tries) => {
    const failures = [passing(), passing(), passing(), passing()];
    expect((await retryWith(failures, { until })).tries).toEqual(tries);
  });

  it('counts the time that a try takes', async () => {
    const failures = [passing(), passing(), passing()];
    expect((await retryWith(failures, { until: 1600, takes: 500 })).tries).toEqual([0, 700]);
    expect((await retryWith(failures, { until: 1601, takes: 500 })).tries).toEqual([0, 700, 1600]);
  });

  it('does not try again after it was frozen until the time was over', async () => {
    const last = passing();
    let tries = 0;
    const clock = new TestClock(NOW);
    const frozen = async () => clock.advance(60_000);
    const retrying = retry({ until: NOW + 60_000, clock: { ...clock, sleep: frozen } }, () => {
      tries += 1;
      return Promise.reject(last);
    });
    await expect(retrying).rejects.toBe(last);
    expect(tries).toBe(1);
  });

  it('tries once even when the time is over, because it may just work', async () => {
    expect(await retryWith(['done'], { until: -1 })).toEqual({ tries: [0], outcome: 'done' });
    const failure = passing();
    expect(await retryWith([failure], { until: -1 })).toEqual({ tries: [0], outcome: failure });
  });

  it.each([
    ['was refused', new DependencyError('iam', 'refused', 'returned 403', { rejected: true })],
    ['is a fault of our own', new TypeError('boom')],
  ])('throws at once what %s', async (_, error) => {
    expect(await retryWith([error])).toEqual({ tries: [0], outcome: error });
    expect((await retryWith([passing(), error])).outcome).toBe(error);
  });

  it('knows a failure in passing that comes from another bundle', async () => {
    const foreign = Object.assign(new Error('iam: returned 500'), { name: 'DependencyError', rejected: false });
    expect((await retryWith([foreign, 'done'])).outcome).toBe('done');
  });
});
