// `keydesk grants watch` between two looks: what it prints, what it does when a look fails, and when it ends.

import { describe, expect, it } from 'vitest';
import { watchGrants } from '../../../cli/grants/watch.ts';
import { Refused } from '../../../cli/operator-api.ts';
import { type GrantSummary, toGrantSummary } from '../../../shared/core/operator-api/grant.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { grantIn, NOW } from '../../fixtures/grants.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const grant = (change: Partial<GrantSummary>): GrantSummary => ({
  ...toGrantSummary(grantIn('active', 'firestore'), NOW),
  ...change,
});
const one = grant({ grant_id: '1' });
const two = grant({ grant_id: '2' });
const unreadable = { grant_id: '3', error: 'grants/3 cannot be read' };

type Look = { grants: GrantSummary[]; unreadable: (typeof unreadable)[] } | Error;
const live = (...grants: GrantSummary[]): Look => ({ grants, unreadable: [] });

/** The kinds and ids of the lines for each look. It is interrupted after the last look. */
async function watch(looks: readonly Look[], ends: Readonly<Record<string, GrantSummary | undefined>> = {}) {
  const clock = new TestClock(NOW);
  const interrupted = new AbortController();
  const lines: string[][] = [];
  const notes: string[] = [];
  const slept: number[] = [];
  await watchGrants(
    {
      readLive: async () => {
        const look = looks[lines.length] as Look;
        lines.push([]);
        if (look instanceof Error) throw look;
        return look;
      },
      readGrant: async (id) => ends[id],
      clock: {
        random: clock.random,
        now: () => clock.now(),
        sleep: async (milliseconds) => {
          slept.push(milliseconds);
          if (lines.length === looks.length) interrupted.abort();
        },
      },
      print: (line) => lines.at(-1)?.push(line),
      note: (line) => notes.push(line),
      intervalMs: 5_000,
    },
    interrupted.signal,
  );
  const said = lines.map((printed) => printed.map((line) => line.replace(/^\S+ {2}(\w+) +/, '$1 ')));
  return { said, notes, slept };
}
const short = (said: readonly string[][]) =>
  said.map((lines) => lines.map((line) => [line.split(' ')[0], / ([123])(?: {2}|$| )/.exec(line)?.[1]].join(' ')));

describe('grants watch', () => {
  it('prints what is live, and then changes alone', async () => {
    const changed = { ...two, state: 'revoking' as const };
    const looks = [live(one), live(one), live(one, two), live(one, changed), live(changed)];
    const { said, slept } = await watch(looks, { 1: { ...one, state: 'revoked', ended_by: 'released' } });
    expect(short(said)).toEqual([['live 1'], [], ['new 2'], ['changed 2'], ['ended 1']]);
    expect(said[4]?.[0]).toContain('revoked');
    expect(said[4]?.[0]).toContain('by released');
    expect(slept).toEqual([5_000, 5_000, 5_000, 5_000, 5_000]);
  });

  it('says that a grant was ended whose tokens cannot be revoked, and later that it is over', async () => {
    const killed = { ...one, access: 'ended_usable', ended_at: one.created_at, ended_by: 'kill_switch' } as const;
    const over = { ...killed, access: 'over', state: 'expired', accepted_until: null } as const;
    const { said } = await watch([live(one), live(killed), live(killed), live()], { 1: over });
    expect(short(said)).toEqual([['live 1'], ['ended 1'], [], ['over 1']]);
    expect(said[1]?.[0]).toContain('ended by kill_switch; usable');
  });

  it('says of a grant that is gone that it is', async () => {
    expect((await watch([live(one), live()])).said[1]?.[0]).toContain('not on record');
  });

  it('prints a record that cannot be read, once', async () => {
    const look = { grants: [], unreadable: [unreadable] };
    expect((await watch([look, look])).said.map((lines) => lines.length)).toEqual([1, 0]);
    expect((await watch([live(), look])).said[1]?.[0]).toContain(unreadable.error);
  });

  it('goes on after a look that failed, and compares with the one before', async () => {
    const failed = new DependencyError('the function reader', 'timed_out', 'no response');
    const unavailable = new Refused(503, 'temporarily_unavailable', 'the ledger is slow');
    const { said, notes } = await watch([live(one), failed, unavailable, live(one, two)]);
    expect(short(said)).toEqual([['live 1'], [], [], ['new 2']]);
    expect(notes).toEqual([expect.stringContaining('no response'), expect.stringContaining('slow')]);
  });

  it('ends for any other failure', async () => {
    for (const error of [new Error('broken'), new Refused(403, undefined, 'broken')])
      await expect(watch([error])).rejects.toThrow('broken');
  });
});
