// What a grant costs, counted on the real issuance, end and sweep. docs/OPERATIONS.md shows the same figures, from
// scripts/docs/grant-costs.ts.

import { describe, expect, it } from 'vitest';
import {
  BUSY_ISSUE_READS,
  CONDITION_COSTS,
  COUNTED,
  GRANT_COSTS,
  IDLE_SWEEP_READS,
} from '../../scripts/docs/grant-costs.ts';
import { type Counts, CREDENTIALS, type Kind, none, openCountedKeydesk } from '../fixtures/counted-keydesk.ts';

const MINUTE = 60_000;
const JOB = '11111111-0000-4000-8000-000000000000';
const ANOTHER_JOB = '22222222-0000-4000-8000-000000000000';

/** A job of four minutes that asks once and whose webhook comes; then a sweep a minute until nothing is left to do. */
async function lifeOf(kind: Kind) {
  const keydesk = openCountedKeydesk(kind);
  const idle = await keydesk.counted(keydesk.sweep);
  const given = await keydesk.counted(() => keydesk.issueToken(JOB));
  keydesk.later(MINUTE);
  const renewed = await keydesk.counted(() => keydesk.issueToken(JOB));
  const fresh = openCountedKeydesk(kind);
  await fresh.issueToken(JOB);
  fresh.later(4 * MINUTE);
  const ended = await fresh.counted(() => fresh.endJob(JOB));
  const swept = none();
  for (let minutes = 0; minutes < 30; minutes += 1) {
    fresh.later(MINUTE);
    const { reads, ...counts } = await fresh.counted(fresh.sweep);
    // The four queries that each sweep makes, and the accounts that it reads, are the sweep's own.
    swept.reads += reads - idle.reads;
    for (const name of COUNTED) if (name !== 'reads') swept[name] += counts[name];
  }
  expect(fresh.disabled.size).toBe(0);
  return { idle, given, renewed, ended, swept };
}

describe('the cost of a grant', () => {
  it.each(Object.keys(CREDENTIALS) as Kind[])('is what it is at each step, and no more: %s', async (kind) => {
    const { given, renewed, ended, swept } = await lifeOf(kind);
    const row = (counts: Counts) => COUNTED.map((name) => counts[name]);
    expect({ issue: row(given), renewal: row(renewed), end: row(ended), sweep: row(swept) }).toEqual(GRANT_COSTS[kind]);
  });

  it.each(['firestore', 'shared account', 'shared account, narrowed'] as const)(
    'is fewer reads on an instance that has issued within the last minute: %s',
    async (kind) => {
      const keydesk = openCountedKeydesk(kind);
      await keydesk.issueToken(JOB);
      keydesk.later(MINUTE / 2);
      const { reads, writes } = await keydesk.counted(() => keydesk.issueToken(ANOTHER_JOB));
      // The shared account is on record by then.
      expect({ reads, writes }).toEqual({ reads: BUSY_ISSUE_READS, writes: kind === 'firestore' ? 4 : 3 });
    },
  );

  it('is two reads more by a rule with an approval, and each request before it has reads alone, but for the first', async () => {
    const keydesk = openCountedKeydesk('firestore', { approval: true });
    const readsAndWrites = async (work: () => Promise<unknown>) => {
      const { reads, writes } = await keydesk.counted(work);
      return [reads, writes];
    };
    expect(await readsAndWrites(keydesk.haveTeam)).toEqual(CONDITION_COSTS['recording a team that was read']);
    const await_ = () => keydesk.awaitApproval(JOB);
    expect(await readsAndWrites(await_)).toEqual(CONDITION_COSTS['the first request before the approval']);
    keydesk.later(10_000);
    expect(await readsAndWrites(await_)).toEqual(CONDITION_COSTS['each further request before it']);
    expect(await readsAndWrites(keydesk.approve)).toEqual(CONDITION_COSTS['`job.activated`']);
    const [reads, writes] = GRANT_COSTS.firestore.issue;
    const more = CONDITION_COSTS['an issuance or a renewal, in addition'];
    expect(await readsAndWrites(() => keydesk.issueToken(JOB))).toEqual([reads + more[0], writes + more[1]]);
  });

  it('is one read for each team in each sweep, and one more', async () => {
    const keydesk = openCountedKeydesk('firestore', { approval: true });
    await keydesk.recordStart();
    await keydesk.haveTeam();
    expect((await keydesk.lookAtTeams()).named).toBe(1);
    expect(await keydesk.counted(keydesk.lookAtTeams)).toEqual({ ...none(), reads: 2 });
  });

  it('is the same few reads for each sweep that has nothing to do', async () => {
    const { idle } = await lifeOf('firestore');
    expect(idle).toEqual({ ...none(), reads: IDLE_SWEEP_READS });
  });
});
