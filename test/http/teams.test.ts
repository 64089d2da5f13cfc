// The Buildkite teams that rules name: read by the sweep, and used by `token` for as long as the copy is fresh.

import { afterEach, describe, expect, it } from 'vitest';
import type { FakePerson } from '../../sandbox/fakes/buildkite/teams.ts';
import { PIPELINE_ID } from '../fixtures/policies.ts';
import {
  ann,
  bob,
  copyOf,
  idOf,
  keydesk,
  ledger,
  linesNamed,
  MINUTE,
  named,
  newJob,
  nextSweep,
  open,
  openWithoutTeams,
  PLATFORM,
  platform,
  RELEASE,
  release,
  requested,
  respond,
  SECOND,
  teamRequests,
  unblock,
} from './teams-keydesk.ts';

afterEach(() => keydesk.close());

describe('the teams that rules name', () => {
  it('are recorded by token, and read by the next sweep, and no other team is', async () => {
    await open();
    expect((await named()).map(({ id, name }) => [id, name])).toEqual([
      [PLATFORM, 'platform'],
      [RELEASE, 'release'],
    ]);
    const begun_at = keydesk.clock.now();
    const swept = await keydesk.sweep();
    expect(linesNamed(swept, 'teams.read')).toMatchObject([
      { severity: 'INFO', teams_named: 2, teams_read: 2, buildkite_calls: 4, failed: 0 },
    ]);
    expect(linesNamed(swept, 'teams.stale')).toEqual([]);
    expect((await copyOf(RELEASE))?.members).toEqual([ann?.id, bob?.id].sort());
    expect((await copyOf(RELEASE))?.read_at.toMillis()).toBe(begun_at);
    expect((await copyOf(PLATFORM))?.pipelines).toEqual({ [PIPELINE_ID]: 'build_and_read' });
    expect(teamRequests().filter((path) => path.includes(idOf(3)))).toEqual([]);
    expect(swept.json.failed).toBe(0);
  });

  it('have copies as old as the beginning of their reading: somebody may have left since', async () => {
    await open();
    const begun_at = keydesk.clock.now();
    keydesk.buildkite.teams.before = (path) => {
      if (path.endsWith('/pipelines')) keydesk.clock.advance(2 * SECOND);
      return undefined;
    };
    await keydesk.sweep();
    const readAt = async (id: string) => (await copyOf(id))?.read_at.toMillis() - begun_at;
    expect([await readAt(PLATFORM), await readAt(RELEASE)]).toEqual([0, 2 * SECOND]);
  });

  it('keep the later copy when a sweep that was slow records an older one', async () => {
    await open();
    const { teamLedger } = keydesk.sweepDeps;
    const before = keydesk.clock.now();
    await nextSweep();
    const later = await copyOf(RELEASE);
    const [[, copy] = []] = (await teamLedger.teams([RELEASE])).teams;
    if (!copy) throw new Error('the team was not read');
    await teamLedger.record(RELEASE, { ...copy, read_at: before, members: [] });
    expect(await copyOf(RELEASE)).toEqual(later);
    await teamLedger.record(RELEASE, { ...copy, members: [] });
    expect((await copyOf(RELEASE))?.members).toEqual([]);
  });

  it('are not read where the policy names none, and no line says so', async () => {
    await openWithoutTeams();
    await keydesk.call(`${keydesk.tokenUrl}/health`);
    await expect.poll(async () => (await keydesk.sweepDeps.deploymentLedger.deployments()).deployments).toHaveLength(1);
    const swept = await keydesk.sweep();
    expect(swept.audit.map(({ event }) => event).filter((event) => event.startsWith('teams.'))).toEqual([]);
    expect(teamRequests()).toEqual([]);
  });

  it('are read every five minutes, and after a failure by the next sweep', async () => {
    await open();
    const readIn: number[] = [];
    for (let minute = 0; minute <= 10; minute += 1) {
      const swept = await nextSweep(minute === 0 ? 0 : MINUTE);
      if (linesNamed(swept, 'teams.read')[0]?.teams_read > 0) readIn.push(minute);
    }
    expect(readIn).toEqual([0, 5, 10]);
    keydesk.buildkite.teams.before = (path) => (path.includes(RELEASE) ? { status: 502 } : undefined);
    const failed = await nextSweep(5 * MINUTE);
    expect(linesNamed(failed, 'teams.read')).toMatchObject([{ severity: 'WARNING', teams_read: 1, failed: 1 }]);
    expect(linesNamed(failed, 'task.failed')).toMatchObject([
      { team_id: RELEASE, dependency: 'buildkite teams', code: 'error_response' },
    ]);
    keydesk.buildkite.teams.before = undefined;
    expect(linesNamed(await nextSweep(), 'teams.read')).toMatchObject([
      { teams_read: 1, buildkite_calls: 2, failed: 0 },
    ]);
    expect((await copyOf(RELEASE))?.failure).toBeNull();
  });
});

describe('a credential of a pipeline in a team', () => {
  it('is granted while the team has the access', async () => {
    await open();
    const job = await newJob();
    expect(await requested(job, 'staging-export')).toBe('503 conditions_unknown');
    await keydesk.sweep();
    expect(await requested(job, 'staging-export')).toBe(200);
    platform.pipelines.set(PIPELINE_ID, 'read_only');
    await nextSweep(5 * MINUTE);
    expect(await requested(job, 'staging-export')).toBe('400 no_matching_rule');
    platform.pipelines.clear();
    await nextSweep(5 * MINUTE);
    expect(await requested(job, 'staging-export')).toBe('400 no_matching_rule');
  });
});

describe('somebody who leaves a team', () => {
  it('between the approval and the request is no approver any more', async () => {
    await open();
    await keydesk.sweep();
    const job = await newJob();
    expect(await requested(job, 'staging-admin')).toBe('400 approval_pending');
    await unblock(job, ann);
    keydesk.buildkite.teams.leave(release, ann as FakePerson);
    await nextSweep(5 * MINUTE);
    expect(await requested(job, 'staging-admin')).toBe('400 approval_not_accepted');
  });

  it('after a token was issued ends the renewals, and keeps nobody else from anything', async () => {
    await open();
    await keydesk.sweep();
    const [first, second] = [await newJob(), await newJob()];
    await unblock(first, ann);
    await unblock(second, bob);
    for (const job of [first, second]) expect(await requested(job, 'staging-admin')).toBe(200);
    keydesk.buildkite.teams.leave(release, ann as FakePerson);
    // Not known yet.
    expect(await requested(first, 'staging-admin')).toBe(200);
    await nextSweep(5 * MINUTE);
    expect(await requested(first, 'staging-admin')).toBe('400 approval_not_accepted');
    expect(await requested(second, 'staging-admin')).toBe(200);
    keydesk.buildkite.teams.join(release, ann as FakePerson);
    await nextSweep(5 * MINUTE);
    expect(await requested(first, 'staging-admin')).toBe(200);
  });

  it('from the first page while the second is read costs nobody else more than a minute', async () => {
    await open();
    const { teams } = keydesk.buildkite;
    const people = Array.from({ length: 150 }, (_, nth) => teams.createPerson(`Person ${nth}`));
    for (const person of people) teams.join(release, person);
    await keydesk.sweep();
    await nextSweep();
    expect(await copyOf(RELEASE)).toMatchObject({ read_again: false });
    // Ann leaves in between. The entry that was the first of the second page is the last of the first one by then.
    teams.before = (path, query) => {
      if (path.endsWith(`${RELEASE}/members`) && query.get('page') === '2') teams.leave(release, ann as FakePerson);
      return undefined;
    };
    const moved = release.members[100]?.user.id;
    await nextSweep(5 * MINUTE);
    teams.before = undefined;
    // Ann was on the page that was read before she left. The one who moved is missing, and the team is read again.
    const copy = await copyOf(RELEASE);
    expect([copy?.members.length, copy?.members.includes(moved), copy?.read_again]).toEqual([151, false, true]);
    await nextSweep();
    const again = await copyOf(RELEASE);
    expect([again?.members.length, again?.members.includes(moved), again?.members.includes(ann?.id)]).toEqual([
      151,
      true,
      false,
    ]);
  });
});

describe('a directory that cannot be read', () => {
  it.each<[string, () => void, string]>([
    ['the team was deleted', () => keydesk.buildkite.teams.all.splice(1, 1), 'team_missing'],
    [
      'the team is secret, and the user of the API token no administrator',
      () => {
        keydesk.buildkite.teams.ownerIsAdministrator = false;
      },
      'team_missing',
    ],
    ['the response is no list', () => respond({ status: 200, json: { message: 'hello' } }), 'invalid_response'],
    ['the API token is refused', () => respond({ status: 401 }), 'refused'],
    ['the request is forbidden', () => respond({ status: 403 }), 'refused'],
    [
      'there were too many requests',
      () => respond({ status: 429, headers: { 'ratelimit-user-reset': '42' } }),
      'rate_limited',
    ],
    [
      'the response is very large',
      () => respond({ status: 200, text: `[${' '.repeat(9 * 1024 * 1024)}]` }),
      'response_too_large',
    ],
    ['the connection is lost', () => respond('cut'), 'unreachable'],
  ])('because %s keeps its last copy and says why', async (_, breakIt, code) => {
    await open();
    await keydesk.sweep();
    const before = await copyOf(RELEASE);
    breakIt();
    const swept = await nextSweep(5 * MINUTE);
    const failures = linesNamed(swept, 'task.failed');
    expect(failures.map((line) => [line.dependency, line.code])).toContainEqual(['buildkite teams', code]);
    // What concerns Buildkite as a whole ends the reading, so the other team has its turn with the next sweep.
    await nextSweep(5 * MINUTE);
    const copy = await copyOf(RELEASE);
    expect(copy).toMatchObject({ members: before?.members, read_at: before?.read_at, failure: code });
    const job = await newJob();
    await unblock(job, bob);
    expect(await requested(job, 'staging-admin')).toBe(200);
  });
  it('without an API token for teams says so at once', async () => {
    await open({ settings: {} });
    expect(linesNamed(await keydesk.sweep(), 'teams.stale')).toEqual([]);
    const swept = await nextSweep(5 * MINUTE + 1);
    expect(linesNamed(swept, 'teams.stale')).toMatchObject([{ severity: 'ERROR', teams_stale: 2, teams_too_old: 2 }]);
    expect(teamRequests()).toEqual([]);
    expect(await requested(await newJob(), 'staging-export')).toBe('503 conditions_unknown');
  });

  it('has a record that cannot be read is read again, and replaced', async () => {
    await open();
    await keydesk.sweep();
    await ledger().collection('teams').doc(PLATFORM).update({ members: 'everybody' });
    expect(await requested(await newJob(), 'staging-export')).toMatch(/^503/);
    const swept = await nextSweep();
    expect(linesNamed(swept, 'task.failed')).toMatchObject([{ dependency: 'ledger', code: 'unreadable_record' }]);
    expect(await requested(await newJob(), 'staging-export')).toBe(200);
  });
});
