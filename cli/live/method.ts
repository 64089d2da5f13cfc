// How a trial is made. Durations are in milliseconds.

/** Five requests a second. */
export const PAUSE_MS = 200;
/** Accepted requests in a row before the release, which show that the target accepts the token at all. */
export const ACCEPTED_BEFORE = 5;
/** For the first of them: an account that was enabled a moment ago is not accepted everywhere yet. */
export const ACCEPTED_WITHIN_MS = 60_000;
/** Rejections in a row after which the grant's token has ended, by default. */
export const REJECTIONS_IN_A_ROW = 20;
/** How long after the release a trial goes on, by default. */
export const BOUND_MS = 5 * 60_000;
/** Trials that a distribution has, by default. */
export const TRIALS = 10;
/** After which a request is an error. */
export const REQUEST_DEADLINE_MS = 5_000;
/** How long a trial waits for a credential that is not free, or not served, now. */
export const ISSUE_WITHIN_MS = 10 * 60_000;
/** Before its own expiry, a token is no longer used: what is rejected from then on may have expired. */
export const EXPIRY_MARGIN_MS = 1_000;
/** How long the release of a grant is tried again. The end of the job ends its grants, too. */
export const RELEASE_WITHIN_MS = 60_000;
/** The pause after a response that names none. */
export const RETRY_PAUSE_MS = 1_000;
