// A pool under load: many jobs want an account of a small pool at once, and each requests one until it has it, waiting as
// long as the response says. The benchmark checks that no account is shared and that every job is served. It measures the cost
// against tokens that need no lease. Keydesk is composed as it is deployed, over the real Firestore emulator and the fake Google.
// Waiting is in simulated time, work in real time.

import { randomBytes } from 'node:crypto';
import { WriteBatch } from '@google-cloud/firestore';
import { createSweepDeps } from '../functions/sweep/dependencies.ts';
import { createTokenDeps } from '../functions/token/dependencies.ts';
import { policyAccounts } from '../sandbox/environment.ts';
import { startFakeGoogle } from '../sandbox/fakes/google/google.ts';
import type { PooledGrant } from '../shared/core/kinds/pooled-service-account.ts';
import { type JobClaims, parseClaims } from '../shared/core/policy/claims.ts';
import { parsePolicy } from '../shared/core/policy/parse-yaml.ts';
import { parseSettings } from '../shared/core/settings.ts';
import { COOLDOWN_MARGIN_MS } from '../shared/core/timing.ts';
import { endJob } from '../shared/operations/end-job.ts';
import { type IssueDeps, type IssueResult, issueToken } from '../shared/operations/issue-token.ts';
import { sweep } from '../shared/operations/sweep.ts';
import type { SweepDeps } from '../shared/operations/sweep-deps.ts';
import { type Clock, randomUuid, systemClock } from '../shared/runtime/clock.ts';
import { DependencyError } from '../shared/runtime/errors.ts';
import { milliseconds, row, title } from './measure.ts';

const JOBS = 200;
const POOL = 50;
const TTL_SECONDS = 60;
const ALONE = 40;
const WARM_UP = 10;
const MINUTE = 60_000;
const START = Date.UTC(2026, 2, 2);
/** When a job that still waits is taken to starve. */
const MAX_WAIT_MS = 60 * MINUTE;
/** Of google.rpc.Code: NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED. */
const CONFLICTS = [5, 6, 9, 10];

interface Crowd {
  /** Real milliseconds of each issuance of the first burst that led to a lease, and from its start to that lease. */
  readonly firstLeases: { readonly took: number; readonly after: number }[];
  readonly refusedAtFirst: number[];
  readonly rounds: Map<string, number>;
  readonly servedAt: Map<string, number>;
  /** Leases that overlapped another lease, as the jobs saw them. */
  readonly shared: string[];
  firstConflicts: number;
  /** Milliseconds from a lease until its account can serve again at the soonest. */
  cycle: number;
}

/** Prints what came of it. False when an account was shared or a job starved. */
export async function benchPool(firestoreHost: string): Promise<boolean> {
  const time = new SimulatedTime();
  const conflicts = countConflicts();
  const keydesk = await openKeydesk(firestoreHost, time.clock);
  try {
    const alone = await oneByOne(keydesk);
    const unleased = await allAtOnce(keydesk);
    const requestedAt = time.clock.now() + 7_000;
    const crowd = gather(keydesk, time, requestedAt, conflicts.count);
    await time.run();

    title(`${JOBS} jobs at once for a pool of ${POOL}, ttl ${TTL_SECONDS} s`);
    print(crowd, alone, unleased);
    row('commits refused and repeated, first burst', crowd.firstConflicts, '');
    row('commits refused and repeated, all of it', conflicts.count(), '');
    const served = [...crowd.servedAt.values()];
    const last = Math.max(...served) - requestedAt;
    const best = (Math.ceil(JOBS / POOL) - 1) * crowd.cycle;
    const note = `${(last / best).toFixed(2)} × the least that ${POOL} accounts allow (${(best / MINUTE).toFixed(2)} min)`;
    row('simulated minutes until all were served', last / MINUTE, 'min', note);

    const shared = crowd.shared.length;
    const starved = JOBS - served.length;
    row('accounts shared', shared, '', shared === 0 ? 'none, as promised' : 'BROKEN');
    row('jobs never served', starved, '', starved === 0 ? 'none starved' : 'BROKEN');
    row('most rounds a job waited', Math.max(...crowd.rounds.values()), '');
    for (const summary of crowd.shared) process.stdout.write(`  ${summary}\n`);
    return shared === 0 && starved === 0;
  } finally {
    conflicts.stop();
    await keydesk.close();
  }
}

/** A clock that moves to the next event. Events in the same millisecond happen at once. */
class SimulatedTime {
  readonly clock: Clock;
  readonly #events = new Map<number, (() => Promise<unknown>)[]>();
  #now = START;

  constructor() {
    this.clock = { ...systemClock, now: () => this.#now };
  }

  at(time: number, event: () => Promise<unknown>): void {
    this.#events.set(time, [...(this.#events.get(time) ?? []), event]);
  }

  /** Returns once nothing is left. */
  async run(): Promise<void> {
    while (this.#events.size > 0) {
      this.#now = Math.min(...this.#events.keys());
      const events = this.#events.get(this.#now) ?? [];
      this.#events.delete(this.#now);
      await Promise.all(events.map((event) => event()));
    }
  }
}

interface Keydesk {
  readonly issuing: IssueDeps;
  readonly sweeping: SweepDeps;
  close(): Promise<void>;
}

async function openKeydesk(firestoreHost: string, clock: Clock): Promise<Keydesk> {
  const project = `bench-${randomBytes(5).toString('hex')}`;
  const policy = parsePolicy(policyText(project), 'bench.yaml');
  if ('problems' in policy) throw new Error(policy.problems.join('\n'));
  const google = await startFakeGoogle({ accounts: policyAccounts(policy.policy), clock });
  // The service's identity is the local Google's, never the developer's own.
  delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
  process.env.HOME = '/nonexistent';
  process.env.GCE_METADATA_HOST = google.metadataHost;
  const parsed = parseSettings({
    GOOGLE_CLOUD_PROJECT: project,
    KEYDESK_IAMCREDENTIALS_URL: google.url,
    KEYDESK_IAM_URL: google.url,
  });
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  const deps = { settings: parsed.settings, emulatorHost: firestoreHost, clock };
  const { warmUp, ...clients } = createTokenDeps({ ...deps, audit: () => {} });
  const sweeping = createSweepDeps(deps);
  await Promise.all([warmUp(), sweeping.warmUp()]);
  const verifyJobToken = async (jobToken: string) => ({ claims: claimsOf(jobToken) });
  const verifyAgentToken = () => Promise.reject(new Error('no rule of the bench has an agent'));
  return {
    issuing: { policy, verifyJobToken, verifyAgentToken, ...clients, clock },
    sweeping,
    close: () => google.close(),
  };
}

/** A job token of the bench is the id of its job. */
function claimsOf(job_id: string): JobClaims {
  const parsed = parseClaims({
    organization_slug: 'acme-inc',
    pipeline_slug: 'app',
    pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
    build_number: 1,
    build_branch: 'main',
    build_commit: 'HEAD',
    job_id,
    agent_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  });
  if ('invalidClaim' in parsed) throw new Error(parsed.invalidClaim);
  return parsed.claims;
}

function policyText(project: string): string {
  const address = (name: string) => `${name}@${project}.iam.gserviceaccount.com`;
  const pool = (name: string) =>
    Array.from({ length: POOL }, (_, index) => address(`${name}-${String(index + 1).padStart(3, '0')}`)).join(', ');
  const [ttl, scopes] = [`${TTL_SECONDS}s`, '[https://www.googleapis.com/auth/datastore]'];
  return `
version: 1
organization: { slug: acme-inc }
audience: https://keydesk.acme.example
environments: { bench: {} }
credentials:
  crowded: { environment: bench, ttl: ${ttl}, serviceAccount: { pool: [${pool('crowded')}], scopes: ${scopes} } }
  quiet: { environment: bench, ttl: ${ttl}, serviceAccount: { pool: [${pool('quiet')}], scopes: ${scopes} } }
  shared: { environment: bench, ttl: ${ttl}, serviceAccount: { email: ${address('shared')}, scopes: ${scopes} } }
rules:
  - { name: every job, match: { pipeline_slug: app }, grants: [crowded, quiet, shared] }
`;
}

/** A token, or the refusal. What failed for lack of time may be requested again. */
async function requestToken({ issuing }: Keydesk, job_id: string, credentialName: string): Promise<IssueResult> {
  try {
    return await issueToken(issuing, { jobToken: job_id, credentialName, scopes: [], lifetime: undefined }, 'bench');
  } catch (error) {
    if (!DependencyError.is(error)) throw error;
    const { dependency, message, code, retryAfter } = error;
    const refusal = { reason: 'dependency_unavailable', dependency, error: message, code, retryAfter } as const;
    return { outcome: 'refused', refusal, claims: undefined, accountFailures: [] };
  }
}

/** Real milliseconds of each issuance from a pool, nobody else asking. */
async function oneByOne(keydesk: Keydesk): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < ALONE; index += 1)
    times.push(await milliseconds(() => untilIssued(keydesk, newJob(), 'quiet')));
  return times.slice(WARM_UP);
}

/** Real milliseconds of each of the same number at once, without leases. */
function allAtOnce(keydesk: Keydesk): Promise<number[]> {
  return Promise.all(newJobs().map((job) => milliseconds(() => untilIssued(keydesk, job, 'shared'))));
}

/** On a busy machine the ledger may be too slow for all at once: a request refused for that is repeated. */
async function untilIssued(keydesk: Keydesk, job_id: string, credential: string): Promise<void> {
  for (let requestedAt = await requestToken(keydesk, job_id, credential); requestedAt.outcome !== 'issued'; ) {
    if (requestedAt.refusal.reason !== 'dependency_unavailable')
      throw new Error(`was refused: ${requestedAt.refusal.reason}`);
    requestedAt = await requestToken(keydesk, job_id, credential);
  }
}

function newJob(): string {
  return randomUuid(systemClock);
}

function newJobs(): string[] {
  return Array.from({ length: JOBS }, newJob);
}

/** Lets every job request at that time, and runs a sweep each minute until every account is free. */
function gather(keydesk: Keydesk, time: SimulatedTime, at: number, conflicts: () => number): Crowd {
  const { clock } = time;
  const crowd: Crowd = {
    firstLeases: [],
    refusedAtFirst: [],
    rounds: new Map(),
    servedAt: new Map(),
    shared: [],
    firstConflicts: 0,
    cycle: 0,
  };
  const leases: { readonly account: string; readonly from: number; readonly until: number }[] = [];
  const served = (job_id: string, grant: PooledGrant) => {
    const { service_account: account, leased_at: from, expires_at: until } = grant;
    if (leases.some((other) => other.account === account && other.from < until && from < other.until))
      crowd.shared.push(`${account} was leased to job ${job_id} while it was another's`);
    leases.push({ account, from, until });
    crowd.servedAt.set(job_id, clock.now());
    crowd.cycle = until + COOLDOWN_MARGIN_MS - from;
    // Each ends at a time of its own, by its place in the crowd.
    const heldFor = 1 + (leases.length % TTL_SECONDS);
    const end = { job_id, pipeline_id: undefined, by: 'job.finished' } as const;
    time.at(clock.now() + heldFor * 1000, () => endJob(keydesk.sweeping, end));
  };
  const round = async (job_id: string): Promise<IssueResult['outcome']> => {
    crowd.rounds.set(job_id, (crowd.rounds.get(job_id) ?? 0) + 1);
    const answer = await requestToken(keydesk, job_id, 'crowded');
    if (answer.outcome === 'issued') {
      served(job_id, answer.grant as PooledGrant);
      return answer.outcome;
    }
    const { refusal } = answer;
    if (!('retryAfter' in refusal)) throw new Error(`was refused for good: ${refusal.reason}`);
    if (clock.now() - at < MAX_WAIT_MS) time.at(clock.now() + refusal.retryAfter * 1000, () => round(job_id));
    return answer.outcome;
  };
  time.at(at, async () => {
    const before = conflicts();
    const begun = performance.now();
    await Promise.all(
      newJobs().map(async (job_id) => {
        const requesting = performance.now();
        const outcome = await round(job_id);
        const now = performance.now();
        if (outcome === 'issued') crowd.firstLeases.push({ took: now - requesting, after: now - begun });
        else crowd.refusedAtFirst.push(now - requesting);
      }),
    );
    crowd.firstConflicts = conflicts() - before;
  });
  const sweepAt = (minute: number) =>
    time.at(minute, async () => {
      const { pools } = await sweep(keydesk.sweeping);
      const back = [pools.crowded, pools.quiet].every((pool) => pool?.free === POOL);
      const over = crowd.servedAt.size === JOBS && back;
      if (!over && minute - at < MAX_WAIT_MS) sweepAt(minute + MINUTE);
    });
  sweepAt(Math.ceil(at / MINUTE) * MINUTE);
  return crowd;
}

function print(crowd: Crowd, alone: readonly number[], unleased: readonly number[]): void {
  const burst = Math.max(...crowd.firstLeases.map(({ after }) => after));
  const leases = crowd.firstLeases.length;
  row('leases of the first burst', leases, '', `${JOBS - leases} required to wait`);
  row('leases a second of real time, first burst', (leases / burst) * 1000, '/s');
  const took = crowd.firstLeases.map((lease) => lease.took);
  for (const [name, share] of [
    ['p50', 0.5],
    ['p95', 0.95],
  ] as const) {
    const base = quantile(alone, share);
    const times = (values: readonly number[]) => `${(quantile(values, share) / base).toFixed(1)} × alone`;
    row(`a lease alone, ${name}`, base, 'ms');
    row(`a lease of the first burst, ${name}`, quantile(took, share), 'ms', times(took));
    row(`a refusal with Retry-After, first burst, ${name}`, quantile(crowd.refusedAtFirst, share), 'ms');
    row(`as many at once that need no lease, ${name}`, quantile(unleased, share), 'ms', times(unleased));
  }
}

/** The value that `share` of the values do not exceed; NaN of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Counts the commits that Firestore refuses because somebody wrote in between. */
function countConflicts(): { readonly count: () => number; stop(): void } {
  const { commit } = WriteBatch.prototype;
  let conflicts = 0;
  WriteBatch.prototype.commit = async function counted(this: WriteBatch) {
    try {
      return await commit.call(this);
    } catch (error) {
      if (error instanceof Error && 'code' in error && CONFLICTS.includes(Number(error.code))) conflicts += 1;
      throw error;
    }
  };
  return {
    count: () => conflicts,
    stop: () => {
      WriteBatch.prototype.commit = commit;
    },
  };
}
