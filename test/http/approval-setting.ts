// A Keydesk whose policy has rules with an approval and with a creator, a team of three people, and builds with a block step.

import { afterEach, expect } from 'vitest';
import type { FakeBlockStep, FakeBuild, FakeUser } from '../../sandbox/fakes/buildkite/builds.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import { BUILD_RETENTION_MS } from '../../shared/core/timing.ts';
import { createTeamLedger } from '../../shared/ledger/conditions.ts';
import {
  databaseForJobs,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import {
  credentialsNamed,
  type Data,
  ORGANIZATION_ID,
  PIPELINE_ID,
  policyData,
  policyText,
} from '../fixtures/policies.ts';

export const STEP = 'approve-production';
const MANAGERS = '0184990a-4782-42b5-afc1-16715b10c001';
/** Starts builds. Of the team. */
export const ANNE: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483ca1', name: 'Anne' };
/** Approves them. Of the team. */
export const BERT: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483cb2', name: 'Bert' };
/** Also of the team. */
export const CARL: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483cc3', name: 'Carl' };
/** Of another one. */
export const DORA: FakeUser = { id: '0184990a-477b-4fa8-9968-496074483cd4', name: 'Dora' };
export const APP = { slug: 'app', id: PIPELINE_ID };
/** Grants after an approval, and by who started the build. */
const APPROVED = 'staging-config';
export const CREATED = 'staging-export';

const policyOf = (project: string): Data => {
  const match = { pipeline: 'app', build_source: ['ui', 'api'] };
  return policyData(project, credentialsNamed([APPROVED, CREATED], project), {
    organization: { slug: 'acme-inc', id: ORGANIZATION_ID },
    pipelines: { app: PIPELINE_ID },
    teams: { managers: MANAGERS },
    limits: { teamsMaxAge: '24h' },
    rules: [
      {
        ...{ name: 'approved', match, grants: [APPROVED] },
        approval: { step: STEP, by: 'managers', within: '4h', not: 'creator' },
      },
      { name: 'by a manager', match: { ...match, created_by: { team: 'managers' } }, grants: [CREATED] },
    ],
  });
};

export interface ApprovalSetting {
  readonly keydesk: InProcessKeydesk;
  /** A build by Anne with one block step that is blocked, and a job of it that waits. */
  start(options?: Parameters<InProcessKeydesk['buildkite']['builds']['start']>[0]): {
    readonly build: FakeBuild;
    readonly step: FakeBlockStep;
    readonly job: Job;
  };
  request(job: Job, credential?: string): ReturnType<InProcessKeydesk['requestByPath']>;
  /** The webhook that a step was unblocked. */
  notifyOf(build: FakeBuild, step: FakeBlockStep): ReturnType<InProcessKeydesk['notify']>;
  /** The stored record of the build. */
  recordOf(build: FakeBuild): Promise<Record<string, unknown> | undefined>;
  later(milliseconds: number): void;
}

/** @param edit changes the data of the policy */
export async function openApprovalSetting(
  settings: Record<string, string> = {},
  edit: (policy: Data) => Data = (policy) => policy,
): Promise<ApprovalSetting> {
  const keydesk = await openInProcessKeydesk({ policy: (project) => policyText(edit(policyOf(project))), settings });
  const { buildkite, clock, project } = keydesk;
  buildkite.builds.people.push(ANNE, BERT, CARL, DORA);
  await createTeamLedger(databaseForJobs(project, 'ledger'), clock).record(MANAGERS, {
    ...{ members: [ANNE.id, BERT.id, CARL.id], pipelines: {}, read_at: clock.now(), read_again: false },
    ...{ failure: null, failed_at: null },
    delete_at: clock.now() + BUILD_RETENTION_MS,
  });
  return {
    keydesk,
    start: (options = {}) => {
      const build = buildkite.builds.start({ creator: ANNE, ...options });
      const step = buildkite.builds.addBlockStep(build, STEP);
      return { build, step, job: buildkite.startJob(buildkite.builds.claimsOf(build)) };
    },
    request: async (job, credential = APPROVED) =>
      keydesk.requestByPath(await buildkite.jobToken(job, { issuedAt: Math.floor(clock.now() / 1000) }), credential),
    notifyOf: (build, step) => keydesk.notify(buildkite.builds.stepEvent(build, step)),
    recordOf: async ({ pipeline, number }) =>
      (await databaseOf(project, 'ledger').collection('builds').doc(`${pipeline.id}_${number}`).get()).data(),
    later: (milliseconds) => {
      clock.advance(milliseconds);
    },
  };
}

/** The setting of the test that runs: `open` opens it, and after the test it is closed. For the top of a file. */
export function settingOfEachTest() {
  let setting: ApprovalSetting;
  afterEach(async () => {
    expect(setting.keydesk.google.unexpected).toEqual([]);
    await setting.keydesk.close();
  });
  const keydesk = () => setting.keydesk;
  const request: ApprovalSetting['request'] = (...given) => setting.request(...given);
  const notifyOf: ApprovalSetting['notifyOf'] = (...given) => setting.notifyOf(...given);
  const recordOf: ApprovalSetting['recordOf'] = (...given) => setting.recordOf(...given);
  const start: ApprovalSetting['start'] = (...given) => setting.start(...given);
  const later: ApprovalSetting['later'] = (...given) => setting.later(...given);
  const open = async (settings?: Record<string, string>) => {
    setting = await openApprovalSetting(settings);
  };
  const builds = () => keydesk().buildkite.builds;
  const sweep = () => keydesk().sweep();
  return { open, keydesk, request, notifyOf, recordOf, start, later, builds, sweep };
}

export const unblockedLines = (audit: readonly { readonly event: string }[]) =>
  audit.filter(({ event }) => event === 'build.unblocked');
