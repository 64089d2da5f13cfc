// The lines about steps that run, on a clock of the test's own.

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createProgress } from '../../../sandbox/progress.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

function newProgress() {
  const clock = new TestClock(0);
  const lines: string[] = [];
  const pass = async (milliseconds: number) => {
    clock.advance(milliseconds);
    await setImmediate();
  };
  return { ...createProgress((line) => lines.push(line), clock), lines, pass };
}

it('says when a step starts, what is waited for every five seconds, and how long each took', async () => {
  const { step, lines, pass } = newProgress();
  const [first, second] = [Promise.withResolvers<number>(), Promise.withResolvers<void>()];
  const running = [step('one', 'Java', () => first.promise), step('two', '', () => second.promise)];
  expect(lines.splice(0)).toEqual(['starting one (Java)…', 'starting two…']);
  await pass(5_000);
  expect(lines.splice(0)).toEqual(['waiting for one (5 s), two (5 s)…']);
  first.resolve(1);
  expect(await running[0]).toBe(1);
  await pass(5_000);
  expect(lines.splice(0)).toEqual(['one: ready after 5 s', 'waiting for two (10 s)…']);
  second.resolve();
  await running[1];
  await pass(60_000);
  expect(lines).toEqual(['two: ready after 10 s']);
});

it('throws what the step throws, and then waits for nothing', async () => {
  const { step, lines, pass } = newProgress();
  await expect(step('one', '', () => Promise.reject(new Error('no Java')))).rejects.toThrow('no Java');
  await pass(60_000);
  expect(lines).toEqual(['starting one…']);
});
