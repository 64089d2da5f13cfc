// What one run of a crash test takes place in: a ledger, Google's truth, a clock, jobs, and the processes of Keydesk, each
// composed as it is deployed, over a database and a network that can be cut off from it.

import { tokenSha256 } from '../../../shared/core/grant/id.ts';
import { endGrant, endJob } from '../../../shared/operations/end-job.ts';
import { type IssueResult, issueToken } from '../../../shared/operations/issue-token.ts';
import { activateKillSwitch } from '../../../shared/operations/kill-switch.ts';
import { type SweepResult, sweep } from '../../../shared/operations/sweep.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { HttpClient } from '../../../shared/runtime/http-client.ts';
import { Google } from '../google.ts';
import { composeKeydesk, type Keydesk } from '../keydesk.ts';
import { Oracle } from '../oracle.ts';
import { type CredentialName, jobId, PIPELINE_ID, SCARCE } from '../setting.ts';
import { World } from '../world.ts';
import { cutFirestore } from './cut-firestore.ts';
import { type Cut, CutProcess, Cutting } from './cut-process.ts';
import { type CrashLedger, KILL_ID } from './ledgers.ts';

const MINUTE = 60_000;
/** Seconds for which tokens are asked for. */
const LIFETIME = 600;
const SEED = 20260105;
const SLOTS = { deploy: 0, release: 2 };

export interface CrashJob {
  readonly id: string;
  readonly pipeline: keyof typeof SLOTS;
  readonly credential: CredentialName;
}

/** Puts a defect into what a process is composed of, for tests of the tests. */
export type Defect = (keydesk: Keydesk, openDatabase: CrashLedger['openDatabase']) => Keydesk;

/** What one process of Keydesk can be asked for. */
export interface Running {
  issueToken(job: CrashJob): Promise<IssueResult>;
  endJob(job: CrashJob): Promise<unknown>;
  releaseToken(accessToken: string): Promise<unknown>;
  kill(): Promise<unknown>;
  sweep(): Promise<SweepResult>;
}

export class Run {
  readonly world = new World(SEED, new Map());
  readonly google = new Google(this.world, SCARCE.accounts);
  readonly oracle: Oracle;
  readonly jobs: CrashJob[] = [];
  /** Whether sweeps have an API token for Buildkite. */
  callsBuildkite = false;
  readonly #ledger: CrashLedger;
  readonly #defect: Defect | undefined;

  constructor(ledger: CrashLedger, defect?: Defect) {
    this.#ledger = ledger;
    this.#defect = defect;
    this.oracle = new Oracle(this.world, this.google, ledger.dumps);
  }

  /** Lets time pass. */
  later(minutes: number): Promise<void> {
    return this.world.pass(minutes * MINUTE);
  }

  job(credential: CredentialName, pipeline: CrashJob['pipeline'] = 'deploy'): CrashJob {
    const job: CrashJob = { id: jobId(SLOTS[pipeline], this.jobs.length), pipeline, credential };
    this.jobs.push(job);
    return job;
  }

  /** Looks at what is stored, and throws when anything that was promised is not so. */
  async inspect(): Promise<void> {
    await this.#look();
    this.world.throwIfViolated();
  }

  /** A whole process of its own that nothing happens to. */
  async whole<T>(work: (running: Running) => Promise<T>): Promise<T> {
    const ran = await this.processOf(undefined, work);
    if (ran === 'cut off') throw new Error('a process that was not to be cut off was');
    return ran.returned;
  }

  /** A process that is cut off there. */
  async cutOff(cut: Cut, work: (running: Running) => Promise<unknown>): Promise<void> {
    const ran = await this.processOf(new Cutting(cut), work);
    if (ran !== 'cut off') throw new Error(`a process that was to be cut off ${cut.side} ${cut.operation} was not`);
  }

  async processOf<T>(cutting: Cutting | undefined, work: (running: Running) => Promise<T>) {
    const process = new CutProcess(cutting);
    const over: (() => void)[] = [];
    const ran = await process.run(() => work(this.#running(process, over)));
    for (const request of over) request();
    return ran;
  }

  async #look(): Promise<void> {
    await this.#ledger.read(this.jobs);
    this.oracle.observe();
  }

  #running(process: CutProcess, over: (() => void)[]): Running {
    const { world, google, oracle } = this;
    // Each look at the clock takes a millisecond, so that nothing is at once.
    const now = () => {
      world.elapse(1);
      return world.now();
    };
    const clock: Clock = { now, sleep: world.sleep, random: world.random };
    const openDatabase: CrashLedger['openDatabase'] = (name) =>
      cutFirestore(this.#ledger.openDatabase(name), process, () => this.#look());
    const outgoing =
      (sendRequest: HttpClient): HttpClient =>
      (request) =>
        process.operation(request.dependency, () => sendRequest(request));
    const composed = composeKeydesk({
      clockOf: () => clock,
      policy: SCARCE.policy,
      openDatabase,
      sendRequest: outgoing(google.sendRequest),
      sendAs: (identity) => outgoing(google.sendAs(identity)),
      callsBuildkite: this.callsBuildkite,
    });
    const { tokenDeps, releaseDeps, webhookDeps, sweepDeps, killSwitchDeps } =
      this.#defect?.(composed, openDatabase) ?? composed;
    return {
      issueToken: async ({ id, credential }) => {
        over.push(oracle.requested(id));
        const requested = { jobToken: id, credentialName: credential, scopes: [], lifetime: LIFETIME };
        const issued = await issueToken(tokenDeps, requested, 'request');
        if (issued.outcome === 'issued' && process.alive) {
          const { accessToken, ...reported } = issued;
          oracle.issued(issued.grant_id, accessToken, issued.expires_at);
          oracle.reported(reported);
        }
        return issued;
      },
      endJob: ({ id }) => {
        google.finishedJobs.add(id);
        return endJob(webhookDeps, { job_id: id, pipeline_id: PIPELINE_ID, by: 'job.finished' });
      },
      releaseToken: async (accessToken) => {
        const grant = await releaseDeps.lookUpToken(tokenSha256(accessToken));
        if (grant) await endGrant(releaseDeps, grant, { by: 'released' });
      },
      kill: () => {
        const act = {
          selector: { pipeline_slug: 'deploy' },
          actor: 'operator',
          reason: 'crash test',
          blocks_new: true,
        };
        return activateKillSwitch(killSwitchDeps, KILL_ID, act);
      },
      sweep: () => sweep(sweepDeps),
    };
  }
}
