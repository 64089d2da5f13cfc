// One simulated day of a desk: jobs ask, renew, idle and end; messages of their ends get lost, doubled and late; Google
// fails; the sweep runs each minute. Everything is watched. What came of it is a plain record for whoever prints it.

import type { Job } from '../sandbox/buildkite/buildkite.ts';
import type { Grant } from '../shared/core/grant.ts';
import { endGrant } from '../shared/end-job.ts';
import { fromStored } from '../shared/ledger/firestore-client.ts';
import { toAccount, toGrant } from '../shared/ledger/records.ts';
import { Agenda } from './agenda.ts';
import { count, createFaults, type Faults } from './day-faults.ts';
import { type JobPlan, MINUTE, planDay } from './day-plan.ts';
import { type Seeded, seeded } from './seeded.ts';
import { type Issued, openSimulatedDesk, poolText, type SimulatedDesk, unlessUnavailable } from './simulated-desk.ts';
import { type Watch, watch } from './watch.ts';

const START = Date.UTC(2026, 2, 2);
const LONGEST_TTL = 15 * MINUTE;
const FAILING = 0.1;
/** One sweep in so many runs twice at once. */
const TWICE = 50;
/** How long after the last message the sweep may need for all to be over. */
const AFTERWARDS = 3 * 60 * MINUTE;

export interface DayOptions {
  readonly firestoreHost: string;
  readonly jobs: number;
  readonly seed: number;
  readonly hours?: number;
  readonly sweeps?: boolean;
  /** Breaks something before the day begins. */
  readonly alter?: (desk: SimulatedDesk) => void;
  /** Hears each simulated hour. */
  readonly onHour?: (hour: number, issued: number) => void;
}

/** What a job held of one credential. */
export interface Held {
  readonly plan: JobPlan;
  readonly grant_id: string;
  readonly grant: Grant;
  /** When the last of its access was gone: milliseconds since the epoch. */
  readonly goneAt: number;
}

export interface Day {
  readonly options: DayOptions;
  readonly poolSize: number;
  readonly plans: readonly JobPlan[];
  readonly held: readonly Held[];
  /** Grants on record, also those of which nothing left. */
  readonly grants: number;
  readonly asked: number;
  readonly issued: number;
  readonly refused: ReadonlyMap<string, number>;
  readonly endsByMessage: { readonly recorded: number; readonly repeated: number; readonly failed: number };
  readonly faults: Faults;
  readonly buildkiteAsked: number;
  /** Real milliseconds each sweep took, and failures that sweeps told of. */
  readonly sweeps: readonly number[];
  readonly sweepFailures: number;
  readonly watch: Watch;
  readonly simulatedMs: number;
  readonly realMs: number;
}

export async function runDay(options: DayOptions): Promise<Day> {
  const begun = performance.now();
  const { hours = 24, seed } = options;
  const agenda = new Agenda(START);
  const poolSize = Math.max(16, Math.ceil(options.jobs / 15));
  const desk = await openSimulatedDesk({
    firestoreHost: options.firestoreHost,
    clock: agenda.clock,
    credentials: credentialsText(poolSize),
  });
  try {
    options.alter?.(desk);
    const plans = planDay(seeded(seed), { jobs: options.jobs, start: START, hours, longestTtl: LONGEST_TTL });
    const faults = createFaults(FAILING, seeded(seed + 1), agenda);
    const course = new Course(desk, agenda, watch(desk, faults.fault), seeded(seed + 2));
    for (const plan of plans) course.add(plan);
    const lastAt = Math.max(...plans.flatMap(({ endsAt, arrivesAt }) => [endsAt, ...arrivesAt]));
    if (options.sweeps ?? true) course.sweepUntil(lastAt);
    let heard = 0;
    await agenda.run(async () => {
      await course.look();
      const hour = Math.floor((agenda.clock.now - START) / MINUTE / 60);
      if (hour > heard) options.onHour?.(hour, course.issued.length);
      heard = hour;
    });
    const { held, grants } = await course.close();
    const { asked, refused, issued, endsByMessage, sweeps, sweepFailures } = course;
    return {
      ...{ options, poolSize, plans, held, grants, asked, refused, endsByMessage, sweeps, sweepFailures, faults },
      issued: issued.length,
      buildkiteAsked: desk.buildkite.jobRequests.length,
      watch: course.watch,
      simulatedMs: agenda.clock.now - START,
      realMs: performance.now() - begun,
    };
  } finally {
    await desk.close();
  }
}

function credentialsText(poolSize: number): string {
  return `
  config:
    environment: simulated
    ttl: 10m
    firestore:
      project: PROJECT
      apiKey: web-key
      signer: signer@PROJECT.iam.gserviceaccount.com
      allow: [{ path: "config/{document=**}", verbs: [read, write] }]
  admin:
    environment: simulated
    ttl: 15m
    serviceAccount: { pool: ${poolText('ci', poolSize)}, scopes: [https://www.googleapis.com/auth/datastore] }
  export:
    environment: simulated
    ttl: 5m
    serviceAccount: { email: export@PROJECT.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/datastore] }
`;
}

/** The day while it runs. */
class Course {
  asked = 0;
  readonly refused = new Map<string, number>();
  readonly issued: Issued[] = [];
  readonly endsByMessage = { recorded: 0, repeated: 0, failed: 0 };
  readonly sweeps: number[] = [];
  sweepFailures = 0;
  readonly watch: Watch;
  readonly #desk: SimulatedDesk;
  readonly #agenda: Agenda;
  readonly #random: Seeded;
  readonly #plans = new Map<string, JobPlan>();
  #quiet = false;
  #stirred = false;

  constructor(desk: SimulatedDesk, agenda: Agenda, watching: Watch, random: Seeded) {
    this.#desk = desk;
    this.#agenda = agenda;
    this.watch = watching;
    this.#random = random;
  }

  get #now(): number {
    return this.#agenda.clock.now;
  }

  add(plan: JobPlan): void {
    const job = this.#desk.buildkite.startJob();
    this.#plans.set(job.id, plan);
    const at = (time: number, happening: () => unknown) => this.#agenda.add(time, happening);
    for (const credential of plan.wants) at(plan.startsAt, () => this.#ask(job, plan, credential));
    at(plan.endsAt, () => {
      job.state = 'passed';
    });
    for (const arrival of plan.arrivesAt) at(arrival, () => this.#hear(job));
    const { asksAfterEndAt, returnsAt } = plan;
    const [first = ''] = plan.wants;
    if (asksAfterEndAt !== undefined) at(asksAfterEndAt, () => this.#ask(job, plan, first));
    if (returnsAt !== undefined) at(returnsAt, () => this.#return(job));
  }

  async #ask(job: Job, plan: JobPlan, credential: string): Promise<void> {
    this.asked += 1;
    this.#stirred = true;
    const ended = this.watch.endedJobs.has(job.id);
    const answer = await this.#desk.ask(await this.#desk.jobToken(job, plan.endsAt), credential);
    const again = (at: number) => {
      if (at < plan.endsAt) this.#agenda.add(at, () => this.#ask(job, plan, credential));
    };
    if (answer.outcome === 'issued') {
      if (ended) this.watch.break(`job ${job.id}: was handed ${credential} after its end was recorded`);
      this.watch.issued(answer);
      this.issued.push(answer);
      const idles = plan.idles && this.#random.chance(0.5);
      again(answer.expires_at + 1000 * (idles ? this.#random.between(10, 480) : -this.#random.between(30, 90)));
      return;
    }
    const { refusal } = answer;
    count(this.refused, refusal.reason === 'unavailable' ? `unavailable: ${refusal.what}` : refusal.reason);
    if (refusal.reason === 'job_ended' && this.#now < plan.endsAt)
      this.watch.break(`job ${job.id}: was refused as ended while it runs`);
    if ('retryAfter' in refusal) again(this.#now + refusal.retryAfter * 1000);
  }

  /** The message that a job finished. */
  async #hear({ id }: Job): Promise<void> {
    this.#stirred = true;
    const ending = await this.#desk.endJob(id);
    this.endsByMessage[ending ? (ending.repeated ? 'repeated' : 'recorded') : 'failed'] += 1;
    if (ending) this.watch.jobEnded(id);
  }

  async #return({ id }: Job): Promise<void> {
    this.#stirred = true;
    for (const { grant, grant_id } of new Map(this.issued.map((one) => [one.grant_id, one])).values()) {
      if (grant.job_id !== id) continue;
      const ending = await unlessUnavailable(endGrant(this.#desk.ending, grant, { by: 'early_return' }));
      // One whose time was up is not returned: there is nothing left of it, and the job may get it again.
      const returned = ending && ending.revoked.length + ending.renewalEnded.length + ending.unfinished.length > 0;
      if (returned) this.watch.grantEnded(grant_id);
    }
  }

  /** Sweeps each minute until `lastAt`, and from then on until all is over. */
  sweepUntil(lastAt: number): void {
    const next = (at: number) => {
      this.#agenda.add(at, async () => {
        const over = at > lastAt && this.#quiet;
        if (!over && at < lastAt + AFTERWARDS) next(at + MINUTE);
        await Promise.all([this.#sweep(), ...((at / MINUTE) % TWICE === 0 ? [this.#sweep()] : [])]);
      });
    };
    next(Math.ceil((this.#now + 1) / MINUTE) * MINUTE);
  }

  async #sweep(): Promise<void> {
    this.#stirred = true;
    const begun = performance.now();
    const swept = await this.#desk.sweep();
    this.sweeps.push(performance.now() - begun);
    this.sweepFailures += swept.failures.length;
    for (const { job_id } of swept.foundFinished) {
      if (this.#now < (this.#plans.get(job_id)?.endsAt ?? 0))
        this.watch.break(`job ${job_id}: was ended while it runs`);
      this.watch.jobEnded(job_id);
    }
  }

  /** Looks at everything, if Keydesk did anything since. */
  async look(): Promise<void> {
    if (!this.#stirred) return;
    this.#stirred = false;
    const { liveGrants, busyAccounts } = await this.watch.look();
    this.#quiet = liveGrants === 0 && busyAccounts === 0;
  }

  /** What everything came to; whatever is not over is a broken promise. */
  async close(): Promise<{ readonly held: readonly Held[]; readonly grants: number }> {
    const { ledger, documents, google } = this.#desk;
    const records = (await ledger.collection('grants').get()).docs.map((read) => [read.id, toGrant(read)] as const);
    for (const [id, grant] of records)
      if (grant?.state !== 'revoked' && grant?.state !== 'expired')
        this.watch.break(`grant ${id}: never ended, its record says ${grant?.state}`);
    for (const read of (await ledger.collection('service_accounts').get()).docs) {
      const state = toAccount(read)?.state;
      if (state !== 'free') this.watch.break(`account ${read.id}: never became free, its record says ${state}`);
    }
    for (const [account, { disabled }] of google.accounts)
      if (disabled) this.watch.break(`account ${account}: was left disabled`);
    const closed = new Map<string, number>();
    for (const read of (await documents.collection('keydesk_grants').get()).docs)
      closed.set(read.id, (fromStored(read.data()) as { expires_at: number }).expires_at);
    const grants = new Map(records);
    const held = [...new Set(this.issued.map(({ grant_id }) => grant_id))].flatMap((grant_id) => {
      const grant = grants.get(grant_id);
      const plan = grant && this.#plans.get(grant.job_id);
      return plan ? [{ plan, grant_id, grant, goneAt: this.#goneAt(grant_id, grant, closed) }] : [];
    });
    return { held, grants: records.length };
  }

  #goneAt(grant_id: string, { kind }: Grant, closed: ReadonlyMap<string, number>): number {
    if (kind === 'firestore') {
      const until = this.watch.letInUntil(grant_id) ?? 0;
      return Math.min(until, closed.get(grant_id) ?? until);
    }
    const ends = this.watch.tokensOf(grant_id).map(({ account, at, expiresAt }) => {
      const disabled = this.watch.changesOf(account).find((change) => change.disabled && change.at >= at);
      return Math.min(expiresAt, disabled?.at ?? expiresAt);
    });
    return Math.max(...ends);
  }
}
