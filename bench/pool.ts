// A pool under a crowd: many jobs want an account of a small pool at once, and each asks until it has one, waiting as
// long as it is told. That no account is shared and nobody starves is checked; what it costs is measured beside leases
// that nobody contends for. Waiting is in simulated time, work in real time.

import { WriteBatch } from '@google-cloud/firestore';
import type { Job } from '../sandbox/buildkite/buildkite.ts';
import { toAccount } from '../shared/ledger/records.ts';
import { Agenda } from './agenda.ts';
import { milliseconds, row, title } from './measure.ts';
import { quantile, seeded } from './seeded.ts';
import { type Asked, openSimulatedDesk, poolText, type SimulatedDesk } from './simulated-desk.ts';
import { watch } from './watch.ts';

const JOBS = 200;
const POOL = 50;
const TTL_SECONDS = 60;
const ALONE = 40;
const WARM_UP = 10;
const MINUTE = 60_000;
const START = Date.UTC(2026, 2, 2);
const SEED = 20_260_302;
/** When a job that still waits is taken to starve. */
const PATIENCE = 60 * MINUTE;
/** Of google.rpc.Code: NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED. */
const LOST_RACE = [5, 6, 9, 10];

interface Crowd {
  /** Real milliseconds of each hand-out of the first burst that led to a lease, and from its start to that lease. */
  readonly firstLeases: { readonly took: number; readonly after: number }[];
  readonly refusedAtFirst: number[];
  readonly rounds: Map<Job, number>;
  readonly servedAt: Map<Job, number>;
  firstConflicts: number;
  cycle: number;
}

/** Prints what came of it. False when an account was shared or a job starved. */
export async function benchPool(firestoreHost: string): Promise<boolean> {
  const agenda = new Agenda(START);
  const desk = await openSimulatedDesk({ firestoreHost, clock: agenda.clock, credentials: credentialsText() });
  const conflicts = countConflicts();
  try {
    const watching = watch(desk, undefined);
    const alone = await oneByOne(desk, 'quiet');
    const unleased = await allAtOnce(desk, 'shared');
    const asked = agenda.clock.now + 7_000;
    const crowd = gather(desk, agenda, asked, conflicts.count);
    await agenda.run(() => watching.look());

    title(`${JOBS} jobs at once for a pool of ${POOL}, ttl ${TTL_SECONDS} s`);
    print(crowd, alone, unleased);
    row('commits refused and repeated, first burst', crowd.firstConflicts, '');
    row('commits refused and repeated, all of it', conflicts.count(), '');
    const served = [...crowd.servedAt.values()];
    const last = Math.max(...served) - asked;
    const best = (Math.ceil(JOBS / POOL) - 1) * crowd.cycle;
    const note = `${(last / best).toFixed(2)} × the least that ${POOL} accounts allow (${(best / MINUTE).toFixed(2)} min)`;
    row('simulated minutes until all were served', last / MINUTE, 'min', note);

    const shared = watching.broken.length;
    const starved = JOBS - served.length;
    row('looks at every lease and token', watching.counts.looks, '', `${watching.counts.judged} tokens judged`);
    row('accounts shared or promises broken', shared, '', shared === 0 ? 'none, as promised' : 'BROKEN');
    row('jobs never served', starved, '', starved === 0 ? 'none starved' : 'BROKEN');
    row('most rounds a job waited', Math.max(...crowd.rounds.values()), '');
    for (const what of watching.broken) process.stdout.write(`  ${what}\n`);
    return shared === 0 && starved === 0;
  } finally {
    conflicts.stop();
    await desk.close();
  }
}

function credentialsText(): string {
  const pool = (name: string) => `
  ${name}:
    environment: simulated
    ttl: ${TTL_SECONDS}s
    serviceAccount: { pool: ${poolText(name, POOL)}, scopes: [https://www.googleapis.com/auth/datastore] }`;
  return `${pool('crowded')}${pool('quiet')}
  shared:
    environment: simulated
    ttl: ${TTL_SECONDS}s
    serviceAccount: { email: shared@PROJECT.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
`;
}

/** Real milliseconds of each hand-out, nobody else asking. */
async function oneByOne(desk: SimulatedDesk, credential: string): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < ALONE; index += 1) {
    const jobToken = await desk.jobToken(desk.buildkite.startJob());
    times.push(await milliseconds(() => untilIssued(desk, jobToken, credential)));
  }
  return times.slice(WARM_UP);
}

/** Real milliseconds of each of as many hand-outs at once, none of which needs a lease. */
async function allAtOnce(desk: SimulatedDesk, credential: string): Promise<number[]> {
  const tokens = await jobTokens(desk, JOBS);
  return Promise.all(tokens.map(({ jobToken }) => milliseconds(() => untilIssued(desk, jobToken, credential))));
}

/** On a busy machine the ledger may be too slow for so many at once: what was refused for that is asked for again. */
async function untilIssued(desk: SimulatedDesk, jobToken: string, credential: string): Promise<void> {
  for (let asked = await desk.ask(jobToken, credential); asked.outcome !== 'issued'; ) {
    if (asked.refusal.reason !== 'unavailable') throw new Error(`was refused: ${asked.refusal.reason}`);
    asked = await desk.ask(jobToken, credential);
  }
}

function jobTokens(desk: SimulatedDesk, number: number) {
  const jobs = Array.from({ length: number }, () => desk.buildkite.startJob());
  return Promise.all(jobs.map(async (job) => ({ job, jobToken: await desk.jobToken(job) })));
}

/** Puts the whole crowd on the agenda, and a sweep each minute until every account is back. */
function gather(desk: SimulatedDesk, agenda: Agenda, at: number, conflicts: () => number): Crowd {
  const random = seeded(SEED);
  const jobs = Array.from({ length: JOBS }, () => desk.buildkite.startJob());
  const crowd: Crowd = {
    firstLeases: [],
    refusedAtFirst: [],
    rounds: new Map(),
    servedAt: new Map(),
    firstConflicts: 0,
    cycle: 0,
  };
  const round = async (job: Job, jobToken: string, asked: (answer: Asked) => void) => {
    crowd.rounds.set(job, (crowd.rounds.get(job) ?? 0) + 1);
    const answer = await desk.ask(jobToken, 'crowded');
    asked(answer);
    const { now } = agenda.clock;
    if (answer.outcome === 'issued') {
      crowd.servedAt.set(job, now);
      agenda.add(now + random.between(1, TTL_SECONDS) * 1000, () => desk.endJob(job.id));
      return;
    }
    const { refusal } = answer;
    if (!('retryAfter' in refusal)) throw new Error(`was refused for good: ${refusal.reason}`);
    if (now - at < PATIENCE)
      agenda.add(now + refusal.retryAfter * 1000, async () => round(job, await desk.jobToken(job), () => {}));
  };
  agenda.add(at, async () => {
    const tokens = await Promise.all(jobs.map((job) => desk.jobToken(job)));
    const before = conflicts();
    const begun = performance.now();
    await Promise.all(
      jobs.map((job, index) => {
        const asking = performance.now();
        return round(job, tokens[index] as string, ({ outcome }) => {
          const now = performance.now();
          if (outcome === 'issued') crowd.firstLeases.push({ took: now - asking, after: now - begun });
          else crowd.refusedAtFirst.push(now - asking);
        });
      }),
    );
    crowd.firstConflicts = conflicts() - before;
    crowd.cycle = await cycleOf(desk);
  });
  const sweepAt = (minute: number) =>
    agenda.add(minute, async () => {
      const { pools } = await desk.sweep();
      const back = [pools.crowded, pools.quiet].every((pool) => pool?.free === POOL);
      const over = crowd.servedAt.size === JOBS && back;
      if (!over && minute - at < PATIENCE) sweepAt(minute + MINUTE);
    });
  sweepAt(Math.ceil(at / MINUTE) * MINUTE);
  return crowd;
}

function print(crowd: Crowd, alone: readonly number[], unleased: readonly number[]): void {
  const burst = Math.max(...crowd.firstLeases.map(({ after }) => after));
  const leases = crowd.firstLeases.length;
  row('leases of the first burst', leases, '', `${JOBS - leases} told to wait`);
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
    row(`being told to wait, first burst, ${name}`, quantile(crowd.refusedAtFirst, share), 'ms');
    row(`as many at once that need no lease, ${name}`, quantile(unleased, share), 'ms', times(unleased));
  }
}

/** Milliseconds from a lease until no token of it can be accepted any more: no account can serve again sooner. */
async function cycleOf({ ledger }: SimulatedDesk): Promise<number> {
  const leased = await ledger.collection('service_accounts').where('state', '==', 'leased').limit(1).get();
  const account = leased.docs[0] && toAccount(leased.docs[0]);
  if (!account) throw new Error('no account is leased');
  return account.rests_until - (account.leased_at ?? 0);
}

/** Counts the commits that Firestore refuses because somebody wrote in between. */
function countConflicts(): { readonly count: () => number; stop(): void } {
  const { commit } = WriteBatch.prototype;
  let conflicts = 0;
  WriteBatch.prototype.commit = async function counted(this: WriteBatch) {
    try {
      return await commit.call(this);
    } catch (error) {
      if (error instanceof Error && 'code' in error && LOST_RACE.includes(Number(error.code))) conflicts += 1;
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
