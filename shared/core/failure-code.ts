// The codes of failures: what logs, metrics and queries read in place of the words of `error`, which may change.

/** Each code, and what it says. */
export const FAILURE_CODES = {
  unreachable: 'no connection, or it was lost before the whole response arrived',
  timed_out: 'no response, or no result that is still of use, within the time allowed',
  not_attempted: 'the time was up before it began',
  error_response: 'the response is an error that may pass',
  rate_limited: 'the response says that a quota or a rate limit is exceeded',
  refused: 'the response says that the request is not allowed or not valid. `cause` says why, where Google does',
  invalid_response: 'the response does not match the request, or is malformed',
  response_too_large: 'the response has more bytes than are read',
  team_missing: "Buildkite does not show the team: it was deleted, or the API token's user may not see it",
  team_too_large: 'the team has more members or pipelines than are read',
  no_calls_left: 'the calls or the time for it were used up before all of it was read',
  call_failed: 'a client library failed and does not say more',
  not_confirmed: 'the request was accepted, but the state of the account did not change in time',
  not_recorded: 'access was taken away, too late to record it',
  token_unusable: 'the new token does not fit the grant as it is by now, and was dropped',
  no_usable_keys: "the issuer's key set has no key that could verify a job token",
  policy_mismatch: 'instances with another policy serve the same grant while a policy is being deployed',
  account_in_pool: 'a pool uses the shared account, or did until lately, and its tokens have not all expired',
  firebase_user_changed: 'somebody changed the Firebase user, and no other could take its place in time',
  unreadable_record: 'a record of the ledger cannot be read, and was skipped',
  enabled_during_cooldown: 'an account was found enabled while it must be disabled, and could not be disabled',
  account_missing: 'IAM does not have an account of a pool',
  lease_without_grant: 'no grant held a leased account any more; its cooldown was started',
  internal_error: 'a fault of Keydesk',
} as const;

export type FailureCode = keyof typeof FAILURE_CODES;
