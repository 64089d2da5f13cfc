// What a series of requests through the end of a grant shows about one API. Pure. Times are milliseconds since the epoch.

/** `error`: neither accepted nor rejected, such as 503 or no response at all. `pending`: not answered yet. */
export type Outcome = 'accepted' | 'rejected' | 'error' | 'pending';

/** One request with the token of the grant. */
export interface Observation {
  readonly sentAt: number;
  readonly outcome: Outcome;
}

/** The call of `/revoke` that ended the grant. */
export interface Release {
  readonly sentAt: number;
  /** When Keydesk responded that the grant has ended. */
  readonly respondedAt: number;
}

/**
 * `ended`: the last requests were rejected, as many in a row as the method asks for. `still_accepted`: the last request that the API
 * judged was accepted. `undecided`: neither.
 */
type Ending = 'ended' | 'still_accepted' | 'undecided';

export interface Verdict {
  readonly outcome: Ending;
  /** Requests since the release was sent. */
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: number;
  /** How often a request was accepted after the one before it had been rejected. */
  readonly flips: number;
  /** From the response to the release until the last accepted request was sent; 0 when none was accepted after it. */
  readonly lastAcceptedMs: number;
  /** The same from when the release was sent. */
  readonly lastAcceptedFromSendingMs: number;
  /** From the response to the release until the first rejected request after the last accepted one; undefined when there is none. */
  readonly nextRejectedMs: number | undefined;
  /** From the response to the release until the last request of all. */
  readonly watchedMs: number;
}

/** How many requests at the end of `observations` were rejected in a row. What is no judgement of the API is passed over. */
export function rejectionsAtEnd(observations: readonly Observation[]): number {
  let count = 0;
  for (const { outcome } of observations.toReversed()) {
    if (outcome === 'accepted') return count;
    if (outcome === 'rejected') count += 1;
  }
  return count;
}

/** How many of the answered requests at the end were accepted in a row, with no error or rejection among them. */
export function acceptancesAtEnd(observations: readonly Observation[]): number {
  const answered = observations.filter(({ outcome }) => outcome !== 'pending');
  return answered.length - 1 - answered.findLastIndex(({ outcome }) => outcome !== 'accepted');
}

/** @param observations every request, in the order in which they were sent; those before the release do not count */
export function verdictOf(observations: readonly Observation[], release: Release, rejectionsInARow: number): Verdict {
  const after = observations.filter(({ sentAt }) => sentAt >= release.sentAt);
  const judged = after.filter(({ outcome }) => outcome === 'accepted' || outcome === 'rejected');
  const count = (outcome: Outcome) => after.filter((one) => one.outcome === outcome).length;
  const last = judged.findLastIndex(({ outcome }) => outcome === 'accepted');
  const lastAccepted = judged[last];
  const nextRejected = judged[last + 1];
  return {
    outcome: endingOf(judged, rejectionsInARow),
    accepted: count('accepted'),
    rejected: count('rejected'),
    errors: count('error') + count('pending'),
    flips: judged.filter(({ outcome }, at) => outcome === 'accepted' && judged[at - 1]?.outcome === 'rejected').length,
    lastAcceptedMs: lastAccepted ? Math.max(0, lastAccepted.sentAt - release.respondedAt) : 0,
    lastAcceptedFromSendingMs: lastAccepted ? lastAccepted.sentAt - release.sentAt : 0,
    nextRejectedMs: nextRejected && Math.max(0, nextRejected.sentAt - release.respondedAt),
    watchedMs: Math.max(0, (after.at(-1)?.sentAt ?? 0) - release.respondedAt),
  };
}

function endingOf(judged: readonly Observation[], rejectionsInARow: number): Ending {
  if (rejectionsAtEnd(judged) >= rejectionsInARow) return 'ended';
  return judged.at(-1)?.outcome === 'accepted' ? 'still_accepted' : 'undecided';
}
