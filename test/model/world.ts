// The world of one history: a clock that only moves when it is told to, deadlines that fall due as it does, chance from a
// seed, and turns that the scheduler gives out. What is found wrong is kept here, because the code under test would take
// a thrown assertion for a failure of Firestore or Google.

import type * as fc from 'fast-check';

/** Longer waits are deadlines and fall due by the clock; these pauses are a matter of turns. */
const LONGEST_PAUSE_MS = 1_200;
/** Of how many turns, and for how many more. */
const STALLING = 1 / 12;
const LONGEST_STALL = 15;
const BEGINNING = Date.UTC(2026, 0, 5, 9);

interface Timer {
  readonly due: number;
  readonly fire: () => void;
}

export class World {
  readonly scheduler: fc.Scheduler;
  /** What happened, in order: printed with a history that fails. */
  readonly story: string[] = [];
  readonly tally: Map<string, number>;
  readonly #timers = new Map<object, Timer>();
  readonly #pauses = new Set<object>();
  readonly #inFlight = new Set<Promise<void>>();
  #now = BEGINNING;
  #chance: number;
  #inPeace = false;
  #violation: Error | undefined;

  constructor(scheduler: fc.Scheduler, seed: number, tally: Map<string, number>) {
    this.scheduler = scheduler;
    this.#chance = seed;
    this.tally = tally;
  }

  readonly now = (): number => this.#now;

  /** Mulberry32. */
  readonly random = (): number => {
    this.#chance = (this.#chance + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#chance ^ (this.#chance >>> 15), 1 | this.#chance);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  /** Counts what happened, as long as the history is what was drawn. */
  count(what: string): void {
    if (this.#inPeace) return;
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  /** From now on nothing more is drawn: what happens is no merit of the generators. */
  beginPeace(): void {
    this.#inPeace = true;
  }

  tell(what: string): void {
    this.story.push(`${((this.#now - BEGINNING) / 1000).toFixed(0).padStart(6)} s  ${what}`);
  }

  /** The first thing found wrong is the one that counts. */
  violate(invariant: string, what: string): void {
    this.tell(`VIOLATED ${invariant}: ${what}`);
    this.#violation ??= new Error(`${invariant}: ${what}\n${this.story.slice(-120).join('\n')}`);
  }

  throwIfViolated(): void {
    if (this.#violation) throw this.#violation;
  }

  /**
   * Waits until the scheduler gives this its turn. Some turns are given up several times: a history in which everything
   * goes at the same pace meets few of the races.
   */
  async turn(label: string): Promise<void> {
    let stalls = this.random() < STALLING ? 3 + Math.floor(this.random() * LONGEST_STALL) : 0;
    for (; stalls > 0 && this.scheduler.count() > 0; stalls -= 1)
      await this.scheduler.schedule(Promise.resolve(), `${label} stalls`);
    await this.scheduler.schedule(Promise.resolve(), label);
  }

  after(milliseconds: number, fire: () => void): object {
    const handle = {};
    this.#timers.set(handle, { due: this.#now + milliseconds, fire });
    return handle;
  }

  cancel(handle: object): void {
    this.#timers.delete(handle);
    this.#pauses.delete(handle);
  }

  /** Starts something that goes on by itself. Whatever it throws has been dealt with before. */
  start(work: Promise<void>): void {
    const known = work.catch((error: unknown) => this.violate('harness', String(error)));
    const flight = known.then(() => {
      this.#inFlight.delete(flight);
    });
    this.#inFlight.add(flight);
  }

  /** Lets the clock run for so long, through everything that falls due meanwhile. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    for (let next = this.#nextTimer(); next && next[1].due <= until; next = this.#nextTimer()) {
      const [handle, { due, fire }] = next;
      this.#now = Math.max(this.#now, due);
      this.#timers.delete(handle);
      fire();
      await breathe();
    }
    this.#now = until;
  }

  /** Gives out turns until nothing is in flight; where something waits for a deadline, the clock goes there. */
  async settle(): Promise<void> {
    for (;;) {
      await breathe();
      if (this.scheduler.count() > 0) await this.scheduler.waitOne();
      else if (this.#inFlight.size === 0) return;
      else {
        const next = this.#nextTimer();
        if (!next) throw new Error('something is in flight that waits for nothing');
        await this.pass(Math.max(next[1].due - this.#now, 0));
      }
    }
  }

  #nextTimer(): [object, Timer] | undefined {
    let next: [object, Timer] | undefined;
    for (const entry of this.#timers) if (!next || entry[1].due < next[1].due) next = entry;
    return next;
  }

  /** Runs `history` with the global timers and chance of this world. */
  async inhabit(history: () => Promise<void>): Promise<void> {
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, random: Math.random };
    const set = (fire: () => void, milliseconds = 0): object => {
      if (milliseconds > LONGEST_PAUSE_MS) return this.after(milliseconds, fire);
      const handle = {};
      this.#pauses.add(handle);
      void this.turn('pause').then(() => {
        if (this.#pauses.delete(handle)) fire();
      });
      return handle;
    };
    Object.assign(globalThis, { setTimeout: set, clearTimeout: (handle: object) => this.cancel(handle) });
    Math.random = this.random;
    try {
      await history();
    } finally {
      Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
      Math.random = real.random;
    }
  }
}

/** Lets everything run on that waits for nothing but its turn in the microtask queue. */
async function breathe(): Promise<void> {
  for (let ticks = 0; ticks < 60; ticks += 1) await Promise.resolve();
}
