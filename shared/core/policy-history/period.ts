// The period that a report is about, and whether logs prove that something was not used in it.

/** Milliseconds since the epoch. */
export interface Period {
  readonly since: number;
  readonly until: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A log without an entry for longer than this may lack some. Without sweeps in it, nobody writes to it over a long weekend. */
const LONGEST_GAP = 5 * DAY;

export interface CoverageReport {
  /** Undefined when no entry has a time. */
  readonly first_at: number | undefined;
  readonly last_at: number | undefined;
  /** Why something that is not in the log may have happened; empty when it did not happen. */
  readonly gaps: readonly Gap[];
}

export type Gap =
  | { readonly gap: 'no_times' }
  /** No allowed request is in it: perhaps the export has none of them. */
  | { readonly gap: 'no_requests' }
  /** What may have been requests could not be read. */
  | { readonly gap: 'unread_entries'; readonly count: number }
  | { readonly gap: 'begins_late'; readonly at: number }
  | { readonly gap: 'ends_early'; readonly at: number }
  | { readonly gap: 'no_entries'; readonly from: number; readonly until: number }
  /** Another policy decided, at last at this time. */
  | { readonly gap: 'other_policy'; readonly at: number };

/** Collects the times of the entries of a log, in any order. */
export class Coverage {
  readonly #hours = new Set<number>();
  #first: number | undefined;
  #last: number | undefined;
  #otherPolicyAt: number | undefined;
  #unread = 0;

  add(at: number | undefined): void {
    if (at === undefined) return;
    this.#hours.add(Math.floor(at / HOUR));
    this.#first = Math.min(this.#first ?? at, at);
    this.#last = Math.max(this.#last ?? at, at);
  }

  /** Entries that could not be read. */
  addUnread(count: number): void {
    this.#unread += count;
  }

  /** A request that another version of the policy decided. */
  addOtherPolicy(at: number | undefined): void {
    if (at !== undefined) this.#otherPolicyAt = Math.max(this.#otherPolicyAt ?? at, at);
  }

  /**
   * Whether the log has everything of a period. A policy that has changed may have things that are new.
   * @param allowed how many requests of the period were allowed
   */
  report({ since, until }: Period, allowed: number): CoverageReport {
    const [first_at, last_at] = [this.#first, this.#last];
    const gaps: Gap[] = [
      ...(this.#unread > 0 ? [{ gap: 'unread_entries' as const, count: this.#unread }] : []),
      ...(allowed === 0 ? [{ gap: 'no_requests' as const }] : []),
    ];
    if (first_at === undefined || last_at === undefined)
      return { first_at, last_at, gaps: [...gaps, { gap: 'no_times' }] };
    // A report says from when on the log proves something. A log that begins much later is of another period.
    if (first_at - since > Math.min(HOUR, (until - since) / 100)) gaps.push({ gap: 'begins_late', at: first_at });
    const longest = Math.min(LONGEST_GAP, (until - since) / 4);
    if (until - last_at > longest) gaps.push({ gap: 'ends_early', at: last_at });
    const hours = [...this.#hours].sort((left, right) => left - right);
    for (const [index, hour] of hours.entries()) {
      const [from, until] = [((hours[index - 1] ?? hour) + 1) * HOUR, hour * HOUR];
      if (until > since && until - Math.max(from, since) > longest && index > 0)
        gaps.push({ gap: 'no_entries', from: Math.max(from, since), until });
    }
    const other = this.#otherPolicyAt;
    if (other !== undefined && other >= since) gaps.push({ gap: 'other_policy', at: other });
    return { first_at, last_at, gaps };
  }
}
