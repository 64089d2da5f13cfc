// What one run of a crash test takes place in: a ledger, Google's truth, a clock, jobs, and the processes of Keydesk, put
// together from the same parts as functions/*.ts, over a database and a network that can be cut off from them.

import type { Firestore } from '@google-cloud/firestore';
import { inject } from 'vitest';
import { API_TOKEN, type Job } from '../../sandbox/buildkite/buildkite.ts';
import { createJobStateReader } from '../../shared/buildkite/job-state.ts';
import type { JobClaims } from '../../shared/core/claims.ts';
import { grantId, tokenSha256 } from '../../shared/core/grant-id.ts';
import { endGrant, endJob } from '../../shared/end-job.ts';
import { createAccountStateReader } from '../../shared/google/account-state.ts';
import { createAccountDisabler } from '../../shared/google/disable-account.ts';
import { createAccountEnabler } from '../../shared/google/enable-account.ts';
import { createMint } from '../../shared/google/mint.ts';
import { type HandOut, handOut } from '../../shared/hand-out.ts';
import { throwKillSwitch } from '../../shared/kill-switch.ts';
import { createEndingLedger } from '../../shared/ledger/ending-ledger.ts';
import { createDatabaseOpener } from '../../shared/ledger/firestore-client.ts';
import { createGrantDocumentCloser, createGrantDocumentOpener } from '../../shared/ledger/grant-document.ts';
import { createIssuingLedger, type IssuingLedger } from '../../shared/ledger/issuing-ledger.ts';
import { createKillLedger } from '../../shared/ledger/kill-ledger.ts';
import { createSweepLedger } from '../../shared/ledger/sweep-ledger.ts';
import { createTokenLookup } from '../../shared/ledger/token-lookup.ts';
import { type Ask, ask } from '../../shared/outgoing.ts';
import { type LoadedPolicy, parsePolicyText } from '../../shared/policy-text.ts';
import type { RevokeParts } from '../../shared/revoke.ts';
import { sweep } from '../../shared/sweep.ts';
import type { SweepParts } from '../../shared/sweep-step.ts';
import { jobClaims } from '../fixtures/job-claims.ts';
import { cutFirestore } from './cut-firestore.ts';
import { type Cut, CutProcess, Cutting } from './cut-process.ts';
import { accountsOf, type Identity, type Lane } from './lanes.ts';

const MINUTE = 60_000;
export type CredentialName = 'config' | 'export' | 'admin' | 'cache';

export interface CrashJob {
  readonly id: string;
  readonly pipeline: string;
  readonly credential: CredentialName;
  readonly grant_id: string;
  readonly atBuildkite: Job;
}

/** A service account's token, whether or not it left Keydesk. Times are milliseconds since the epoch. */
export interface MintedToken {
  readonly accessToken: string;
  readonly account: string;
  readonly job_id: string;
  readonly at: number;
  readonly expiresAt: number;
}

/** A token that a job was given. */
export interface GivenToken {
  readonly job: CrashJob;
  readonly sha256: string;
  readonly accessToken: string;
  readonly expires_at: number;
}

/** Parts in which a test puts a defect. */
export interface Defects {
  readonly issuing?: (ledger: IssuingLedger) => IssuingLedger;
  readonly ending?: (parts: RevokeParts, ledger: Firestore) => RevokeParts;
  readonly sweeping?: (parts: SweepParts, ledger: Firestore) => SweepParts;
}

/** What one process of Keydesk can be asked for. */
export interface Desk {
  handOut(job: CrashJob): Promise<HandOut>;
  endJob(job: CrashJob): Promise<unknown>;
  returnToken(accessToken: string): Promise<unknown>;
  kill(id: string): Promise<unknown>;
  sweep(): ReturnType<typeof sweep>;
}

export class World {
  readonly project: string;
  readonly lane: Lane;
  readonly ledger: Firestore;
  readonly jobs: CrashJob[] = [];
  readonly given: GivenToken[] = [];
  readonly minted: MintedToken[] = [];
  /** What became of some of them, narrowed to a bucket. */
  readonly narrowed: MintedToken[] = [];
  /** Whether sweeps have an API token for Buildkite. */
  asksBuildkite = false;
  /** How much Google had found unexpected before this run. */
  readonly unexpectedBefore: number;
  readonly #policy: LoadedPolicy;
  readonly #defects: Defects;

  static async within<T>(lane: Lane, defects: Defects, work: (world: World) => Promise<T>): Promise<T> {
    const world = new World(lane, defects);
    try {
      return await work(world);
    } finally {
      await world.ledger.terminate();
    }
  }

  private constructor(lane: Lane, defects: Defects) {
    const project = lane.projects.pop();
    if (project === undefined) throw new Error('the lane has no projects left');
    this.project = project;
    this.lane = lane;
    this.unexpectedBefore = lane.google.unexpected.length;
    this.#defects = defects;
    lane.clock.now = Math.ceil(Date.now() / MINUTE) * MINUTE;
    process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
    this.ledger = createDatabaseOpener(true)({ project, database: '(default)' });
    const policy = parsePolicyText(policyText(project), 'policy.yaml');
    if ('problems' in policy) throw new Error(policy.problems.join('\n'));
    this.#policy = policy;
  }

  get accounts(): readonly string[] {
    const { pool, narrowedPool } = accountsOf(this.project);
    return [...pool, ...narrowedPool];
  }

  later(minutes: number): void {
    this.lane.clock.now += minutes * MINUTE;
  }

  job(credential: CredentialName, pipeline = 'app'): CrashJob {
    const atBuildkite = this.lane.buildkite.startJob();
    const { id } = atBuildkite;
    const job = { id, pipeline, credential, grant_id: grantId(id, credential), atBuildkite };
    this.jobs.push(job);
    return job;
  }

  /** Disables an account, as an operator does by hand. */
  async disable(account: string): Promise<void> {
    const { google, identities } = this.lane;
    const headers = { authorization: `Bearer ${identities.operator}` };
    const url = `${google.url}/v1/projects/${this.project}/serviceAccounts/${account}:disable`;
    const answer = await fetch(url, { method: 'POST', headers });
    if (!answer.ok) throw new Error(`could not be disabled: ${answer.status}`);
    await answer.body?.cancel();
  }

  /** A whole process of its own that nothing happens to. */
  async whole<T>(work: (desk: Desk) => Promise<T>): Promise<T> {
    const ran = await this.processOf(undefined, work);
    if (ran === 'cut off') throw new Error('a process that was not to be cut off was');
    return ran.returned;
  }

  /** A process that is cut off there. */
  async cutOff(cut: Cut, work: (desk: Desk) => Promise<unknown>): Promise<void> {
    const ran = await this.processOf(new Cutting(cut), work);
    if (ran !== 'cut off') throw new Error(`a process that was to be cut off ${cut.side} ${cut.operation} was not`);
  }

  processOf<T>(cutting: Cutting | undefined, work: (desk: Desk) => Promise<T>) {
    const process = new CutProcess(cutting);
    return process.run(() => work(this.#desk(process)));
  }

  #desk(process: CutProcess): Desk {
    const { google, buildkite, now } = this.lane;
    const ledger = cutFirestore(this.ledger, process);
    const openDatabase = () => ledger;
    const outgoing: Ask = (request) => process.operation(request.what, () => this.#ask(request));
    const askAs =
      (identity: Identity): Ask =>
      (request) => {
        const authorization = `Bearer ${this.lane.identities[identity]}`;
        return outgoing({ ...request, headers: { ...request.headers, authorization } });
      };
    const ending = (identity: Identity): RevokeParts => {
      const parts = {
        ledger: createEndingLedger(ledger, now),
        closeGrantDocument: createGrantDocumentCloser(openDatabase),
        disableAccount: createAccountDisabler(askAs(identity), google.url),
        now,
      };
      return this.#defects.ending?.(parts, ledger) ?? parts;
    };
    const issuing = () => {
      const issuingLedger = createIssuingLedger(ledger, now);
      return {
        policy: this.#policy,
        verifyJobToken: async (jobToken: string) => ({ claims: claimsOf(jobToken) }),
        ledger: this.#defects.issuing?.(issuingLedger) ?? issuingLedger,
        openGrantDocument: createGrantDocumentOpener(openDatabase),
        mint: createMint({
          askAsService: askAs('token'),
          ask: outgoing,
          iamCredentialsUrl: google.url,
          stsUrl: google.url,
          identityToolkitUrl: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
          now,
        }),
        now,
      };
    };
    const sweeping = (): SweepParts => {
      const parts = {
        ...ending('sweep'),
        sweepLedger: createSweepLedger(ledger, now),
        enableAccount: createAccountEnabler(askAs('sweep'), google.url),
        stateOfAccount: createAccountStateReader(askAs('sweep'), google.url),
        askJobState: this.asksBuildkite
          ? createJobStateReader({ ask: outgoing, apiUrl: buildkite.url, apiToken: API_TOKEN })
          : undefined,
      };
      return this.#defects.sweeping?.(parts, ledger) ?? parts;
    };

    return {
      handOut: async (job) => {
        const asked = { jobToken: `${job.pipeline}/${job.id}`, credentialName: job.credential };
        const handed = await handOut(issuing(), { ...asked, scopes: [], lifetime: undefined });
        if (handed.outcome === 'issued' && process.alive) {
          const { token_sha256: sha256, accessToken, expires_at } = handed;
          this.given.push({ job, sha256, accessToken, expires_at });
        }
        return handed;
      },
      endJob: (job) => endJob(ending('webhook'), { job_id: job.id, pipeline_id: undefined, by: 'job.finished' }),
      returnToken: async (accessToken) => {
        const grant = await createTokenLookup(ledger)(tokenSha256(accessToken));
        if (grant) await endGrant(ending('token'), grant, { by: 'early_return' });
      },
      kill: (id) => {
        const act = { selector: { pipeline_slug: 'app' }, by: 'operator', reason: 'crash test', bars: true };
        return throwKillSwitch({ ...ending('operator'), killLedger: createKillLedger(ledger, now) }, id, act);
      },
      sweep: () => sweep(sweeping()),
    };
  }

  /** Asks for real, and keeps what Google minted, also when its answer will not arrive. */
  async #ask(request: Parameters<Ask>[0]): ReturnType<Ask> {
    const answer = await ask(request);
    const { accessToken, access_token } = (answer.json ?? {}) as { accessToken?: string; access_token?: string };
    const parent = this.minted.find((minted) => minted.accessToken === request.form?.subject_token);
    if (access_token !== undefined && parent) this.narrowed.push({ ...parent, accessToken: access_token });
    const [, account = ''] = /serviceAccounts\/(.+):generateAccessToken$/.exec(decodeURIComponent(request.url)) ?? [];
    const token = this.lane.google.minted.findLast((minted) => minted.account === account);
    if (accessToken !== undefined && token) {
      const job_id = request.headers?.['x-goog-request-reason']?.replace('buildkite-job/', '') ?? '';
      this.minted.push({ ...token, accessToken, job_id });
    }
    return answer;
  }
}

/** In place of a job token, which Buildkite alone can make: the pipeline and the job. */
function claimsOf(jobToken: string): JobClaims {
  const [pipeline_slug = '', job_id = ''] = jobToken.split('/');
  return jobClaims({ pipeline_slug, job_id });
}

function policyText(project: string): string {
  const { pool, narrowedPool, shared, signer } = accountsOf(project);
  const scopes = '[https://www.googleapis.com/auth/cloud-platform]';
  return `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
credentials:
  config:
    environment: staging
    ttl: 10m
    firestore:
      project: ${project}
      apiKey: web-key
      signer: ${signer}
      allow: [{ path: "config/{document=**}", verbs: [read, write] }]
  export: { environment: staging, ttl: 10m, serviceAccount: { email: ${shared}, scopes: ${scopes} } }
  admin: { environment: staging, ttl: 10m, serviceAccount: { pool: [${pool.join(', ')}], scopes: ${scopes} } }
  cache:
    environment: staging
    ttl: 10m
    storage: { pool: [${narrowedPool.join(', ')}], bucket: acme-cache, prefix: warm/, role: roles/storage.objectUser }
rules:
  - { name: everything, job: { pipeline_slug: [app, rival] }, grants: [config, export, admin, cache] }
`;
}
