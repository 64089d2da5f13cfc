// The durations that must agree with each other, in milliseconds unless they say otherwise. test/unit/core/timing.test.ts
// asserts how. Durations that concern one module alone stay there.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Clocks of the functions' instances, of Google and of Buildkite.

/** By how much any one clock may be fast or slow. */
export const CLOCK_SKEW_MS = 45 * SECOND;
/** By how much two clocks may differ: one fast, the other slow. */
export const CLOCK_MARGIN_MS = 2 * CLOCK_SKEW_MS;

/** Whether a time that another clock set has passed by every clock. */
export function surelyPast(time: number, now: number): boolean {
  return time + CLOCK_MARGIN_MS <= now;
}

// Issuance

/**
 * What the first call of its kind may take in an instance. A small instance shares its processor among loading Google's
 * libraries, building clients and its first connections. That has taken more than the 3 to 5 seconds that a call gets
 * later, and nothing was wrong.
 */
export const COLD_DEADLINE_MS = 15 * SECOND;
/** What fetching the service's own access token may take. An instance fetches the first one before its first request. */
export const IDENTITY_DEADLINE_MS = 5 * SECOND;
/** What one step of the ledger may take, such as recording a reservation. */
export const LEDGER_DEADLINE_MS = 5 * SECOND;
/**
 * How long after the decision to reserve it a service account's token may begin to live: the commit of the reservation,
 * the service's own access token and the first call to IAM Credentials come before. A mint that keeps these deadlines
 * is never refused for being slow.
 */
export const MINT_MARGIN_MS = LEDGER_DEADLINE_MS + IDENTITY_DEADLINE_MS + COLD_DEADLINE_MS;
/** For how long a pipeline's live grants are taken to be as many as they were. */
export const GRANT_COUNT_CACHE_MS = 10 * SECOND;
/** Seconds after which a pipeline that holds too many may try again: by then they are counted again. */
export const LIMIT_RETRY_AFTER = 30;

// The end of a job, reported by a webhook

/** How long Buildkite waits for the response to a webhook. */
export const WEBHOOK_TIMEOUT_MS = 5 * SECOND;
/** For the whole end of a job. */
export const END_BUDGET_MS = 4 * SECOND;
/** For recording the end. */
export const END_COMMIT_DEADLINE_MS = 3 * SECOND;
/** Of the budget, what is kept for recording what was revoked. */
export const RECORD_RESERVE_MS = 1 * SECOND;
/** How long a job token may outlive its job: a late webhook may report an end that is older than a grant. */
export const MAX_JOB_TOKEN_AGE_MS = 2 * HOUR;
/** By how much a finish time that Buildkite reports may be ahead of this service's clock. */
export const FINISH_TIME_TOLERANCE_MS = 2 * CLOCK_SKEW_MS;

// The sweep

/** How often Cloud Scheduler calls it. */
export const SWEEP_EVERY_MS = 1 * MINUTE;
/** After which a step begins nothing more. */
export const SWEEP_STEP_MS = 9 * SECOND;
/** For one grant, so that a few that hang do not use up the time of all. */
export const SWEEP_GRANT_MS = 5 * SECOND;
/** For each of the three things that are done with accounts. */
export const ACCOUNT_STEP_MS = 5 * SECOND;
/** Within which the calls of one sweep to Buildkite begin. The first call to a host may take COLD_DEADLINE_MS. */
export const POLL_BUDGET_MS = 15 * SECOND;
/** For which no other sweep may call Buildkite. */
export const POLL_LOCK_MS = 45 * SECOND;
/** After which no further job is ended. */
export const END_STEP_MS = 15 * SECOND;

/** For all that is recorded of a sweep once it is over. */
export const RECORD_SWEEP_MS = 30 * SECOND;

// The API token for Buildkite

/** How often Buildkite is requested to describe it, at most. */
export const API_TOKEN_CHECK_EVERY_MS = 1 * HOUR;
/** Within which its expiry is reported by each check. */
export const API_TOKEN_EXPIRES_SOON_MS = 48 * HOUR;

// Checks of jobs at Buildkite

/** First checks lie within this time. They are spread, because jobs that begin together must not be due together. */
export const FIRST_CHECK_MS = 4 * MINUTE;
/** After a response that the job runs: a check after 4.5 minutes falls into the fifth sweep. */
export const CHECK_EVERY_MS = 4.5 * MINUTE;
/** After a response that Buildkite does not show this job to the API token. */
export const UNKNOWN_AGAIN_MS = 10 * MINUTE;
/** A job with live grants about which Buildkite has not responded for longer is counted and reported. */
export const UNCHECKED_MS = 15 * MINUTE;

// Builds and teams, for the conditions of rules

/** For recording what a webhook says of a build. */
export const BUILD_NEWS_DEADLINE_MS = 3 * SECOND;
/** From the beginning of a sweep until no call about a build begins: the next sweep's lookups of jobs must not wait for them. */
export const LOOK_UNTIL_MS = 35 * SECOND;

/** For how long a build's record is kept after the last news of it: longer than a build may wait for its approval. */
export const BUILD_RETENTION_MS = 35 * DAY;
/** Seconds after which a job that waits for an approval asks again. */
export const PENDING_RETRY_AFTER = 10;
/** Seconds after which the sweep may have read what a rule depends on. */
export const UNKNOWN_RETRY_AFTER = 30;
/** How often the sweep reads a team, where its calls allow. */
export const READ_TEAM_EVERY_MS = 5 * MINUTE;
/** How much sooner a team is due than that: a sweep may begin a little early. It is also after what time a failure is tried again. */
export const READ_TEAM_MARGIN_MS = 30 * SECOND;
/** Within which the calls of one sweep for teams begin. */
export const TEAM_BUDGET_MS = 15 * SECOND;
/** After the beginning of a sweep, no call for teams begins: the next sweep reconciles first. */
export const TEAMS_UNTIL_MS = 30 * SECOND;
/** For how long a team is read after the last start of a function with a policy that names it. */
export const TEAM_NAMED_MS = 1 * DAY;
/** For how long the copy of a team is kept after the last try to read it: longer than any copy may be used. */
export const TEAM_RETENTION_MS = 7 * DAY;

// Pooled accounts

/** For how long Google may still carry out a request after its response was lost or late. */
export const LATE_REQUEST_MS = 1 * MINUTE;
/** For how much longer than its last token an account cools down, so that no clock accepts that token any more. */
export const COOLDOWN_MARGIN_MS = 2 * CLOCK_SKEW_MS;
/** From reading that an account is to be disabled until the last request for that is given up. */
const LONGEST_DISABLE_MS = COLD_DEADLINE_MS + SWEEP_STEP_MS;
/** The shortest cooldown, by whichever clocks it begins and ends. */
export const SHORTEST_COOLDOWN_MS = COOLDOWN_MARGIN_MS + LONGEST_DISABLE_MS + LATE_REQUEST_MS;
/** How long a sweep may go on enabling what it began. */
export const ENABLE_WINDOW_MS = 20 * SECOND;
/** For which no other sweep enables an account. */
export const ENABLE_CLAIM_MS = 5 * MINUTE;
/** How long a sweep may go on disabling again what it found enabled and recorded that it disables. */
export const DISABLE_WINDOW_MS = LEDGER_DEADLINE_MS + ACCOUNT_STEP_MS;
/** For which no sweep enables such an account, by whichever clocks: until then Google may carry out a request to disable it. */
export const DISABLE_CLAIM_MS = CLOCK_MARGIN_MS + DISABLE_WINDOW_MS + COLD_DEADLINE_MS + LATE_REQUEST_MS;
/** How often a cooling-down account is looked at: by about every sweep. */
export const RECHECK_EVERY_MS = 50 * SECOND;

// Records

/** How long grants, ended jobs and free accounts are kept. */
export const RECORD_RETENTION_MS = 400 * DAY;
/**
 * How long a policy's text is kept after an instance last started with it. Grants name the policy for as long as they are kept,
 * and an instance issues them for as long as it runs.
 */
export const POLICY_RETENTION_MS = 500 * DAY;
