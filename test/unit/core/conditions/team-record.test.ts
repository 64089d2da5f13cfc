// The record of a team: what a copy and a failure make of it, when it is read again, and until when rules use it.

import { describe, expect, it } from 'vitest';
import { teamState } from '../../../../shared/core/conditions/team-age.ts';
import {
  addCopy,
  addFailure,
  callsFor,
  isDue,
  type TeamCopy,
  type TeamRecord,
  triedAt,
} from '../../../../shared/core/conditions/team-record.ts';
import { CLOCK_MARGIN_MS, TEAM_RETENTION_MS } from '../../../../shared/core/timing.ts';

const NOW = Date.UTC(2026, 10, 24, 12);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const copy = (changes: Partial<TeamCopy> = {}): TeamCopy => ({
  members: ['ann', 'bob'],
  pipelines: { web: 'build_and_read' },
  paged: false,
  ...changes,
});
const RECORD = addCopy(undefined, copy(), NOW);

describe('a copy of a team', () => {
  it('is all that was read, from the time when reading began', () => {
    expect(addCopy(undefined, copy({ members: ['bob', 'ann'] }), NOW)).toEqual({
      ...{ members: ['ann', 'bob'], pipelines: { web: 'build_and_read' } },
      ...{ read_at: NOW, read_again: false, failure: null, failed_at: null, delete_at: NOW + TEAM_RETENTION_MS },
    });
  });

  it.each<[string, TeamRecord | undefined, Partial<TeamCopy>, boolean]>([
    ['one page, for the first time', undefined, {}, false],
    ['one page that lacks somebody', RECORD, { members: ['ann'] }, false],
    ['several pages, for the first time', undefined, { paged: true }, true],
    ['several pages with everybody', RECORD, { paged: true, members: ['ann', 'bob', 'new'] }, false],
    ['several pages that lack a member', RECORD, { paged: true, members: ['ann', 'new'] }, true],
    ['several pages that lack a pipeline', RECORD, { paged: true, pipelines: {} }, true],
    [
      'several pages after a failure before the first copy',
      addFailure(undefined, 'timed_out', NOW),
      { paged: true },
      true,
    ],
  ])('of %s is read again by the next sweep: %s', (_, known, changes, read_again) => {
    const read = addCopy(known, copy(changes), NOW);
    expect(read.read_again).toBe(read_again);
    expect(read.members).toEqual([...copy(changes).members].sort());
  });

  it('stays after a failure, with its age', () => {
    expect(addFailure(RECORD, 'team_missing', NOW + MINUTE)).toEqual({
      ...RECORD,
      ...{ failure: 'team_missing', failed_at: NOW + MINUTE, delete_at: NOW + MINUTE + TEAM_RETENTION_MS },
    });
    const never = addFailure(undefined, 'refused', NOW);
    expect(never).toMatchObject({ members: [], pipelines: {}, read_at: null, read_again: false, failure: 'refused' });
    expect(addCopy(never, copy(), NOW + MINUTE)).toMatchObject({ failure: null, failed_at: null });
  });
});

describe('a team is due', () => {
  const failed = addFailure(RECORD, 'timed_out', NOW);
  it.each<[string, TeamRecord | undefined, number, boolean]>([
    ['that was never tried', undefined, 0, true],
    ['that was just read', RECORD, 0, false],
    ['read less than four and a half minutes ago', RECORD, 4.5 * MINUTE - 1, false],
    ['read four and a half minutes ago', RECORD, 4.5 * MINUTE, true],
    ['that could not be read 29 seconds ago', failed, 29 * SECOND, false],
    ['that could not be read half a minute ago', failed, 30 * SECOND, true],
    ['that does not exist, a minute ago', addFailure(RECORD, 'team_missing', NOW), MINUTE, false],
    ['that does not exist, four and a half minutes ago', addFailure(RECORD, 'team_missing', NOW), 4.5 * MINUTE, true],
    ['that is too large, a minute ago', addFailure(undefined, 'team_too_large', NOW), MINUTE, false],
    ['that is to be read again', { ...RECORD, read_again: true }, 30 * SECOND, true],
    ['read in the future, as clocks differ', RECORD, -CLOCK_MARGIN_MS, false],
    ['read in the future, by a wrong clock', RECORD, -CLOCK_MARGIN_MS - 1, true],
  ])('%s', (_, team, later, due) => {
    expect(isDue(team, NOW + later)).toBe(due);
  });

  it('in the order of the last tries, whatever came of them', () => {
    expect([undefined, RECORD, addFailure(RECORD, 'refused', NOW + 1)].map(triedAt)).toEqual([0, NOW, NOW + 1]);
  });

  it.each([
    [0, 0, 2],
    [99, 0, 2],
    [100, 99, 3],
    [250, 100, 5],
  ])('with %i members and %i pipelines in %3$i calls', (members, pipelines, calls) => {
    const ids = (count: number) => Array.from({ length: count }, (_, nth) => `id-${nth}`);
    const entries = ids(pipelines).map((id) => [id, 'read_only'] as const);
    const team = addCopy(undefined, copy({ members: ids(members), pipelines: Object.fromEntries(entries) }), NOW);
    expect(callsFor(team)).toBe(calls);
  });
});

it('a team that was never read takes two calls', () => {
  expect(callsFor(undefined)).toBe(2);
});

describe('the state of a team', () => {
  const named = { id: 'team', name: 'platform', first_named_at: NOW, last_named_at: NOW };
  const never = addFailure(undefined, 'team_missing', NOW);
  it.each<[string, TeamRecord | undefined, number, string]>([
    ['that was just read', RECORD, 0, 'current'],
    ['of half the limit', RECORD, HOUR / 2, 'current'],
    ['older than half the limit', RECORD, HOUR / 2 + 1, 'aging'],
    ['as old as the limit', RECORD, HOUR, 'aging'],
    ['older than the limit', RECORD, HOUR + 1, 'too_old'],
    ['of the future', RECORD, -CLOCK_MARGIN_MS - 1, 'too_old'],
    ['that was just named', undefined, 0, 'pending'],
    ['that nobody has tried for five minutes', undefined, 5 * MINUTE, 'pending'],
    ['that nobody has tried for longer', undefined, 5 * MINUTE + 1, 'too_old'],
    ['whose first try failed', never, 0, 'too_old'],
    ['without a copy and a failure', { ...never, failure: null }, 0, 'pending'],
  ])('%s', (_, team, later, state) => {
    expect(teamState(named, team, { max_age: 3600, now: NOW + later })).toBe(state);
  });
});
