// The Buildkite teams that rules name: read by the sweep, as far as its calls reach, and used by `token` for as long as the copy is fresh.

import { afterEach, describe, expect, it } from 'vitest';
import { linesOf } from '../../cli/commands/status.ts';
import type { Job } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { type FakePerson, type FakeTeam, TEAMS_API_TOKEN } from '../../sandbox/fakes/buildkite/teams.ts';
import type { LocalReply } from '../../sandbox/local-server.ts';
import { createBuildLedger } from '../../shared/ledger/conditions.ts';
import {
  databaseForJobs,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { credentialsNamed, PIPELINE_ID, policyData, policyText } from '../fixtures/policies.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const STEP = 'approve';
const idOf = (nth: number) => `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;
const [PLATFORM, RELEASE] = [idOf(1), idOf(2)];

/** Rules for the pipeline's team, for an approval, and for everybody. */
const rules = [
  {
    name: 'of the platform team',
    match: { pipeline_slug: 'app', team: { name: 'platform', access: 'build_and_read' } },
    grants: ['staging-export'],
  },
  {
    name: 'approved',
    match: { pipeline_slug: 'app' },
    approval: { step: STEP, by: 'release', within: '4h' },
    grants: ['staging-admin'],
  },
  { name: 'for everybody', match: { pipeline_slug: 'app' }, grants: ['staging-config'] },
];
const NAMES = ['staging-config', 'staging-export', 'staging-admin'] as const;
const policy = (project: string) =>
  policyText(
    policyData(project, credentialsNamed(NAMES, project), {
      teams: { platform: PLATFORM, release: RELEASE, unused: idOf(3) },
      rules,
    }),
  );

let keydesk: InProcessKeydesk;
let platform: FakeTeam;
let release: FakeTeam;
let [ann, bob]: FakePerson[] = [];
afterEach(() => keydesk.close());

/** With Ann and Bob in the team `release`, the pipeline in the team `platform`, and the policy on record. */
async function open(options: Partial<Parameters<typeof openInProcessKeydesk>[0]> = {}) {
  keydesk = await openInProcessKeydesk({
    ...{ policy, records: true, settings: { KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN } },
    ...options,
  });
  const { teams } = keydesk.buildkite;
  platform = teams.createTeam('platform', { id: PLATFORM });
  release = teams.createTeam('release', { id: RELEASE, privacy: 'secret' });
  [ann, bob] = ['Ann', 'Bob'].map(teams.createPerson) as [FakePerson, FakePerson];
  for (const person of [ann, bob]) teams.join(release, person as FakePerson);
  platform.pipelines.set(PIPELINE_ID, 'build_and_read');
  await keydesk.call(`${keydesk.tokenUrl}/health`);
  await expect.poll(async () => (await named()).length).toBeGreaterThan(0);
}
const named = async () => (await keydesk.sweepDeps.deploymentLedger.namedTeams()).teams;
const ledger = () => databaseOf(keydesk.project, 'ledger');
const copyOf = async (id: string) => (await ledger().collection('teams').doc(id).get()).data();
const teamRequests = () => keydesk.buildkite.teams.requests;
/** A sweep of a later minute. */
async function nextSweep(later = MINUTE) {
  keydesk.clock.advance(later);
  return keydesk.sweep();
}
const linesNamed = (swept: Awaited<ReturnType<typeof nextSweep>>, event: string) =>
  swept.audit.filter((line) => line.event === event);

/** In place of what Buildkite says of the team `release`. */
function respond(reply: LocalReply) {
  keydesk.buildkite.teams.before = (path) => (path.includes(RELEASE) ? reply : undefined);
}

let builds = 100;
async function newJob(): Promise<Job> {
  builds += 1;
  return keydesk.buildkite.startJob({ build_number: builds });
}
async function requestBy(job: Job, credential: (typeof NAMES)[number]) {
  const issuedAt = Math.floor(keydesk.clock.now() / SECOND);
  const { status, json, audit } = await keydesk.requestByForm(
    await keydesk.buildkite.jobToken(job, { issuedAt }),
    credential,
  );
  return { status, json, reason: audit.find(({ event }) => event === 'grant.refused')?.reason };
}
const requested = async (job: Job, credential: (typeof NAMES)[number]) => {
  const { status, reason } = await requestBy(job, credential);
  return reason === undefined ? status : `${status} ${reason}`;
};
/** Records that a person unblocked the step of the job's build, as a webhook does. */
async function unblock(job: Job, by: FakePerson | undefined) {
  const { build_number } = keydesk.buildkite.claimsOf(job) as { build_number: number };
  const builds = createBuildLedger(databaseForJobs(keydesk.project, 'ledger'), keydesk.clock);
  await builds.addNews({
    ...{ pipeline_id: PIPELINE_ID, build_number },
    unblocks: [
      {
        ...{ job_id: idOf(build_number), step_key: STEP, step_id: 'step', unblocked_by: by?.id ?? null },
        unblocked_at: keydesk.clock.now(),
      },
    ],
  });
}

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

  it('are not read where the policy names none, and no line says so', async () => {
    keydesk = await openInProcessKeydesk({
      records: true,
      settings: { KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN },
    });
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
  it('for an hour is used until it is too old; then what needs it is refused, and all else is granted', async () => {
    await open();
    await keydesk.sweep();
    keydesk.buildkite.teams.before = () => ({ status: 503 });
    const severities: (string | undefined)[] = [];
    const granted: unknown[] = [];
    for (let minute = 1; minute <= 62; minute += 1) {
      const swept = await nextSweep();
      severities.push(linesNamed(swept, 'teams.stale')[0]?.severity);
      expect(swept.status).toBe(200);
      if (minute % 10 === 0 || minute > 58)
        granted.push([
          minute,
          await requested(await newJob(), 'staging-export'),
          await requested(await newJob(), 'staging-config'),
        ]);
    }
    expect(severities).toEqual([
      ...Array.from({ length: 30 }, () => undefined),
      ...Array.from({ length: 30 }, () => 'WARNING'),
      ...['ERROR', 'ERROR'],
    ]);
    expect(granted).toEqual([
      ...[10, 20, 30, 40, 50, 59, 60].map((minute) => [minute, 200, 200]),
      ...[61, 62].map((minute) => [minute, '503 conditions_unknown', 200]),
    ]);
    const copy = await copyOf(PLATFORM);
    expect([copy?.failure, copy?.pipelines]).toEqual(['error_response', { [PIPELINE_ID]: 'build_and_read' }]);
    keydesk.buildkite.teams.before = undefined;
    const swept = await nextSweep();
    expect(linesNamed(swept, 'teams.stale')).toEqual([]);
    expect(await requested(await newJob(), 'staging-export')).toBe(200);
  });

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

/** A policy whose rules name this many teams, which exist, with a pipeline each. */
async function openWithTeams(count: number, more: Partial<Parameters<typeof openInProcessKeydesk>[0]> = {}) {
  const names = Array.from({ length: count }, (_, nth) => [`team-${nth}`, idOf(100 + nth)] as const);
  keydesk = await openInProcessKeydesk({
    records: true,
    settings: { KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN },
    policy: (project) =>
      policyText(
        policyData(project, credentialsNamed(NAMES, project), {
          teams: Object.fromEntries(names),
          rules: [
            { name: 'for everybody', match: { pipeline_slug: 'app' }, grants: [...NAMES] },
            ...names.map(([name]) => ({
              ...{ name, match: { pipeline_slug: 'app', team: { name } }, grants: ['staging-config'] },
            })),
          ],
        }),
      ),
    ...more,
  });
  for (const [name, id] of names) keydesk.buildkite.teams.createTeam(name, { id });
  await keydesk.call(`${keydesk.tokenUrl}/health`);
  await expect.poll(async () => (await named()).length).toBe(count);
}
const idOfPath = (path: string) => path.split('/')[1] ?? '';

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
