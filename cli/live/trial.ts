// One trial of one credential: obtains a canary grant, measures its end, and says what came of it.

import type { Clock } from '../../shared/runtime/clock.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import type { CanaryGrant, CanaryGrants } from './canary-grants.ts';
import type { Measured, Trial } from './document.ts';
import { measureTrial } from './measure.ts';
import { createProbe } from './probe.ts';
import type { Target } from './targets.ts';
import type { Verdict } from './verdict.ts';

export interface TrialDeps {
  readonly grants: CanaryGrants;
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Takes a line about the progress, and about what goes wrong. */
  readonly note: (line: string) => void;
  readonly rejectionsInARow: number;
  readonly boundMs: number;
  readonly withNames: boolean;
}

export interface TrialSubject {
  readonly credential: string;
  /** What the results call it without names. */
  readonly label: string;
  readonly targets: readonly Target[];
}

/** @throws the reason of `signal`. Its grant may be left then, for `grants` to release */
export async function runTrial(deps: TrialDeps, subject: TrialSubject): Promise<Trial> {
  const { grants, note, signal, withNames } = deps;
  const { credential } = subject;
  const obtained = await grants.obtain(credential, signal);
  if (!('issued' in obtained)) {
    note(`${credential} was not issued: ${obtained.why}`);
    return { ...emptyTrial(deps, subject), not_measured: 'refused' };
  }
  const { environment, grant_id, revocation } = obtained.issued;
  const trial = { ...emptyTrial(deps, subject), ...(withNames && { environment, grant_id }), revocation };
  // Not measured, but released by the caller as any other.
  if (revocation === 'expiry') return { ...trial, not_measured: 'ends_by_expiry' };
  note(`${credential} is issued. It is used five times a second, and released.`);
  const result = await measure(deps, subject, obtained);
  if ('notMeasured' in result) return { ...trial, not_measured: result.notMeasured };
  const targets = result.verdicts.flatMap((verdict, index) => {
    const target = subject.targets[index];
    return target ? [toMeasured(verdict, target, withNames)] : [];
  });
  return { ...trial, targets };
}

function emptyTrial({ withNames }: TrialDeps, { credential, label }: TrialSubject): Trial {
  return {
    run: 0,
    credential: withNames ? credential : label,
    revocation: null,
    released: true,
    not_measured: null,
    targets: [],
  };
}

function measure(deps: TrialDeps, { targets }: TrialSubject, grant: CanaryGrant) {
  const { sendRequest, clock, signal, grants, rejectionsInARow, boundMs } = deps;
  return measureTrial({
    probes: targets.map((target) => createProbe(target, grant.issued.access_token, sendRequest)),
    release: () => grants.release(grant),
    rejectionsInARow,
    boundMs,
    expiresAt: grant.expiresAt,
    clock,
    signal,
  });
}

function toMeasured(verdict: Verdict, { api, url }: Target, withNames: boolean): Measured {
  const { outcome, accepted, rejected, errors, flips, nextRejectedMs } = verdict;
  return {
    api,
    ...(withNames && { url }),
    outcome,
    accepted,
    rejected,
    errors,
    flips,
    last_accepted_s: verdict.lastAcceptedMs / 1000,
    last_accepted_from_sending_s: verdict.lastAcceptedFromSendingMs / 1000,
    next_rejected_s: nextRejectedMs === undefined ? null : nextRejectedMs / 1000,
    watched_s: verdict.watchedMs / 1000,
  };
}
