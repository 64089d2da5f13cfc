// A bound on the work of one question. Whether a union of rules includes a rule takes exponential time in the worst case, so a question
// that exceeds its bound has the answer "cannot tell". The bound counts steps, not time: the same question has the same answer on
// every machine.

/** Thrown where a question exceeds its bound. */
export class CannotTell extends Error {
  override name = 'CannotTell';
}

/** Steps of one question. Each is a pattern that a character, or a value, is compared with. */
const MAX_STEPS = 2_000_000;

export class Work {
  #left: number;

  constructor(steps = MAX_STEPS) {
    this.#left = steps;
  }

  /** @throws CannotTell when the steps are used up */
  spend(steps = 1): void {
    this.#left -= steps;
    if (this.#left < 0) throw new CannotTell();
  }
}
