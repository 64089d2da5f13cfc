// A process of Keydesk that can be cut off. Every operation it makes on a database or over the network goes through it;
// at a given one, before or after it, the process is no more: no answer reaches it, and nothing that it would have begun
// begins. What it had begun by then is finished by the receiver. Knows nothing of what the operations are.

/** Where to cut: an operation by the name that {@link Cutting} gave it in an undisturbed run. */
export interface Cut {
  readonly operation: string;
  /** `before`: it is not begun. `after`: it is done, and its answer never arrives. */
  readonly side: 'before' | 'after';
}

/** Names the operations of one act, over all its processes, and cuts one of these off. */
export class Cutting {
  /** The operations that change something or leave the process, in the order in which they began. */
  readonly operations: string[] = [];
  readonly #cut: Cut | undefined;
  #made = false;

  constructor(cut?: Cut) {
    this.#cut = cut;
  }

  /** Whether the cut was made. */
  get made(): boolean {
    return this.#made;
  }

  /** The operation's name: what it is, and the how manieth of its kind in this act. */
  begin(label: string): string {
    const before = this.operations.filter((operation) => operation.startsWith(`${label} #`)).length;
    const operation = `${label} #${before + 1}`;
    this.operations.push(operation);
    return operation;
  }

  cuts(operation: string, side: Cut['side']): boolean {
    if (this.#cut?.operation !== operation || this.#cut.side !== side) return false;
    this.#made = true;
    return true;
  }
}

export class CutProcess {
  readonly #cutting: Cutting;
  readonly #going = new Set<Promise<unknown>>();
  readonly #cutOff = Promise.withResolvers<'cut off'>();
  #alive = true;

  constructor(cutting = new Cutting()) {
    this.#cutting = cutting;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** A write, or a call that leaves the process: the process may be cut off before and after it. */
  async operation<T>(label: string, perform: () => Promise<T>): Promise<T> {
    if (!this.#alive) return never();
    const operation = this.#cutting.begin(label);
    if (this.#cutting.cuts(operation, 'before')) return this.#stop();
    return this.#respondTo(perform, () => this.#cutting.cuts(operation, 'after'));
  }

  /** A read. To be cut off at one is the same as to be cut off after the write or call before it. */
  async read<T>(perform: () => Promise<T>): Promise<T> {
    return this.#alive ? this.#respondTo(perform, () => false) : never();
  }

  /** What the process comes to. Returns once nothing that it began is under way any more. */
  async run<T>(work: () => Promise<T>): Promise<{ readonly returned: T } | 'cut off'> {
    const working = work().then((returned) => ({ returned }));
    working.catch(() => {});
    try {
      return await Promise.race([working, this.#cutOff.promise]);
    } finally {
      this.#alive = false;
      while (this.#going.size > 0) await Promise.allSettled(this.#going);
    }
  }

  async #respondTo<T>(perform: () => Promise<T>, cuts: () => boolean): Promise<T> {
    const going = perform();
    this.#going.add(going);
    try {
      const response = await going;
      return cuts() || !this.#alive ? this.#stop() : response;
    } catch (error) {
      if (cuts() || !this.#alive) return this.#stop();
      throw error;
    } finally {
      this.#going.delete(going);
    }
  }

  #stop<T>(): Promise<T> {
    this.#alive = false;
    this.#cutOff.resolve('cut off');
    return never();
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
