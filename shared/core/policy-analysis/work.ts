// A bound on the work of one question. Whether a union of rules includes a rule takes exponential time in the worst case, so a question
// that exceeds its bound has the answer "cannot tell". The bound counts steps, not time: the same question has the same answer on
// every machine.

/** Thrown where a question exceeds its bound. */
export class CannotTell extends Error {
  override name = 'CannotTell';
}

/** Steps of one question. Each is a pattern that a character, or a value, is compared with. */
export const MAX_STEPS = 2_000_000;
/** Of all questions that belong together. When they are used up, each further question still has a few, from a reserve. */
const MAX_STEPS_TOGETHER = 20_000_000;
const FEW_STEPS = 50_000;
/** What each question has, so that an easy one has an answer after any number of others. */
const LEAST_STEPS = 1000;

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

/**
 * The work of many questions, one after the other. All of them together have twice the steps at most, and a few for each: their number
 * grows with the size of what was written, and not exponentially.
 */
export class WorkTogether {
  readonly #each: number;
  #left: number;
  #reserve: number;
  #spent = 0;
  #last: Work | undefined;

  /** @param each the most that one question has */
  constructor(steps = MAX_STEPS_TOGETHER, each = MAX_STEPS) {
    this.#each = each;
    this.#left = steps;
    this.#reserve = steps;
  }

  /** Of all questions. */
  get spent(): number {
    return this.#spent + (this.#last?.spent ?? 0);
  }

  /** The work of the next question. */
  next(): Work {
    const spent = this.#last?.spent ?? 0;
    this.#spent += spent;
    this.#reserve -= Math.max(0, spent - Math.max(0, this.#left));
    this.#left -= spent;
    const few = Math.min(FEW_STEPS, this.#reserve);
    this.#last = new Work(Math.max(LEAST_STEPS, Math.min(this.#each, Math.max(few, this.#left))));
    return this.#last;
  }
}
