// As many teams as the calls of a minute do not reach for, what leaves them alone, and what `status` shows of them.

import { afterEach, describe, expect, it } from 'vitest';
import { linesOf } from '../../cli/commands/status.ts';
import type { FakeTeam } from '../../sandbox/fakes/buildkite/teams.ts';
import {
  HOUR,
  idOf,
  idOfPath,
  keydesk,
  linesNamed,
  MINUTE,
  named,
  newJob,
  nextSweep,
  open,
  openWithTeams,
  PLATFORM,
  RELEASE,
  requested,
  SECOND,
  teamRequests,
} from './teams-keydesk.ts';

afterEach(() => keydesk.close());

describe('many teams', () => {
  it('are read with 20 calls a sweep, the one first that was tried longest ago, and within ten sweeps all of them', async () => {
    await openWithTeams(95);
    const callsOf: number[] = [];
    const sweepsOf = new Map<string, number[]>();
    for (let sweeps = 1; sweeps <= 30; sweeps += 1) {
      const before = teamRequests().length;
      await nextSweep();
      const requests = teamRequests().slice(before);
      callsOf.push(requests.length);
      for (const id of new Set(requests.map(idOfPath))) sweepsOf.set(id, [...(sweepsOf.get(id) ?? []), sweeps]);
    }
    expect(callsOf).toEqual(Array.from({ length: 30 }, () => 20));
    expect(sweepsOf.size).toBe(95);
    const longest = [...sweepsOf.values()].map((sweeps) =>
      Math.max(...[...sweeps, 31].map((sweep, nth) => sweep - (sweeps[nth - 1] ?? 0))),
    );
    expect(Math.max(...longest)).toBeLessThanOrEqual(10);
  });

  it('are read although some of them do not exist', async () => {
    await openWithTeams(30);
    keydesk.buildkite.teams.all.splice(0, 25);
    for (let sweeps = 0; sweeps < 4; sweeps += 1) await nextSweep();
    const { teams } = await keydesk.sweepDeps.teamLedger.teams((await named()).map(({ id }) => id));
    expect([...teams.values()].filter(({ read_at }) => read_at !== null)).toHaveLength(5);
    expect([...teams.values()].filter(({ failure }) => failure === 'team_missing')).toHaveLength(25);
  });

  it('do not keep one with many pages from being read', async () => {
    await openWithTeams(30);
    const large = keydesk.buildkite.teams.all[0] as FakeTeam;
    for (let nth = 0; nth < 1_700; nth += 1)
      large.members.push({ user: { id: idOf(10_000 + nth), name: 'A' }, role: 'member' });
    for (let sweeps = 0; sweeps < 8; sweeps += 1) await nextSweep();
    const { teams } = await keydesk.sweepDeps.teamLedger.teams((await named()).map(({ id }) => id));
    expect([teams.size, teams.get(large.id)?.members.length]).toEqual([30, 1_700]);
    expect([...teams.values()].every(({ failure, read_at }) => failure === null && read_at !== null)).toBe(true);
  });

  it('with many pages each are read in sweeps of their own, once their size is known', async () => {
    await openWithTeams(2);
    for (const { members } of keydesk.buildkite.teams.all)
      for (let nth = 0; nth < 1_050; nth += 1)
        members.push({ user: { id: idOf(10_000 + nth), name: 'A' }, role: 'member' });
    for (let sweeps = 0; sweeps < 5; sweeps += 1) await nextSweep();
    // Both are due.
    for (const later of [10 * MINUTE, MINUTE]) {
      const swept = await nextSweep(later);
      expect(linesNamed(swept, 'teams.read')).toMatchObject([{ teams_read: 1, buildkite_calls: 12, failed: 0 }]);
    }
  });

  it('are not tried one after the other while Buildkite cannot be reached', async () => {
    await openWithTeams(5);
    keydesk.buildkite.teams.before = () => 'cut';
    const swept = await nextSweep();
    expect(linesNamed(swept, 'teams.read')).toMatchObject([{ teams_read: 0, buildkite_calls: 1 }]);
    expect(linesNamed(swept, 'task.failed')).toMatchObject([{ code: 'unreachable' }]);
  });

  it('wait while reconciliation needs the calls of the minute, and get what it leaves', async () => {
    await openWithTeams(12);
    const { jobCheckLedger } = keydesk.sweepDeps;
    const callsBefore = async (count: number) => {
      const lock = await jobCheckLedger.acquirePollLock(SECOND);
      const now = keydesk.clock.now();
      if (!lock) throw new Error('no lock');
      await jobCheckLedger.releasePollLock(
        lock,
        Array.from({ length: count }, () => now),
        0,
      );
    };
    keydesk.clock.advance(MINUTE);
    await callsBefore(50);
    const none = await keydesk.sweep();
    expect([teamRequests().length, linesNamed(none, 'teams.read')[0]?.buildkite_calls]).toEqual([0, 0]);
    keydesk.clock.advance(2 * MINUTE);
    await callsBefore(43);
    const some = await keydesk.sweep();
    // Three teams, and a half that counts as not read. Two calls described the API tokens meanwhile.
    expect(teamRequests().length).toBeLessThanOrEqual(7);
    expect(linesNamed(some, 'teams.read')).toMatchObject([{ teams_read: Math.floor(teamRequests().length / 2) }]);
  });

  it('get the calls that the lookups of jobs leave, in the same sweep', async () => {
    await openWithTeams(12);
    for (let jobs = 0; jobs < 45; jobs += 1) expect(await requested(await newJob(), 'staging-config')).toBe(200);
    const swept = await nextSweep(4 * MINUTE);
    expect(swept.json).toMatchObject({ jobs_checked: 45, buildkite_calls: 45 });
    // Both API tokens were described, so three calls were left: for one team.
    expect(linesNamed(swept, 'teams.read')).toMatchObject([{ teams_read: 1, buildkite_calls: 3 }]);
    expect(linesNamed(swept, 'task.failed')).toMatchObject([{ code: 'no_calls_left' }]);
    expect(linesNamed(await nextSweep(), 'teams.read')).toMatchObject([{ teams_read: 10, buildkite_calls: 20 }]);
  });

  it('are not read by a sweep that has lasted for half a minute: the next one reconciles first', async () => {
    await openWithTeams(2);
    const { sweepLedger } = keydesk.sweepDeps;
    keydesk.sweepDeps.sweepLedger = {
      ...sweepLedger,
      accounts: async () => {
        keydesk.clock.advance(30 * SECOND);
        return sweepLedger.accounts();
      },
    };
    await nextSweep();
    expect(teamRequests()).toEqual([]);
    keydesk.sweepDeps.sweepLedger = sweepLedger;
    await nextSweep();
    expect(teamRequests()).toHaveLength(4);
  });

  it('are left alone for as long as Buildkite says, and jobs are looked up all the same', async () => {
    await openWithTeams(2);
    await keydesk.sweep();
    keydesk.buildkite.teams.before = () => ({ status: 429, headers: { 'ratelimit-user-reset': '150' } });
    await nextSweep(5 * MINUTE);
    const limited = teamRequests().length;
    for (const _ of [1, 2]) await nextSweep();
    expect(teamRequests()).toHaveLength(limited);
    const lock = await keydesk.sweepDeps.jobCheckLedger.acquirePollLock(SECOND);
    expect(lock).toBeDefined();
    keydesk.buildkite.teams.before = undefined;
    await nextSweep();
    expect(teamRequests().length).toBeGreaterThan(limited);
  });
});

describe('GET /status', () => {
  const status = async () => (await keydesk.asPerson(`${keydesk.readerUrl}/status`)).json;
  const codes = async () => (await status()).problems.map(({ code }: { code: string }) => code);

  it('shows each team with its age, its size and the failure, and what is wrong', async () => {
    await open();
    await keydesk.sweep();
    expect((await status()).teams).toMatchObject([
      { id: PLATFORM, name: 'platform', state: 'current', members: 0, pipelines: 1, failure: null },
      { id: RELEASE, name: 'release', state: 'current', members: 2, pipelines: 0, failure: null },
    ]);
    expect((await status()).buildkite_teams_api_token).toMatchObject({ scopes: ['read_teams'], failure: null });
    keydesk.buildkite.teams.all.splice(1, 1);
    await nextSweep(HOUR + MINUTE);
    expect((await status()).teams[1]).toMatchObject({ state: 'too_old', members: 2, failure: 'team_missing' });
    expect(await codes()).toEqual(expect.arrayContaining(['teams_too_old', 'teams_unreadable']));
    const lines = linesOf(await status()).filter((line) => line.startsWith('team '));
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(
      'release: 2 members, 0 pipelines, read 61 min ago, too old: not used; failed 0 s ago (team_missing)',
    );
    expect(lines[0]?.length).toBeLessThanOrEqual(120);
  });

  it('has a line for ten teams at most', async () => {
    await openWithTeams(12);
    await keydesk.sweep();
    const lines = linesOf(await status()).filter((line) => line.startsWith('team'));
    expect([lines.length, lines.at(-1)]).toEqual([11, expect.stringContaining('2 more')]);
  });

  it('says that the API token for teams is missing', async () => {
    await open({ settings: {} });
    await keydesk.sweep();
    expect(await codes()).toContain('no_teams_api_token');
  });
});
