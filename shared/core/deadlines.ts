// Deadlines of the calls that an issue waits for, in milliseconds, and the margin that follows from them. Pure.

/**
 * Milliseconds that the first call of its kind may take in an instance. A small instance shares its processor among
 * loading Google's libraries, building clients and its first connections. That has taken more than the 3 to 5 seconds
 * that a call gets later, and nothing was wrong.
 */
export const COLD_DEADLINE_MS = 15_000;

/** What fetching the service's own access token may take. An instance fetches the first one before its first request. */
export const IDENTITY_DEADLINE_MS = 5_000;

/** Milliseconds that one step of the ledger may take, such as recording a reservation. */
export const LEDGER_DEADLINE_MS = 5_000;

/**
 * How long after the decision to reserve it a service account's token may begin to live: the commit of the reservation,
 * the service's own access token and the first call to IAM Credentials come before. A mint that keeps these deadlines
 * is never refused for being slow.
 */
export const MINT_MARGIN_MS = LEDGER_DEADLINE_MS + IDENTITY_DEADLINE_MS + COLD_DEADLINE_MS;
