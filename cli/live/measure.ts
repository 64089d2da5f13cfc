// One trial: uses a canary token against its targets five times a second, has its grant released, and goes on until every target
// has rejected it often enough, or the time is up. Knows neither HTTP nor Keydesk.

import type { Clock } from '../../shared/runtime/clock.ts';
import { ACCEPTED_BEFORE, ACCEPTED_WITHIN_MS, EXPIRY_MARGIN_MS, PAUSE_MS } from './method.ts';
import { acceptancesAtEnd, type Outcome, type Release, rejectionsAtEnd, type Verdict, verdictOf } from './verdict.ts';

/** Sends one request to a target. It never rejects, and is never `pending`. */
export type Probe = (use: 'with_token' | 'without_token') => Promise<Outcome>;

export interface TrialSetup {
  readonly probes: readonly Probe[];
  /** Resolves once Keydesk responded that the grant has ended; retries by itself. */
  readonly release: () => Promise<void>;
  readonly rejectionsInARow: number;
  /** How long after the release is sent the trial goes on, in milliseconds. */
  readonly boundMs: number;
  /** When the token expires by itself, in milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly clock: Clock;
  /** Ends the trial early: it rejects with the reason. */
  readonly signal: AbortSignal;
}

type NotMeasured = 'open_without_token' | 'not_accepted_before' | 'expires_too_soon' | 'not_released';
export type TrialResult = { readonly verdicts: readonly Verdict[] } | { readonly notMeasured: NotMeasured };

interface Series {
  readonly probe: Probe;
  readonly observations: { sentAt: number; outcome: Outcome }[];
}

export async function measureTrial(setup: TrialSetup): Promise<TrialResult> {
  const { probes, clock } = setup;
  const unauthenticated = await Promise.all(probes.map((probe) => probe('without_token')));
  if (!unauthenticated.every((outcome) => outcome === 'rejected')) return { notMeasured: 'open_without_token' };
  const series = probes.map((probe): Series => ({ probe, observations: [] }));
  const notBefore = Math.min(clock.now() + ACCEPTED_WITHIN_MS, setup.expiresAt - EXPIRY_MARGIN_MS);
  const accepted = ({ observations }: Series) => acceptancesAtEnd(observations) >= ACCEPTED_BEFORE;
  if (!(await sendUntil(setup, series, { met: () => series.every(accepted), until: notBefore })))
    return { notMeasured: 'not_accepted_before' };
  return releaseAndWatch(setup, series);
}

async function releaseAndWatch(setup: TrialSetup, series: readonly Series[]): Promise<TrialResult> {
  const { clock, release, rejectionsInARow, boundMs, expiresAt } = setup;
  const sentAt = clock.now();
  const until = Math.min(sentAt + boundMs, expiresAt - EXPIRY_MARGIN_MS);
  if (until - sentAt <= rejectionsInARow * PAUSE_MS) return { notMeasured: 'expires_too_soon' };
  let respondedAt: number | undefined;
  let failed = false;
  const releasing = release().then(
    () => {
      respondedAt = clock.now();
    },
    () => {
      failed = true;
    },
  );
  // The last requests before the release were accepted, so a rejection at the end came after it.
  const isOver = ({ observations }: Series) => rejectionsAtEnd(observations) >= rejectionsInARow;
  const met = () => failed || (respondedAt !== undefined && series.every(isOver));
  await sendUntil(setup, series, { met, until });
  await releasing;
  if (respondedAt === undefined) return { notMeasured: 'not_released' };
  const released: Release = { sentAt, respondedAt };
  return { verdicts: series.map(({ observations }) => verdictOf(observations, released, rejectionsInARow)) };
}

/**
 * Sends to every target, five times a second, whether or not earlier requests have been answered. @returns whether `met` held
 * when all requests were answered, before the time was up
 */
async function sendUntil(
  { clock, signal }: TrialSetup,
  series: readonly Series[],
  { met, until }: { readonly met: () => boolean; readonly until: number },
): Promise<boolean> {
  for (;;) {
    const unanswered = new Set<Promise<void>>();
    while (!met() && clock.now() < until) {
      for (const one of series) {
        const sending = send(one, clock).finally(() => unanswered.delete(sending));
        unanswered.add(sending);
      }
      await clock.sleep(PAUSE_MS, signal);
    }
    await Promise.all(unanswered);
    signal.throwIfAborted();
    // A late response may have undone it.
    if (met()) return true;
    if (clock.now() >= until) return false;
  }
}

async function send({ probe, observations }: Series, clock: Clock): Promise<void> {
  const observation: Series['observations'][number] = { sentAt: clock.now(), outcome: 'pending' };
  observations.push(observation);
  observation.outcome = await probe('with_token');
}
