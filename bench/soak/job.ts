// The life of one job: it requests credentials, renews, uses and releases them, and ends. After its end it may go on asking.

import type { FakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { pause } from './client.ts';
import { deliverEnd, deliverStarted } from './deliveries.ts';
import type { Instance } from './instances.ts';
import { type JobPlan, planJob } from './job-plan.ts';
import type { Caller, Issued, KeydeskClient } from './keydesk-client.ts';
import type { Prober } from './probe.ts';
import type { Recorder } from './recorder.ts';
import { wrongJobToken } from './wrong-tokens.ts';

export interface JobDeps {
  readonly buildkite: FakeBuildkite;
  readonly keydesk: KeydeskClient;
  readonly prober: Prober;
  readonly recorder: Recorder;
  /** Aborted when the run is over: jobs then end at once. */
  readonly over: AbortSignal;
}

/** Job tokens of a long life, so that a job that has ended still holds a valid one. Seconds. */
const JOB_TOKEN_LIFETIME = 3_600;

export class JobLife {
  readonly #deps: JobDeps;
  readonly #random: SeededRandom;
  readonly #plan: JobPlan;
  readonly #job: Job;
  readonly #instance: Instance | undefined;
  /** The latest token of each credential. */
  readonly #held = new Map<string, Issued>();
  readonly #end = new AbortController();
  #jobToken = '';

  /** @param options.instance the instance to which the first requests go */
  constructor(
    deps: JobDeps,
    options: {
      readonly random: SeededRandom;
      readonly leastMs: number;
      readonly mostMs: number;
      readonly instance?: Instance;
    },
  ) {
    this.#deps = deps;
    this.#random = options.random;
    this.#plan = planJob(options.random, options);
    this.#instance = options.instance;
    this.#job = deps.buildkite.startJob({ build_number: options.random.between(1, 1_000) });
  }

  /** Lives until the job's end; what it delivers afterwards goes on in the promise `afterwards`. */
  async live(): Promise<{ readonly afterwards: Promise<unknown> }> {
    const { buildkite, recorder, over } = this.#deps;
    const { lifeMs, credentials, hostile, sendsWrongTokens, delivery } = this.#plan;
    const { id } = this.#job;
    this.#jobToken = await buildkite.jobToken(this.#job, { lifetime: JOB_TOKEN_LIFETIME });
    recorder.secret('job_token', this.#jobToken);
    recorder.write({ type: 'job', job: id, event: 'started', at: systemClock.now() });
    const signal = AbortSignal.any([this.#end.signal, over]);
    const holding = credentials.flatMap((credential) =>
      Array.from({ length: hostile || 1 }, () => this.#hold(credential, signal)),
    );
    if (sendsWrongTokens) holding.push(this.#sendWrongTokens(signal));
    if (delivery.otherEvents) holding.push(deliverStarted(this.#deliveryDeps(), this.#job));
    await pause(lifeMs, over);
    const ending = this.#endJob();
    await Promise.all(holding);
    return { afterwards: ending };
  }

  /** Keeps a token of this credential until the end. */
  async #hold(credential: string, signal: AbortSignal): Promise<void> {
    const { hostile, releases, introspects } = this.#plan;
    let first: Instance | undefined = this.#instance;
    let turns = 0;
    while (!signal.aborted) {
      const responded = await this.#request(credential, first);
      first = undefined;
      turns += 1;
      if (hostile > 0) continue;
      const { status = 0, issued, body } = responded;
      if (issued && introspects) await this.#deps.keydesk.holderRequest('introspect', issued, this.#caller());
      if (issued && releases && turns > 1) return this.#release(issued, credential, signal);
      const retryAfter = typeof body.retry_after === 'number' ? body.retry_after * 1000 : 2_000;
      const wait = issued ? this.#random.between(15_000, 50_000) : Math.min(retryAfter, 15_000);
      if (status === 400) return;
      await pause(wait, signal);
    }
  }

  async #request(credential: string, instance?: Instance) {
    const { keydesk, prober } = this.#deps;
    const { client, hostile, repeats } = this.#plan;
    const request = () =>
      keydesk.issue(
        { job: this.#job.id, jobToken: this.#jobToken, credential },
        { ...this.#caller(), instance, client },
      );
    const copies = repeats && hostile === 0 ? [request(), request()] : [];
    const [responded, ...others] = await Promise.all([request(), ...copies]);
    for (const { issued } of [responded, ...others])
      if (issued) {
        this.#held.set(credential, issued);
        if (hostile === 0 || this.#random.chance(0.1)) await prober.record(issued);
        if (hostile === 0 && this.#random.chance(0.5)) await prober.use(issued);
      }
    return responded;
  }

  /** Releases, and requests again what it must not get. */
  async #release(issued: Issued, credential: string, signal: AbortSignal): Promise<void> {
    const { status } = await this.#deps.keydesk.holderRequest('revoke', issued, this.#caller());
    if (status === 200) await this.#deps.prober.use(issued);
    await pause(this.#random.between(0, 3_000), signal);
    await this.#request(credential);
  }

  async #sendWrongTokens(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const jobToken = await wrongJobToken(this.#deps.buildkite, this.#job, this.#random);
      this.#deps.recorder.secret('wrong_job_token', jobToken);
      const credential = this.#random.one(this.#plan.credentials);
      await this.#deps.keydesk.issue({ job: this.#job.id, jobToken, credential }, this.#caller(), 'wrong_job_token');
      await pause(this.#random.between(1_000, 8_000), signal);
    }
  }

  /** Finishes at Buildkite and delivers that, while requests may be in flight. Resolves when nothing more follows. */
  async #endJob(): Promise<void> {
    const { recorder } = this.#deps;
    const { requestsAtEnd, credentials, delivery, asksAfterEndMs } = this.#plan;
    const at = systemClock.now();
    this.#job.finishedAt = at;
    this.#job.state = this.#random.chance(0.8) ? 'passed' : 'failed';
    recorder.write({ type: 'job', job: this.#job.id, event: 'finished', at });
    this.#end.abort();
    const inFlight = requestsAtEnd ? credentials.map((credential) => this.#askAfterEnd(credential)) : [];
    await Promise.all([
      ...inFlight,
      deliverEnd(this.#deliveryDeps(), this.#job, delivery),
      this.#keepAsking(at + asksAfterEndMs),
    ]);
  }

  async #keepAsking(until: number): Promise<void> {
    while (systemClock.now() < until && !this.#deps.over.aborted) {
      await this.#askAfterEnd(this.#random.one(this.#plan.credentials));
      await pause(this.#random.between(500, 5_000), this.#deps.over);
    }
  }

  /** The job still runs for Keydesk until it knows of the end, so this may succeed. */
  async #askAfterEnd(credential: string): Promise<void> {
    const { keydesk, prober } = this.#deps;
    const request = { job: this.#job.id, jobToken: this.#jobToken, credential };
    const { issued } = await keydesk.issue(request, this.#caller(), 'issue_after_end');
    if (issued) await prober.record(issued);
  }

  /** Uses what the job held, once its end is on record. */
  #tryHeld(): void {
    const { prober, keydesk } = this.#deps;
    for (const issued of this.#held.values()) {
      void prober.use(issued);
      if (this.#plan.introspects) void keydesk.holderRequest('introspect', issued, this.#caller());
    }
  }

  #deliveryDeps() {
    const { buildkite, keydesk, recorder } = this.#deps;
    return { buildkite, keydesk, recorder, random: this.#random, onAccepted: () => this.#tryHeld() };
  }

  #caller(): Caller {
    return { random: this.#random };
  }
}
