// How often something was used, and when: first, last, and how many times.

export interface Use {
  readonly count: number;
  /** Milliseconds since the epoch; undefined where no line says when. */
  readonly first_at: number | undefined;
  readonly last_at: number | undefined;
}

export const UNUSED: Use = { count: 0, first_at: undefined, last_at: undefined };

export function addUse({ count, first_at, last_at }: Use, at: number | undefined): Use {
  if (at === undefined) return { count: count + 1, first_at, last_at };
  return {
    count: count + 1,
    first_at: first_at === undefined ? at : Math.min(first_at, at),
    last_at: last_at === undefined ? at : Math.max(last_at, at),
  };
}

export function mergeUses(one: Use, other: Use): Use {
  const times = [one.first_at, one.last_at, other.first_at, other.last_at].filter((at) => at !== undefined);
  return {
    count: one.count + other.count,
    first_at: times.length > 0 ? Math.min(...times) : undefined,
    last_at: times.length > 0 ? Math.max(...times) : undefined,
  };
}

/** Uses by what was used. */
export class Uses {
  readonly #uses = new Map<string, Use>();

  add(used: string, at: number | undefined): void {
    this.#uses.set(used, addUse(this.of(used), at));
  }

  of(used: string): Use {
    return this.#uses.get(used) ?? UNUSED;
  }
}
