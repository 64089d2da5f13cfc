// The world of one run: a clock that only moves on request, deadlines that fall due as it does, chance from a
// seed, and turns that a scheduler gives out. What is found wrong is kept here, because the code under test would take a
// thrown assertion for a failure of Firestore or Google.

import type * as fc from 'fast-check';
import { randomFrom } from '../../sandbox/seeded-random.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

/** Of how many turns, and for how many more. */
const STALLING = 1 / 12;
const LONGEST_STALL = 15;
const BEGINNING = Date.UTC(2026, 0, 5, 9);
/** Lines of the log that a violation is printed with. */
const STORY_LINES = 120;

interface Timer {
  readonly due: number;
  readonly fire: () => void;
  /** Nobody waits for it any more. */
  gone: boolean;
}

/** Whose clocks there are. The world's own is right. */
export const PARTIES = ['token', 'webhook', 'sweep', 'operator', 'google', 'buildkite'] as const;
export type Party = (typeof PARTIES)[number];

/** By how many milliseconds whose clock is fast; slow where that is negative. */
export type Skews = Readonly<Partial<Record<Party, number>>>;

export class World implements Clock {
  /** What happened, in order: printed with a run that fails. */
  readonly log: string[] = [];
  readonly tally: Map<string, number>;
  /** At least 0 and less than 1; equal seeds give equal values. */
  readonly random: () => number;
  /** Called whenever nothing is in flight any more. */
  onSettled: () => void = () => {};
  readonly #scheduler: fc.Scheduler | undefined;
  readonly #skews: Skews;
  /** By when they fall due. */
  readonly #timers: Timer[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #now = BEGINNING;
  #inPeace = false;
  #violation: Error | undefined;

  /** @param scheduler gives out the turns; without one each turn comes at once */
  constructor(seed: number, tally: Map<string, number>, scheduler?: fc.Scheduler, skews: Skews = {}) {
    this.#skews = skews;
    this.random = randomFrom(seed);
    this.tally = tally;
    this.#scheduler = scheduler;
  }

  readonly now = (): number => this.#now;

  /** What the clock of that party says. */
  nowOf(party: Party): number {
    return this.#now + (this.#skews[party] ?? 0);
  }

  /** A time of that party's clock, by the right one. */
  truly(at: number, party: Party): number {
    return at - (this.#skews[party] ?? 0);
  }

  clockOf(party: Party): Clock {
    return { now: () => this.nowOf(party), sleep: this.sleep, random: this.random };
  }

  /** A pause is a matter of turns. A deadline, which is a sleep with a signal, falls due by this world's clock. */
  readonly sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> => {
    if (!signal) return this.turn('pause');
    return new Promise((resolve, reject) => {
      const timer = this.after(milliseconds, resolve);
      const giveUp = () => {
        timer.gone = true;
        reject(signal.reason);
      };
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
    });
  };

  /** Counts what happened, as long as the run is what was drawn. */
  count(label: string): void {
    if (this.#inPeace) return;
    this.tally.set(label, (this.tally.get(label) ?? 0) + 1);
  }

  /** From now on nothing more is drawn: what happens is no merit of the generators. */
  beginPeace(): void {
    this.#inPeace = true;
  }

  tell(label: string): void {
    this.log.push(`${((this.#now - BEGINNING) / 1000).toFixed(0).padStart(6)} s  ${label}`);
    // A day is long, and only its end would be printed.
    if (this.log.length > 100 * STORY_LINES) this.log.splice(0, 50 * STORY_LINES);
  }

  /** The first thing found wrong is the one that counts. */
  violate(invariant: string, label: string): void {
    this.tell(`VIOLATED ${invariant}: ${label}`);
    this.#violation ??= new Error(`${invariant}: ${label}\n${this.log.slice(-STORY_LINES).join('\n')}`);
  }

  throwIfViolated(): void {
    if (this.#violation) throw this.#violation;
  }

  /**
   * Waits until the scheduler gives this its turn. Some turns are given up several times: a history in which everything
   * goes at the same pace meets few of the races.
   */
  async turn(label: string): Promise<void> {
    const scheduler = this.#scheduler;
    if (!scheduler) return;
    let stalls = this.random() < STALLING ? 3 + Math.floor(this.random() * LONGEST_STALL) : 0;
    for (; stalls > 0 && scheduler.count() > 0; stalls -= 1)
      await scheduler.schedule(Promise.resolve(), `${label} stalls`);
    await scheduler.schedule(Promise.resolve(), label);
  }

  /** Fires once the clock has moved so far, after whatever falls due at the same time and was there before. */
  after(milliseconds: number, fire: () => void): { gone: boolean } {
    const timer = { due: this.#now + milliseconds, fire, gone: false };
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle]?.due ?? 0) <= timer.due) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  /** Lets the clock run for so long at once. What falls due meanwhile is late. */
  elapse(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Starts something that goes on by itself. Whatever it throws has been dealt with before. */
  start(work: Promise<unknown>): void {
    const known = work.catch((error: unknown) => this.violate('harness', String(error)));
    const flight = known.then(() => {
      this.#inFlight.delete(flight);
    });
    this.#inFlight.add(flight);
  }

  /** Lets the clock run for so long, through everything that falls due meanwhile. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    for (let next = this.#nextTimer(); next && next.due <= until; next = this.#nextTimer()) {
      this.#now = Math.max(this.#now, next.due);
      next.gone = true;
      next.fire();
      await breathe();
    }
    this.#now = until;
  }

  /** Gives out turns until nothing is in flight; where something waits for a deadline, the clock goes there. */
  async settle(): Promise<void> {
    for (;;) {
      await breathe();
      if (this.#scheduler && this.#scheduler.count() > 0) await this.#scheduler.waitOne();
      else if (this.#inFlight.size === 0) break;
      else {
        const next = this.#nextTimer();
        if (!next) throw new Error('something is in flight that waits for nothing');
        await this.pass(Math.max(next.due - this.#now, 0));
      }
    }
    this.onSettled();
  }

  /** When the next of what waits for the clock falls due: milliseconds since the epoch. */
  nextDue(): number | undefined {
    return this.#nextTimer()?.due;
  }

  #nextTimer(): Timer | undefined {
    while (this.#timers[0]?.gone) this.#timers.shift();
    return this.#timers[0];
  }
}

/** Lets everything run on that waits for nothing but its turn in the microtask queue. */
async function breathe(): Promise<void> {
  for (let ticks = 0; ticks < 60; ticks += 1) await Promise.resolve();
}
