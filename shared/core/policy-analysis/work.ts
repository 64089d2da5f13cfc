// A bound on the work of one question. Whether a union of rules includes a rule takes exponential time in the worst case, so a question
// that exceeds its bound has the answer "cannot tell". The bound counts steps, not time: the same question has the same answer on
// every machine.

/** Thrown where a question exceeds its bound. */
export class CannotTell extends Error {
  override name = 'CannotTell';
}

/** Steps of one question. Each is a pattern that a character, or a value, is compared with. */
export const MAX_STEPS = 2_000_000;
/** Of all questions that belong together. When they are used up, each further question still has a few. */
const MAX_STEPS_TOGETHER = 20_000_000;
const FEW_STEPS = 50_000;

export class Work {
  readonly #steps: number;
  #left: number;
  readonly #total: Work | undefined;

  /** @param total of several questions */
  constructor(steps = MAX_STEPS, total?: Work) {
    this.#steps = steps;
    this.#left = steps;
    this.#total = total;
  }

  get spent(): number {
    return this.#steps - this.#left;
  }

  /** @throws CannotTell when the steps are used up */
  spend(steps = 1): void {
    this.#left -= steps;
    if (this.#left < 0) throw new CannotTell();
    this.#total?.spend(steps);
  }
}

/** The work of many questions, one after the other. */
export class WorkTogether {
  #left: number;
  #last: Work | undefined;

  constructor(steps = MAX_STEPS_TOGETHER) {
    this.#left = steps;
  }

  /** The work of the next question. */
  next(): Work {
    this.#left -= this.#last?.spent ?? 0;
    this.#last = new Work(Math.max(FEW_STEPS, Math.min(MAX_STEPS, this.#left)));
    return this.#last;
  }
}
