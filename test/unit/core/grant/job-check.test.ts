// When Buildkite is asked about a job next, which builds come first, and how many calls a minute holds.

import { describe, expect, it } from 'vitest';
import {
  byBuild,
  CALLS_PER_MINUTE,
  checkAfterFailure,
  checkAfterResponse,
  firstCheckAt,
  nextCallAt,
  recentCalls,
} from '../../../../shared/core/grant/job-check.ts';
import { addGrant, jobRecordSchema, toTombstone } from '../../../../shared/core/grant/job-record.ts';
import { CHECK_EVERY_MS, FIRST_CHECK_MS, UNCHECKED_MS, UNKNOWN_AGAIN_MS } from '../../../../shared/core/timing.ts';

const NOW = Date.UTC(2026, 0, 5, 9);
const MINUTE = 60_000;
const BUILD = { organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 1 };
const at = { now: NOW, random: 0.5 };

describe('the check of a job', () => {
  it('is first due within four minutes of the first grant, at a time that chance decides', () => {
    expect([firstCheckAt(NOW, 0), firstCheckAt(NOW, 0.9999)]).toEqual([NOW, expect.any(Number)]);
    expect(firstCheckAt(NOW, 0.9999)).toBeLessThanOrEqual(NOW + FIRST_CHECK_MS);
    expect(FIRST_CHECK_MS).toBeLessThan(5 * MINUTE);
    expect(addGrant(undefined, { id: 'a', build: BUILD }, at)).toMatchObject({
      build: BUILD,
      grants: ['a'],
      check_at: NOW + FIRST_CHECK_MS / 2,
      checks_failed: 0,
      unchecked_since: NOW,
    });
  });

  it('is not moved by another grant, nor by one that comes back', () => {
    const record = addGrant(undefined, { id: 'a', build: BUILD }, at);
    for (const id of ['a', 'b']) {
      const next = addGrant(record, { id, build: BUILD }, { now: NOW + MINUTE, random: 0.9 });
      expect(next).toMatchObject({ check_at: record.check_at, unchecked_since: NOW });
      expect(next.grants).toEqual(id === 'a' ? ['a'] : ['a', 'b']);
    }
  });

  it.each(['a', 'b'])('is due at once where checks had stopped, with any random number: grant %s', (id) => {
    const idle = { ...addGrant(undefined, { id: 'a', build: BUILD }, at), check_at: null, unchecked_since: null };
    const again = addGrant(idle, { id, build: BUILD }, { now: NOW + 60 * MINUTE, random: 0.9999 });
    expect(again).toMatchObject({ check_at: NOW + 60 * MINUTE, unchecked_since: NOW + 60 * MINUTE });
  });

  it('is over with the end of the job', () => {
    const record = addGrant(undefined, { id: 'a', build: BUILD }, at);
    expect(toTombstone(record, 'job.finished', NOW)).toMatchObject({
      check_at: null,
      unchecked_since: null,
      ended_at: NOW,
    });
    expect(toTombstone(undefined, 'job.finished', NOW)).toMatchObject({
      check_at: null,
      grants: [],
      build: null,
    });
  });

  it('is due again when Buildkite responded: soon enough for the fifth sweep, later for a job that it does not show', () => {
    expect(checkAfterResponse('running', NOW)).toEqual({
      check_at: NOW + CHECK_EVERY_MS,
      checks_failed: 0,
      unchecked_since: NOW,
    });
    expect(checkAfterResponse('unknown', NOW).check_at).toBe(NOW + UNKNOWN_AGAIN_MS);
    expect(CHECK_EVERY_MS).toBeGreaterThan(4 * MINUTE);
    expect(CHECK_EVERY_MS).toBeLessThan(5 * MINUTE);
    // A sweep is a minute late at most: a job that is checked is never counted as unchecked.
    expect(UNKNOWN_AGAIN_MS + MINUTE).toBeLessThan(UNCHECKED_MS);
  });

  it('backs off after a failure, for a quarter of an hour at most, and stays unchecked', () => {
    const waits = [0, 1, 2, 3, 4, 50].map((checks_failed) => checkAfterFailure({ checks_failed }, NOW));
    expect(waits.map(({ check_at }) => ((check_at ?? 0) - NOW) / MINUTE)).toEqual([1, 2, 4, 8, 15, 15]);
    expect(waits.map(({ checks_failed }) => checks_failed)).toEqual([1, 2, 3, 4, 5, 51]);
    for (const wait of waits) expect(wait).not.toHaveProperty('unchecked_since');
  });

  it('is absent from a record of the release before', () => {
    const record = jobRecordSchema.parse({ grants: ['a'], ended_at: null, ended_by: null, delete_at: NOW });
    expect(record).toMatchObject({ check_at: null, checks_failed: 0, ending_since: null, build: null });
  });
});

describe('the order of builds', () => {
  const job = (build_number: number | null, check_at: number) => ({
    record: jobRecordSchema.parse({
      ...{
        build: build_number === null ? null : { ...BUILD, build_number },
        check_at,
        grants: [],
        ended_at: null,
        ended_by: null,
        delete_at: 0,
      },
    }),
  });
  const numbers = (builds: ReturnType<typeof byBuild>) => builds.map(({ build }) => build.build_number);

  it('follows the check which is due longest, with all jobs of a build together', () => {
    const builds = byBuild([job(1, 50), job(2, 30), job(3, 20), job(1, 10)], () => 0);
    expect(numbers(builds)).toEqual([1, 3, 2]);
    expect(builds[0]?.jobs).toHaveLength(2);
  });

  it('is random between equals', () => {
    const keys = [0.3, 0.1, 0.2];
    expect(numbers(byBuild([job(1, 5), job(2, 5), job(3, 5)], () => keys.shift() ?? 0))).toEqual([2, 3, 1]);
  });

  it('leaves out a record that names no build', () => {
    expect(byBuild([job(null, 5)], () => 0)).toEqual([]);
  });
});

describe('the calls of a minute', () => {
  const calls = Array.from({ length: CALLS_PER_MINUTE }, (_, nth) => NOW + nth * 10);

  it('are fifty: the next one waits until the fiftieth before it is a minute old', () => {
    expect(nextCallAt(calls.slice(1), NOW + 500)).toBe(NOW + 500);
    expect(nextCallAt(calls, NOW + 500)).toBe(NOW + MINUTE + 100);
    expect(nextCallAt([...calls, NOW + 600], NOW + 700)).toBe(NOW + 10 + MINUTE + 100);
    expect(nextCallAt(calls, NOW + 2 * MINUTE)).toBe(NOW + 2 * MINUTE);
  });

  it('are forgotten once they no longer count, and never more than fifty are kept', () => {
    expect(recentCalls(calls, NOW + MINUTE + 99)).toEqual(calls);
    expect(recentCalls(calls, NOW + MINUTE + 100)).toEqual(calls.slice(1));
    expect(recentCalls([NOW + 1, NOW], NOW)).toEqual([NOW, NOW + 1]);
    expect(recentCalls([...calls, ...calls], NOW)).toHaveLength(CALLS_PER_MINUTE);
  });
});
