// What a search is about: the jobs, credentials and accounts there are, how much may happen, and the functions that decide.

import type { IssueRequest } from '../../../shared/core/grant/reserve.ts';
import { toSubject } from '../../../shared/core/subject/buildkite-job.ts';
import { COLD_DEADLINE_MS, LATE_REQUEST_MS } from '../../../shared/core/timing.ts';
import { type CredentialName, claimsOf, createSetting, jobId } from '../setting.ts';
import type { Instance, Issue, Party } from './process.ts';
import type { Budget, State } from './state.ts';
import type { Transitions } from './transitions.ts';

const TTL_MINUTES = 10;
export const TTL_MS = TTL_MINUTES * 60_000;
const BEGINNING = Date.UTC(2026, 0, 5, 9);

/** For how long Google may carry out a request that was sent before its time was up and has no response. */
export const LATEST_CALL_MS = COLD_DEADLINE_MS + LATE_REQUEST_MS;

export interface Bounds {
  readonly name: string;
  /** How many jobs there are, and what each may request. */
  readonly jobs: number;
  readonly credentials: readonly CredentialName[];
  /** Accounts in the pool of `admin`. */
  readonly pool: number;
  readonly budget: Partial<Budget>;
  /** Steps of sweeps that are under way at once. */
  readonly sweeps: number;
  /** Whether sweeps look at accounts in cooldown. */
  readonly rechecks?: boolean;
  /** Processes that are under way at once. */
  readonly processes: number;
  /** The clocks of a function's instances: by how many milliseconds each is fast; slow where that is negative. */
  readonly skews?: Readonly<Partial<Record<Party, readonly number[]>>>;
}

export interface Model {
  readonly bounds: Bounds;
  readonly transitions: Transitions;
  readonly jobs: readonly string[];
  readonly pool: readonly string[];
  /** The skews that occur, each once. */
  readonly clocks: readonly number[];
  /** What may begin a process of the function: an instance with each of its clocks. */
  readonly instancesOf: <P extends Party>(party: P) => readonly Instance<P>[];
  readonly requestFor: (job: string, credential: string) => IssueRequest;
}

export function createModel(bounds: Bounds, transitions: Transitions): Model {
  const pool = Array.from({ length: bounds.pool }, (_, at) => `pool-${at + 1}`);
  const ttl = { config: TTL_MINUTES, export: TTL_MINUTES, admin: TTL_MINUTES, cache: TTL_MINUTES };
  const { policy, pools } = createSetting({ pool: pool.length > 0 ? pool : ['unused'], ttl });
  const jobs = Array.from({ length: bounds.jobs }, (_, at) => jobId(at, 1));
  const requests = new Map<string, IssueRequest>();
  for (const job of jobs)
    for (const credentialName of bounds.credentials) {
      const credential = policy.policy.credentials[credentialName];
      if (!credential) throw new Error(`the setting has no credential ${credentialName}`);
      requests.set(`${job} ${credentialName}`, {
        subject: toSubject(claimsOf(job)),
        credentialName,
        credential,
        rule: 'all',
        policySha256: policy.sha256,
        conditions: null,
        ttl: TTL_MS / 1000,
        // No bound of the policy is reached: they would only keep states out.
        limits: { tokensPerMinute: 600, liveGrantsPerPipeline: 100_000 },
      });
    }
  return {
    bounds,
    transitions,
    jobs,
    pool: bounds.pool > 0 ? (pools.get('admin') ?? []) : [],
    clocks: [...new Set([0, ...Object.values(bounds.skews ?? {}).flat()])],
    instancesOf: (party) => bounds.skews?.[party]?.map((skew) => ({ party, skew })) ?? [{ party, skew: 0 }],
    requestFor: (job, credential) => {
      const request = requests.get(`${job} ${credential}`);
      if (!request) throw new Error(`no job ${job} requests ${credential}`);
      return request;
    },
  };
}

const NOTHING = { requests: 0, webhooks: 0, kills: 0, releases: 0, crashes: 0, faults: 0, waits: 0 };

export function firstState({ bounds }: Model): State {
  return {
    now: BEGINNING,
    next: 0,
    grants: {},
    jobs: {},
    accounts: {},
    documents: {},
    blocks: [],
    disabled: [],
    tokens: [],
    late: [],
    processes: [],
    finished: [],
    killing: null,
    budget: { ...NOTHING, freezes: Number.POSITIVE_INFINITY, ...bounds.budget },
  };
}

/** The time on an instance's clock. */
export function nowOf({ now }: State, { skew }: Instance): number {
  return now + skew;
}

/** A name of the job for people. */
export function jobName({ jobs }: Model, job: string): string {
  return `job ${jobs.indexOf(job) + 1}`;
}

export function requestName(model: Model, { job, credential }: Issue): string {
  return `request of ${jobName(model, job)} for ${credential}`;
}
