// A long run of the model: one day on which jobs ask, renew, idle and end, messages of their ends get lost, doubled and
// late, Google fails, and the sweep runs each minute. The oracle looks after everything that happens. What came of the day
// is a plain record for a caller to print.

import * as fc from 'fast-check';
import { type SeededRandom, seededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type JobPlan, MINUTE, planDay } from './day-plan.ts';
import { Deployment } from './deployment.ts';
import type { Call, Fault } from './google.ts';
import type { Keydesk } from './keydesk.ts';
import { Operations } from './operations.ts';
import { type CredentialName, createSetting, jobId } from './setting.ts';
import type { GrantRecord } from './stores.ts';
import { World } from './world.ts';

const TTL = { config: 10, export: 5, admin: 15, cache: 15 };
const SLOTS = 8;
/** Of all calls to Google. */
const FAILING = 0.1;
/** One sweep in this number runs twice at once. */
const TWICE = 50;
/** How long after the last message the sweep may need for all to be over. */
const AFTERWARDS = 3 * 60 * MINUTE;
/** Within which the sweep finds the end of a job whose message is lost: it asks every fifth minute, and runs each minute. */
const FOUND_MS = 6 * MINUTE;
/** How long a job waits after a 503. */
const AGAIN_MS = 5_000;

export interface DayOptions {
  readonly jobs: number;
  readonly seed: number;
  readonly hours: number;
  /** Whether the sweep runs. */
  readonly sweeps?: boolean;
  /** Puts a defect in before the day begins. */
  readonly alter?: (keydesk: Keydesk) => Keydesk;
}

/** What a job held of one credential. */
export interface Held {
  readonly plan: JobPlan;
  readonly grant: GrantRecord;
  /** When the last of its access was gone: milliseconds since the epoch. */
  readonly goneAt: number;
}

export interface Day {
  readonly options: DayOptions;
  readonly poolSize: number;
  /** The fewest accounts of the pool that were free at once. */
  readonly lowWater: number;
  readonly plans: readonly JobPlan[];
  readonly held: readonly Held[];
  /** Grants on record, also those without a returned token. */
  readonly grants: number;
  readonly asked: number;
  readonly issued: number;
  readonly refused: ReadonlyMap<string, number>;
  readonly endsByMessage: { readonly recorded: number; readonly repeated: number; readonly failed: number };
  readonly calls: ReadonlyMap<string, number>;
  /** Calls that went wrong, by how. */
  readonly failed: ReadonlyMap<string, number>;
  readonly sweeps: number;
  readonly sweepFailures: number;
  /** Tokens and documents that the oracle judged, over all its looks. */
  readonly judged: number;
  readonly simulatedMs: number;
  readonly realMs: number;
}

/** Plays the day. Throws as soon as something that was promised is not so, with the seed and what happened before. */
export async function playDay(options: DayOptions): Promise<Day> {
  try {
    return await new Course(options).play();
  } catch (error) {
    const { jobs, seed, hours } = options;
    const again = `KEYDESK_SEED=${seed} KEYDESK_JOBS=${jobs} KEYDESK_HOURS=${hours} npm run simulate`;
    throw new Error(`in a day of seed ${seed}, to be seen again with\n  ${again}\n${detailOf(error)}`);
  }
}

class Course {
  readonly #options: DayOptions;
  readonly #world: World;
  readonly #deployment: Deployment;
  readonly #operations: Operations;
  readonly #random: SeededRandom;
  readonly #plans = new Map<string, JobPlan>();
  readonly #pool: readonly string[];
  readonly #failed = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  readonly #endsByMessage = { recorded: 0, repeated: 0, failed: 0 };
  #requested = 0;
  #sweeps = 0;
  #sweepFailures = 0;
  #lowWater: number;

  constructor(options: DayOptions) {
    this.#options = options;
    const { seed, jobs, alter } = options;
    this.#random = seededRandom(seed + 2);
    const [scheduler] = fc.sample(fc.scheduler(), { seed, numRuns: 1 });
    this.#world = new World(seed, new Map(), scheduler);
    const size = Math.max(16, Math.ceil(jobs / 15));
    const names = Array.from({ length: size }, (_, index) => `ci-${String(index + 1).padStart(3, '0')}`);
    const setting = createSetting({ pool: names, ttl: TTL });
    this.#pool = setting.pools.get('admin') ?? [];
    this.#lowWater = size;
    this.#deployment = new Deployment(this.#world, setting, alter);
    this.#operations = new Operations(this.#deployment);
    this.#deployment.google.faultOf = faults(seededRandom(seed + 1), this.#failed);
  }

  async play(): Promise<Day> {
    const begun = systemClock.now();
    const start = this.#world.now();
    const { jobs, seed, hours, sweeps = true } = this.#options;
    const plans = planDay(seededRandom(seed), { jobs, start, hours, longestTtl: TTL.admin * MINUTE });
    for (const [index, plan] of plans.entries()) this.#add(jobId(index % SLOTS, index), plan);
    const lastAt = Math.max(...plans.flatMap(({ endsAt, arrivesAt }) => [endsAt, ...arrivesAt]));
    if (sweeps) this.#sweepUntil(lastAt);
    for (let due = this.#world.nextDue(); due !== undefined; due = this.#world.nextDue()) {
      await this.#world.pass(Math.max(0, due - this.#world.now()));
      await this.#world.settle();
      this.#world.throwIfViolated();
      this.#lowWater = Math.min(this.#lowWater, this.#free());
    }
    this.#deployment.oracle.end();
    if (sweeps) for (const [job_id, plan] of this.#plans) this.#isFoundInTime(job_id, plan);
    this.#world.throwIfViolated();
    return {
      options: this.#options,
      poolSize: this.#pool.length,
      lowWater: this.#lowWater,
      plans,
      held: this.#held(),
      grants: this.#deployment.oracle.stores.grants.size,
      asked: this.#requested,
      issued: this.#deployment.oracle.left.length,
      refused: this.#refused,
      endsByMessage: this.#endsByMessage,
      calls: this.#deployment.google.calls,
      failed: this.#failed,
      sweeps: this.#sweeps,
      sweepFailures: this.#sweepFailures,
      judged: this.#deployment.oracle.judged,
      simulatedMs: this.#world.now() - start,
      realMs: systemClock.now() - begun,
    };
  }

  #at(time: number, happening: () => unknown): void {
    this.#world.after(Math.max(0, time - this.#world.now()), () => void happening());
  }

  #add(job_id: string, plan: JobPlan): void {
    this.#plans.set(job_id, plan);
    for (const credential of plan.wants) this.#at(plan.startsAt, () => this.#ask(job_id, plan, credential));
    this.#at(plan.endsAt, () => this.#deployment.google.finishedJobs.add(job_id));
    for (const arrival of plan.arrivesAt) this.#at(arrival, () => this.#receive(job_id));
    const { asksAfterEndAt, returnsAt } = plan;
    const [first = 'config'] = plan.wants;
    if (asksAfterEndAt !== undefined) this.#at(asksAfterEndAt, () => this.#ask(job_id, plan, first));
    if (returnsAt !== undefined) this.#at(returnsAt, () => this.#release(job_id));
  }

  async #ask(job_id: string, plan: JobPlan, credential: CredentialName): Promise<void> {
    this.#requested += 1;
    const response = await this.#operations.issueToken(job_id, credential);
    const again = (at: number) => {
      if (at < plan.endsAt) this.#at(at, () => this.#ask(job_id, plan, credential));
    };
    if (response?.outcome === 'issued') {
      const idles = plan.idles && this.#random.chance(0.5);
      const { between } = this.#random;
      again(response.expires_at + 1000 * (idles ? between(10, 480) : -between(30, 90)));
      return;
    }
    const now = this.#world.now();
    const refusal = response?.refusal;
    count(this.#refused, refusal?.reason ?? 'dependency_unavailable');
    if (refusal?.reason === 'job_ended' && now < plan.endsAt)
      this.#world.violate('I2', `job ${job_id} was refused as ended while it runs`);
    if (!refusal) again(now + AGAIN_MS);
    else if ('retryAfter' in refusal) again(now + refusal.retryAfter * 1000);
  }

  /** The message that a job finished. */
  async #receive(job_id: string): Promise<void> {
    const ending = await this.#operations.endJob(job_id);
    this.#endsByMessage[ending ? (ending.alreadyEnded ? 'repeated' : 'recorded') : 'failed'] += 1;
  }

  /** The job returns what it holds. */
  #release(job_id: string): void {
    const { left, stores } = this.#deployment.oracle;
    const last = new Map(left.map(({ grant }, index) => [grant, index]));
    for (const [grant, index] of last)
      if (stores.grants.get(grant)?.subject.id === job_id) this.#operations.releaseToken(index);
  }

  /** Sweeps each minute until `lastAt`, and from then on until all is over. */
  #sweepUntil(lastAt: number): void {
    const next = (at: number) => {
      this.#at(at, async () => {
        const over = at > lastAt && this.#isIdle();
        if (!over && at < lastAt + AFTERWARDS) next(at + MINUTE);
        const runs = (at / MINUTE) % TWICE === 0 ? 2 : 1;
        await Promise.all(Array.from({ length: runs }, () => this.#sweep()));
      });
    };
    next(Math.ceil((this.#world.now() + 1) / MINUTE) * MINUTE);
  }

  async #sweep(): Promise<void> {
    this.#sweeps += 1;
    const swept = await this.#operations.sweep();
    this.#sweepFailures += swept?.failures.length ?? 0;
  }

  /** The end of a job that holds something is on record in time, whether or not a message comes, and whatever it asks for. */
  #isFoundInTime(job_id: string, { endsAt }: JobPlan): void {
    const { grants, jobs } = this.#deployment.oracle.stores;
    const by = endsAt + FOUND_MS;
    const held = [...grants.values()].filter((grant) => grant.subject.id === job_id && grant.expires_at > by);
    const returned = held.every(({ ended_by }) => ended_by === 'released');
    const { ended_at = null } = jobs.get(job_id) ?? {};
    if (held.length === 0 || returned || (ended_at !== null && ended_at <= by)) return;
    const found = ended_at === null ? 'never' : `${(ended_at - endsAt) / MINUTE} minutes later`;
    this.#world.violate('I6', `job ${job_id} ended, and that was found ${found}`);
  }

  #isIdle(): boolean {
    const { grants, accounts } = this.#deployment.oracle.stores;
    const over = [...grants.values()].every(({ state }) => state === 'revoked' || state === 'expired');
    return over && [...accounts.values()].every(({ state }) => state === 'free' || state === 'shared');
  }

  #free(): number {
    const { accounts } = this.#deployment.oracle.stores;
    return this.#pool.filter((email) => (accounts.get(email)?.state ?? 'free') === 'free').length;
  }

  /** For every grant with a returned token. */
  #held(): Held[] {
    const { left, stores } = this.#deployment.oracle;
    const tokens = Map.groupBy(this.#deployment.google.tokens, (token) => token.for);
    return [...new Set(left.map(({ grant }) => grant))].flatMap((id) => {
      const grant = stores.grants.get(id);
      const plan = grant && this.#plans.get(grant.subject.id);
      if (!grant || !plan) return [];
      const closed = stores.documents.get(id)?.expires_at ?? grant.expires_at;
      const mine = tokens.get(grant.subject.id) ?? [];
      const goneAt =
        grant.kind === 'firestore'
          ? Math.min(grant.expires_at, closed)
          : Math.max(...mine.filter((token) => token.subject === grant.service_account).map((t) => this.#endOf(t)));
      return [{ plan, grant, goneAt }];
    });
  }

  /** When a service account's token was accepted no more. */
  #endOf(token: { readonly subject: string; readonly minted_at: number; readonly expires_at: number }): number {
    const { changes } = this.#deployment.google;
    const disabled = changes.find(
      ({ email, enabled, at }) => email === token.subject && !enabled && at >= token.minted_at,
    );
    return Math.min(token.expires_at, disabled?.at ?? token.expires_at);
  }
}

/** How Google fails: in ways that did what was asked, ways that did not, and changes that are answered before they are made. */
function faults(random: SeededRandom, failed: Map<string, number>): (call: Call) => Fault | undefined {
  const KINDS = [
    [30, '500'],
    [25, '429'],
    [20, 'garbage'],
    [20, 'network'],
    [5, 'late'],
  ] as const;
  return (call) => {
    if (call === 'readJob' || !random.chance(FAILING)) return undefined;
    const picked = random.pick(KINDS);
    const kind = picked === 'late' && call !== 'disable' && call !== 'enable' ? '500' : picked;
    count(failed, kind);
    // By less than the margin by which Keydesk lets clocks differ.
    if (kind === 'late') return { response: 'done', effect: { late: random.between(5, 45) * 1000 } };
    return { response: kind, effect: kind === 'garbage' || kind === 'network' ? 'now' : 'none' };
  };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function detailOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
