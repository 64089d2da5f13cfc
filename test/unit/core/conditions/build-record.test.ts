// What is known of a build only grows, in whatever order Buildkite says it.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addLook,
  addNews,
  type BuildNews,
  type BuildRecord,
  buildRecordId,
  buildRecordSchema,
  emptyBuildRecord,
  requestLook,
  type Unblock,
} from '../../../../shared/core/conditions/build-record.ts';
import { BUILD_RETENTION_MS } from '../../../../shared/core/timing.ts';

const NOW = Date.UTC(2026, 10, 24, 10);
const MINUTE = 60_000;
const BUILD = { pipeline_id: 'p', build_number: 7 };
const WAITING = { ...BUILD, organization_slug: 'acme-inc', pipeline_slug: 'app' };

const unblock = (job: number, more: Partial<Unblock> = {}): Unblock => ({
  ...{
    job_id: `job-${job}`,
    step_key: 'approve',
    step_id: 'step',
    unblocked_by: `user-${job}`,
    unblocked_at: NOW + job,
  },
  ...more,
});
const news = (more: Partial<BuildNews> = {}): BuildNews => ({ ...BUILD, unblocks: [], ...more });
const factsOf = ({ build_id, creator_known, creator, reason, unblocks }: BuildRecord) => ({
  ...{ build_id, creator_known, creator, reason, unblocks },
});
const allOf = (said: readonly BuildNews[]) =>
  said.reduce<BuildRecord | undefined>((record, one) => addNews(record, one, NOW), undefined);

describe('news of a build', () => {
  it('come to the same in any order, and however often they come', () => {
    const nobody = fc.constantFrom<Partial<Unblock>>({}, { unblocked_by: null }, { step_id: null });
    const said = fc.array(
      fc.record({
        build_id: fc.constantFrom(undefined, 'build'),
        creator: fc.constantFrom(undefined, null, 'anne'),
        reason: fc.constantFrom(undefined, 'why'),
        unblocks: fc.array(
          fc.tuple(fc.nat(4), nobody).map(([job, by]) => unblock(job, by)),
          { maxLength: 3 },
        ),
      }),
      { minLength: 1, maxLength: 8 },
    );
    const any = said.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
    fc.assert(
      fc.property(any, ([list, shuffled]) => {
        const [one, other] = [list, shuffled].map((some) => allOf(some.map(news)));
        expect(one && factsOf(one)).toEqual(other && factsOf(other));
        expect(buildRecordSchema.safeParse(one).success).toBe(true);
      }),
    );
  });

  it('leave the record as it is when nothing is new', () => {
    const said = news({ creator: 'anne', reason: 'why', build_id: 'b', unblocks: [unblock(1)] });
    const record = addNews(undefined, said, NOW);
    expect(addNews(record, said, NOW + MINUTE)).toBe(record);
    expect(addNews(record, news(), NOW + MINUTE)).toBe(record);
  });

  it('do not change what is on record: who started it, who unblocked a job, and why', () => {
    const record = addNews(undefined, news({ creator: 'anne', reason: 'why', unblocks: [unblock(1)] }), NOW);
    const other = news({ creator: 'dora', reason: 'because', unblocks: [unblock(1, { unblocked_by: 'dora' })] });
    expect(addNews(record, other, NOW)).toBe(record);
  });

  it('say who started the build once one of them does, and which build it is', () => {
    const without = addNews(undefined, news(), NOW);
    expect(factsOf(without)).toMatchObject({ build_id: null, creator_known: false, creator: null });
    const nobody = addNews(without, news({ creator: null, build_id: 'b' }), NOW);
    expect(factsOf(nobody)).toMatchObject({ build_id: 'b', creator_known: true, creator: null });
    expect(factsOf(addNews(nobody, news({ unblocks: [unblock(1)], build_id: 'c' }), NOW))).toMatchObject({
      ...{ build_id: 'b', creator_known: true, creator: null },
    });
    expect(factsOf(addNews(undefined, news({ creator: 'anne' }), NOW))).toMatchObject({
      ...{ creator_known: true, creator: 'anne' },
    });
  });

  it('of unblocks at one time have one order, whichever came first', () => {
    const same = [1, 2, 3].map((job) => news({ unblocks: [unblock(job, { unblocked_at: NOW })] }));
    for (const said of [same, same.toReversed()])
      expect(allOf(said)?.unblocks.map(({ job_id }) => job_id)).toEqual(['job-1', 'job-2', 'job-3']);
  });

  it('keep the first hundred unblocks, and no half of a surrogate pair of a long reason', () => {
    const unblocks = Array.from({ length: 120 }, (_, job) => unblock(119 - job));
    const record = addNews(undefined, news({ unblocks, reason: `${'x'.repeat(499)}😀` }), NOW);
    expect(record.unblocks.map(({ unblocked_at }) => unblocked_at - NOW)).toEqual([...Array(100).keys()]);
    expect(record.reason).toBe(`${'x'.repeat(499)}\ufffd`);
    expect(buildRecordSchema.safeParse(record).success).toBe(true);
  });

  it('keep a reason without what moves the cursor of a terminal', () => {
    const reasonOf = (reason: string) => addNews(undefined, news({ reason }), NOW).reason;
    expect(reasonOf('db down\u001b]0;x\u0007\u001b[2J\r\nall\u009bclear')).toBe('db down ]0;x [2J all clear');
    expect(reasonOf('\u001b\u0007\n')).toBeNull();
  });

  it('add which step it was where only a later one says so, and nothing else that was known', () => {
    const said = allOf([
      news({ unblocks: [unblock(1, { step_id: null })] }),
      news({ unblocks: [unblock(1, { unblocked_by: 'other', unblocked_at: NOW })] }),
    ]);
    expect(said?.unblocks).toEqual([unblock(1)]);
  });

  it('keep the record for 35 days', () => {
    expect(addNews(undefined, news(), NOW).delete_at).toBe(NOW + BUILD_RETENTION_MS);
    const record = addNews(undefined, news({ creator: 'anne' }), NOW);
    expect(addNews(record, news({ unblocks: [unblock(1)] }), NOW + MINUTE).delete_at).toBe(
      NOW + MINUTE + BUILD_RETENTION_MS,
    );
  });
});

describe('a record of a build', () => {
  it('has the UUID of its pipeline and its number for an id', () => {
    expect(buildRecordId('p', 7)).toBe('p_7');
  });

  it('begins empty, and is kept for 35 days', () => {
    expect(emptyBuildRecord(BUILD, NOW)).toMatchObject({ creator_known: false, delete_at: NOW + BUILD_RETENTION_MS });
  });

  it('is kept for 35 days from the latest look that a job asked for, also when the clock is set back', () => {
    const record = requestLook(undefined, WAITING, NOW);
    expect(record.delete_at).toBe(NOW + BUILD_RETENTION_MS);
    const looked = addLook(record, undefined, NOW);
    for (const later of [MINUTE, -MINUTE])
      expect(requestLook(looked, WAITING, NOW + later).delete_at).toBe(NOW + Math.max(0, later) + BUILD_RETENTION_MS);
  });
});

describe('a look', () => {
  it('is due at once when a job first waits, and stays due when others do', () => {
    const record = requestLook(undefined, WAITING, NOW);
    expect(record).toMatchObject({ ...WAITING, look_at: NOW, looks: 0 });
    expect(requestLook(record, WAITING, NOW + MINUTE)).toBe(record);
  });

  it('is due 1, 2, 4, 8, 15 and 15 minutes after the one before, and not in the past', () => {
    let record = requestLook(undefined, WAITING, NOW);
    const waits: number[] = [];
    for (let looks = 0; looks < 6; looks += 1) {
      record = requestLook(addLook(record, undefined, NOW), WAITING, NOW);
      waits.push(((record.look_at ?? 0) - NOW) / MINUTE);
    }
    expect(waits).toEqual([1, 2, 4, 8, 15, 15]);
    expect(requestLook(addLook(record, undefined, NOW), WAITING, NOW + 60 * MINUTE).look_at).toBe(NOW + 60 * MINUTE);
  });

  it('goes by the slugs of the latest job that waits, and adds what it found', () => {
    const renamed = { ...WAITING, pipeline_slug: 'app-2' };
    const looked = addLook(requestLook(undefined, WAITING, NOW), news({ creator: null, unblocks: [unblock(1)] }), NOW);
    expect(looked).toMatchObject({ look_at: null, looks: 1, looked_at: NOW, creator_known: true, creator: null });
    expect(looked.unblocks).toHaveLength(1);
    expect(requestLook(looked, renamed, NOW)).toMatchObject({ pipeline_slug: 'app-2', unblocks: looked.unblocks });
  });
});
