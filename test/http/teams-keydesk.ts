// A Keydesk whose policy names Buildkite teams, and what tests of them do with it.

import { expect } from 'vitest';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
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

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
const STEP = 'approve';
export const idOf = (nth: number) => `00000000-0000-4000-8000-${String(nth).padStart(12, '0')}`;
export const [PLATFORM, RELEASE] = [idOf(1), idOf(2)];

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
export const NAMES = ['staging-config', 'staging-export', 'staging-admin'] as const;
const policy = (project: string) =>
  policyText(
    policyData(project, credentialsNamed(NAMES, project), {
      teams: { platform: PLATFORM, release: RELEASE, unused: idOf(3) },
      rules,
    }),
  );

export let keydesk: InProcessKeydesk;
export let platform: FakeTeam;
export let release: FakeTeam;
export let [ann, bob]: FakePerson[] = [];

/** With a policy that names no team. */
export async function openWithoutTeams() {
  keydesk = await openInProcessKeydesk({
    records: true,
    settings: { KEYDESK_BUILDKITE_TEAMS_API_TOKEN: TEAMS_API_TOKEN },
  });
}

/** With Ann and Bob in the team `release`, the pipeline in the team `platform`, and the policy on record. */
export async function open(options: Partial<Parameters<typeof openInProcessKeydesk>[0]> = {}) {
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
export const named = async () => (await keydesk.sweepDeps.deploymentLedger.namedTeams()).teams;
export const ledger = () => databaseOf(keydesk.project, 'ledger');
export const copyOf = async (id: string) => (await ledger().collection('teams').doc(id).get()).data();
export const teamRequests = () => keydesk.buildkite.teams.requests;
/** A sweep of a later minute. */
export async function nextSweep(later = MINUTE) {
  keydesk.clock.advance(later);
  return keydesk.sweep();
}
export const linesNamed = (swept: Awaited<ReturnType<typeof nextSweep>>, event: string) =>
  swept.audit.filter((line) => line.event === event);

/** In place of what Buildkite says of the team `release`. */
export function respond(reply: LocalReply) {
  keydesk.buildkite.teams.before = (path) => (path.includes(RELEASE) ? reply : undefined);
}

let builds = 100;
export async function newJob(): Promise<Job> {
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
export const requested = async (job: Job, credential: (typeof NAMES)[number]) => {
  const { status, reason } = await requestBy(job, credential);
  return reason === undefined ? status : `${status} ${reason}`;
};
/** Records that a person unblocked the step of the job's build, as a webhook does. */
export async function unblock(job: Job, by: FakePerson | undefined) {
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

/** A policy whose rules name this many teams, which exist, with a pipeline each. */
export async function openWithTeams(count: number, more: Partial<Parameters<typeof openInProcessKeydesk>[0]> = {}) {
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
export const idOfPath = (path: string) => path.split('/')[1] ?? '';
