// The marks that a grant or a job is ending, written before its end is recorded, and what remains of them afterwards.

import { describe, expect, it } from 'vitest';
import {
  abandonLease,
  confirmRevoked,
  endGrant,
  expire,
  grantEndMark,
  refusalIfEnded,
} from '../../../../shared/core/grant/end.ts';
import type { Grant } from '../../../../shared/core/grant/grant.ts';
import {
  addGrant,
  endMark,
  endTimeOf,
  jobRecordSchema,
  toTombstone,
  withoutEndMark,
} from '../../../../shared/core/grant/job-record.ts';
import { reserve } from '../../../../shared/core/grant/reserve.ts';
import {
  CLOCK_MARGIN_MS,
  FINISH_TIME_TOLERANCE_MS,
  MAX_JOB_TOKEN_AGE_MS,
  RECORD_RETENTION_MS,
} from '../../../../shared/core/timing.ts';
import {
  FREE,
  firestore,
  GRANT_ID,
  grantIn,
  KINDS,
  LATER,
  NOW,
  outcomeOf,
  request,
  STATES,
} from '../../../fixtures/grants.ts';

const NO_MARK = { ending_since: null, ending_by: null, ending_kill_switch_id: null };

describe('a grant that is marked as ending', () => {
  const byOperator = {
    ending_since: NOW + 50,
    ending_by: 'kill_switch',
    ending_kill_switch_id: 'switch-1',
  } as const;
  const byJob = { ...NO_MARK, ending_since: NOW, ending_by: 'released' } as const;
  const marked = (state: Grant['state'], kind: (typeof KINDS)[number] = 'pool'): Grant => ({
    ...grantIn(state, kind),
    ...byOperator,
  });

  it('says since when, by whom, and by which act of an operator', () => {
    expect(grantEndMark({ by: 'kill_switch', kill_switch_id: 'switch-1' }, NOW + 50)).toEqual(byOperator);
    expect(grantEndMark({ by: 'released' }, NOW)).toEqual(byJob);
  });

  it.each(['job.finished', 'job.reconciled'] as const)('is not marked by the end of its job: %s', (by) => {
    expect(() => grantEndMark({ by }, NOW)).toThrow();
  });

  it.each(KINDS)('is issued to its job in no state: %s', (kind) => {
    for (const state of STATES)
      expect(reserve(marked(state, kind), FREE, request(firestore), LATER)).toEqual({
        refusal: { reason: 'grant_revoked', grant_id: GRANT_ID },
      });
  });

  it.each(['revoking', 'revoked'] as const)('is not issued either when it only says that it is %s', (state) => {
    const grant = { ...grantIn(state, 'pool'), ended_by: null };
    expect(refusalIfEnded(grant)).toEqual({ reason: 'grant_revoked', grant_id: GRANT_ID });
  });

  it('was ended by what marked it, also where another cause records the end', () => {
    const ended = endGrant(marked('active'), { by: 'job.finished' }, LATER);
    expect(ended).toMatchObject({ ...NO_MARK, ended_by: 'kill_switch', kill_switch_id: 'switch-1', ended_at: LATER });
    const expired = expire(marked('active'), marked('active').expires_at + CLOCK_MARGIN_MS);
    expect(expired).toMatchObject({ ...NO_MARK, ended_by: 'kill_switch', kill_switch_id: 'switch-1' });
  });

  it.each(['pool', 'narrowedPool'] as const)('is so no longer once its access was taken away: %s', (kind) => {
    expect(confirmRevoked(marked('revoking', kind), LATER)).toMatchObject(NO_MARK);
  });

  it('by its job and by no operator, says no act of an operator', () => {
    const released = { ...grantIn('active', 'pool'), ...byJob };
    const ended = endGrant(released, { by: 'kill_switch', kill_switch_id: 'switch-2' }, LATER);
    expect(ended).toMatchObject({ ended_by: 'released', kill_switch_id: null });
  });
});

describe('the finish time that Buildkite reports', () => {
  const active = grantIn('active', 'firestore');
  const recorded = (finished_at: number | undefined) =>
    endGrant(active, { by: 'job.finished', finished_at }, LATER)?.job_finished_at;

  it.each([
    ['just before its end was recorded', LATER - 5],
    ['as long before the grant as a job token lives', NOW - MAX_JOB_TOKEN_AGE_MS],
    ['by a clock that is ahead', LATER + FINISH_TIME_TOLERANCE_MS],
  ])('is recorded when it is %s', (_, finished_at) => {
    expect(recorded(finished_at)).toBe(finished_at);
  });

  it.each([
    ['absent', undefined],
    ['longer before the grant than a job token lives', NOW - MAX_JOB_TOKEN_AGE_MS - 1],
    ['further ahead than a clock is', LATER + FINISH_TIME_TOLERANCE_MS + 1],
  ])('is not recorded when it is %s', (_, finished_at) => {
    expect(recorded(finished_at)).toBeNull();
  });
});

describe('a lease that was given up', () => {
  it.each(['revoking', 'revoked', 'expired'] as const)('is none of a grant that is over: %s', (state) => {
    expect(() => abandonLease(grantIn(state, 'pool'), LATER)).toThrow();
  });

  it('may be one of a grant that had tokens, which have expired', () => {
    expect(abandonLease(grantIn('active', 'pool'), LATER)).toMatchObject({ state: 'expired', access_ended_at: LATER });
  });
});

describe('the record of a job', () => {
  const build = { organization_slug: 'acme-inc', pipeline_slug: 'app', build_number: 1 };
  const running = addGrant(undefined, { id: 'a', build }, { now: NOW, random: 0.5 });
  const mark = endMark('job.finished', NOW + 20, NOW + 50);
  const ending = { ...running, ...mark };

  it('keeps what the message said that began its end, and is due before every other', () => {
    expect(mark).toEqual({
      ending_since: NOW + 50,
      ending_by: 'job.finished',
      ending_finished_at: NOW + 20,
      check_at: 0,
    });
    expect(endMark('job.finished', undefined, NOW).ending_finished_at).toBeNull();
  });

  it('says since when nothing is issued: since the mark, and since the end once that is recorded', () => {
    expect(endTimeOf(undefined)).toBeUndefined();
    expect(endTimeOf(running)).toBeUndefined();
    expect(endTimeOf(ending)).toBe(NOW + 50);
    expect(endTimeOf({ ...ending, ended_at: NOW + 70 })).toBe(NOW + 70);
    expect(outcomeOf(reserve(undefined, { ...FREE, jobEndedAt: NOW + 50 }, request(firestore), LATER))).toBe(
      'job_ended',
    );
  });

  it('is a tombstone without a mark, with its grants, for as long as records are kept', () => {
    expect(toTombstone(ending, 'job.reconciled', NOW + 70)).toEqual({
      ...running,
      check_at: null,
      unchecked_since: null,
      ended_at: NOW + 70,
      ended_by: 'job.reconciled',
      delete_at: NOW + 70 + RECORD_RETENTION_MS,
    });
  });

  it('that had ended when it was marked is a tombstone again', () => {
    const tombstone = toTombstone(running, 'job.finished', NOW + 20);
    expect(withoutEndMark({ ...tombstone, ...mark })).toEqual(tombstone);
  });

  it('is kept from its latest grant on, as its own schema has it', () => {
    expect(running.delete_at).toBe(NOW + RECORD_RETENTION_MS);
    expect(addGrant(running, { id: 'b', build }, { now: LATER, random: 0 }).delete_at).toBe(
      LATER + RECORD_RETENTION_MS,
    );
    for (const record of [running, ending, toTombstone(ending, 'job.finished', LATER)])
      expect(jobRecordSchema.parse(record)).toEqual(record);
  });
});
