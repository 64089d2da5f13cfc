// What is still to happen in simulated time, earliest first, and the clock that all parts go by. What falls on the same
// second happens at once. Knows nothing of what happens.

/** Milliseconds since the epoch; moved by the agenda alone. */
export interface Clock {
  now: number;
}

type Happening = () => unknown;

const SECOND = 1000;

export class Agenda {
  readonly clock: Clock;
  /** What happens, by its second; the seconds themselves as a binary heap. */
  readonly #happenings = new Map<number, Happening[]>();
  readonly #seconds: number[] = [];

  constructor(start: number) {
    this.clock = { now: toSecond(start) };
  }

  /** How many seconds have something left to happen in them. */
  get size(): number {
    return this.#seconds.length;
  }

  /** Rounds up to a full second; what is already over happens a second from now. */
  add(at: number, happening: Happening): void {
    const second = Math.max(toSecond(at), this.clock.now + SECOND);
    const known = this.#happenings.get(second);
    if (known) known.push(happening);
    else {
      this.#happenings.set(second, [happening]);
      this.#push(second);
    }
  }

  /** Lets everything happen, `after` behind each second in which something did. Ends when nothing is left. */
  async run(after: () => Promise<unknown>): Promise<void> {
    for (let second = this.#pop(); second !== undefined; second = this.#pop()) {
      this.clock.now = second;
      const happenings = this.#happenings.get(second) ?? [];
      this.#happenings.delete(second);
      await Promise.all(happenings.map(async (happening) => happening()));
      await after();
    }
  }

  #push(second: number): void {
    const heap = this.#seconds;
    let index = heap.push(second) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#at(parent) <= second) break;
      heap[index] = this.#at(parent);
      index = parent;
    }
    heap[index] = second;
  }

  #pop(): number | undefined {
    const heap = this.#seconds;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#at(child + 1) < this.#at(child)) child += 1;
      if (this.#at(child) >= last) break;
      heap[index] = this.#at(child);
      index = child;
    }
    heap[index] = last;
    return first;
  }

  #at(index: number): number {
    return this.#seconds[index] ?? Number.POSITIVE_INFINITY;
  }
}

function toSecond(at: number): number {
  return Math.ceil(at / SECOND) * SECOND;
}
