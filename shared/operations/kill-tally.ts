// What an act of the kill switch did so far: how many grants came to what, and the first of each, because a response and a function's
// memory have room for some, not for all.

import { acceptedUntil } from '../core/grant/accepted.ts';
import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { MAX_LISTED } from '../core/operator-api/admin.ts';
import type { Failure } from '../runtime/work-queue.ts';
import { type EndResult, unreadablePending } from './end-job.ts';
import type { UnreadableRecord } from './ports.ts';

/** What is left. */
export type Unfinished = Failure & {
  /** Until when a token of the grant may be accepted at the latest, in milliseconds since the epoch; null where that is not known. */
  readonly accepted_until: number | null;
};

/** Each selected grant is in one of these but `selected`. What could not be read is unfinished, and not selected. */
interface KillCounts {
  readonly selected: number;
  /** No token is accepted any more. */
  readonly revoked: number;
  /** The account is disabled. Google may accept its tokens for some time. */
  readonly disabled: number;
  readonly still_accepted: number;
  readonly expired: number;
  /** Something else ended its access before this act came to it. */
  readonly ended_before: number;
  readonly unfinished: number;
  readonly ambiguous: number;
}

/** The lists have MAX_LISTED items at most; `counts` has how many there were. */
export interface KillResult extends EndResult {
  readonly id: string;
  /** Live when they were read, and selected. */
  readonly selected: readonly Grant[];
  /** Grants without a `pipeline_id`, left alone because it is not known whether they are selected. */
  readonly ambiguous: readonly Grant[];
  /** Selected, also those that were ended before: nothing can reject their tokens before they expire. By the last record that was written. */
  readonly stillAccepted: readonly Grant[];
  /** On record as ending, and access was not taken away yet. */
  readonly pending: readonly ({ readonly grant_id: string } & Unfinished)[];
  /** Not on record as ending, or not read. */
  readonly failures: readonly Unfinished[];
  readonly counts: KillCounts;
}

/** Keeps its first items and counts all. */
class Listed<T> {
  count = 0;
  readonly items: T[] = [];

  add(more: readonly T[]): void {
    this.count += more.length;
    this.items.push(...more.slice(0, MAX_LISTED - this.items.length));
  }
}

export class KillTally {
  readonly #selected = new Listed<Grant>();
  readonly #ambiguous = new Listed<Grant>();
  readonly #revoked = new Listed<Grant>();
  readonly #notRenewed = new Listed<Grant>();
  readonly #expired = new Listed<Grant>();
  readonly #stillAccepted = new Listed<Grant>();
  readonly #pending = new Listed<{ readonly grant_id: string } & Unfinished>();
  readonly #failures = new Listed<Unfinished>();
  #unread: readonly Unfinished[] = [];
  #disabled = 0;
  #endedBefore = 0;

  /** What a page of live grants has for this act. */
  found(selected: readonly Grant[], ambiguous: readonly Grant[], unreadable: readonly UnreadableRecord[]): void {
    this.#selected.add(selected);
    this.#ambiguous.add(ambiguous);
    this.#failures.add(unreadablePending(unreadable).map((record) => ({ ...record, accepted_until: null })));
  }

  /** What came of one grant that this act ended. @param grant as it was before access was taken away */
  ended(grant: Grant, result: EndResult, now: number): void {
    this.#revoked.add(result.revoked);
    this.#disabled += result.revoked.filter(({ revocation }) => revocation === 'propagating').length;
    this.#expired.add(result.expired);
    this.#notRenewed.add(result.notRenewed);
    this.#pending.add(result.pending.map((pending) => ({ ...pending, accepted_until: grant.expires_at })));
    for (const left of result.notRenewed) this.endedBefore(left, now);
    const { revoked, expired, notRenewed, pending } = result;
    if (revoked.length + expired.length + notRenewed.length + pending.length === 0) this.endedBefore(grant, now);
  }

  /** A grant whose end was on record before, or that nothing more can be done about. */
  endedBefore(grant: Grant, now: number): void {
    const beingRevoked = grant.state === 'revoking' && grant.access_ended_at === null;
    if (!beingRevoked && acceptedUntil(grant, now) !== null) this.#stillAccepted.add([grant]);
    else this.#endedBefore += 1;
  }

  /** A grant that something else ended meanwhile. */
  gone(): void {
    this.#endedBefore += 1;
  }

  /** Not all live grants were read. */
  notAllRead(error: string): void {
    this.#unread = [{ code: 'not_attempted', error, accepted_until: null }];
  }

  failed(failures: readonly Unfinished[]): void {
    this.#failures.add(failures);
  }

  left(grants: readonly Grant[], error: string): void {
    this.failed(
      grants.map((grant) => ({
        grant_id: grantIdOf(grant),
        code: 'not_attempted',
        error,
        accepted_until: grant.expires_at,
      })),
    );
  }

  result(id: string): KillResult {
    return {
      id,
      selected: this.#selected.items,
      ambiguous: this.#ambiguous.items,
      revoked: this.#revoked.items,
      notRenewed: this.#notRenewed.items,
      expired: this.#expired.items,
      stillAccepted: this.#stillAccepted.items,
      pending: this.#pending.items,
      failures: [...this.#unread, ...this.#failures.items],
      counts: {
        selected: this.#selected.count,
        revoked: this.#revoked.count - this.#disabled,
        disabled: this.#disabled,
        still_accepted: this.#stillAccepted.count,
        expired: this.#expired.count,
        ended_before: this.#endedBefore,
        unfinished: this.#unread.length + this.#pending.count + this.#failures.count,
        ambiguous: this.#ambiguous.count,
      },
    };
  }
}
