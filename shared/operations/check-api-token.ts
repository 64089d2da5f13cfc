// Finds out when an API token for Buildkite expires and what it may do: at most once an hour, after a sweep's own calls and counted with
// them. Where the calls of this minute are used up, or another sweep calls Buildkite, the next sweep does it.

import type { ApiTokenCheck } from '../core/deployment/deployment.ts';
import { API_TOKEN_CHECK_EVERY_MS, POLL_LOCK_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import { type FailureFacts, toFailure } from '../runtime/errors.ts';
import { CallBudget } from './call-budget.ts';
import { LookupError } from './lookup-error.ts';
import type { DeploymentLedger, DescribeApiToken, JobCheckLedger } from './ports.ts';

/** Milliseconds within which the call must be able to begin. */
const WAIT_MS = 1_000;

export interface ApiTokenDeps {
  /** Undefined without an API token. */
  readonly describeApiToken: DescribeApiToken | undefined;
  /** The same for the API token that reads teams. */
  readonly describeTeamsApiToken: DescribeApiToken | undefined;
  readonly deploymentLedger: DeploymentLedger;
  readonly jobCheckLedger: JobCheckLedger;
  readonly clock: Clock;
}

export interface CheckedApiToken {
  readonly check: ApiTokenCheck;
  /** Why Buildkite did not say. */
  readonly failure?: FailureFacts;
}

/** An API token of the sweep, by its field in the record of the function. */
export type SweepApiToken = Parameters<DeploymentLedger['apiTokenCheckedAt']>[0];

export class ApiTokenChecks {
  readonly #token: SweepApiToken;
  /** When the last check was, as far as this instance knows: its record may have failed. */
  #last: number | undefined;

  constructor(token: SweepApiToken) {
    this.#token = token;
  }

  /** Undefined when no check is due, or none can be made now. Throws DependencyError when the ledger fails. */
  async checkIfDue(deps: ApiTokenDeps): Promise<CheckedApiToken | undefined> {
    const { deploymentLedger, jobCheckLedger, clock } = deps;
    const describeApiToken = this.#token === 'buildkite_api_token' ? deps.describeApiToken : deps.describeTeamsApiToken;
    const isRecent = () => this.#last !== undefined && clock.now() - this.#last < API_TOKEN_CHECK_EVERY_MS;
    if (!describeApiToken || isRecent()) return undefined;
    this.#last = (await deploymentLedger.apiTokenCheckedAt(this.#token)) ?? this.#last;
    if (isRecent()) return undefined;
    const lock = await jobCheckLedger.acquirePollLock(POLL_LOCK_MS);
    if (!lock) return undefined;
    const budget = new CallBudget(clock, clock.now() + WAIT_MS, lock.calls);
    try {
      const result = await describe(budget, describeApiToken, clock);
      if (result) this.#last = result.check.checked_at;
      return result;
    } finally {
      // Should this fail, the right lapses by itself, and the next sweep takes it that all calls were made.
      await jobCheckLedger.releasePollLock(lock, budget.calls, budget.pause).catch(() => {});
    }
  }
}

async function describe(
  budget: CallBudget,
  describeApiToken: DescribeApiToken,
  clock: Clock,
): Promise<CheckedApiToken | undefined> {
  try {
    const response = await budget.call(describeApiToken);
    return response && { check: { checked_at: clock.now(), ...response.value } };
  } catch (error) {
    if (!LookupError.is(error)) throw error;
    const failure = toFailure(error);
    return { check: { checked_at: clock.now(), failure: failure.code }, failure };
  }
}
