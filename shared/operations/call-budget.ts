// The calls that one sweep may make to Buildkite: at most 50 within any minute, counted together with those of the sweeps
// before it. No call begins once the time is up, nothing is left, or Buildkite as a whole does not respond as it should.

import { nextCallAt, recentCalls } from '../core/grant/job-check.ts';
import type { Clock } from '../runtime/clock.ts';
import { LookupError } from './lookup-error.ts';
import type { BuildkiteResponse } from './ports.ts';

/** Calls after which it is believed that Buildkite cannot be reached at all. */
const MAX_UNREACHED = 10;

export class CallBudget {
  readonly #clock: Clock;
  readonly #until: number;
  readonly #calls: number[];
  readonly malformed = new Set<string>();
  /** Calls made. */
  made = 0;
  /** Whether Buildkite has responded to a call. */
  reached = false;
  /** Calls whose connection failed. */
  unreached = 0;
  /** Milliseconds that Buildkite wants to be left alone. */
  pause = 0;
  #stopped = false;

  /** @param until milliseconds since the epoch @param calls of sweeps before, in the last minute, oldest first */
  constructor(clock: Clock, until: number, calls: readonly number[]) {
    this.#clock = clock;
    this.#until = until;
    this.#calls = [...calls];
  }

  /** Whether another call may begin as far as is known. */
  get open(): boolean {
    return !this.#stopped && this.#clock.now() < this.#until;
  }

  /** Times of all calls that still count, for the sweeps after this one. */
  get calls(): number[] {
    return recentCalls(this.#calls, this.#clock.now());
  }

  /** Undefined when the call may not begin. Throws what it throws, and stops after a failure of Buildkite as a whole. */
  async call<T>(work: () => Promise<BuildkiteResponse<T>>): Promise<{ readonly value: T } | undefined> {
    if (!(await this.#begin())) return undefined;
    this.made += 1;
    try {
      const { value, remaining, malformed } = await work();
      this.reached = true;
      for (const name of malformed) this.malformed.add(name);
      if (remaining === 0) this.#stopped = true;
      return { value };
    } catch (error) {
      if (LookupError.is(error)) this.#failed(error);
      throw error;
    }
  }

  async #begin(): Promise<boolean> {
    const now = this.#clock.now();
    const at = nextCallAt(this.#calls, now);
    if (!this.open || at >= this.#until) return false;
    this.#calls.push(at);
    if (at > now) await this.#clock.sleep(at - now);
    return !this.#stopped;
  }

  #failed(error: LookupError): void {
    if (error.kind === 'unreachable') {
      this.unreached += 1;
      if (!this.reached && this.unreached >= MAX_UNREACHED) this.#stopped = true;
      return;
    }
    this.reached = true;
    if (error.kind === 'limited') this.pause = Math.max(this.pause, error.retryAfter * 1000);
    if (error.kind === 'limited' || error.kind === 'refused') this.#stopped = true;
  }
}
