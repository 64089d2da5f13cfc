// How the functions responded and ended: no response 500 and no internal error, no exit that nobody caused, requests in flight at
// SIGTERM finished, and memory within what is deployed.

import type { Operation } from '../observation.ts';
import { type Evidence, observed } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

const OF_JOBS = [200, 400, 408, 429, 503];
const EXPECTED: Readonly<Record<Operation, readonly number[]>> = {
  issue: OF_JOBS,
  issue_after_end: OF_JOBS,
  wrong_job_token: [400, 401, 408, 503],
  release: [200, 429, 503],
  introspect: [200, 429, 503],
  job_finished: [200, 503],
  other_webhook: [200],
  forged_webhook: [401],
  sweep: [200, 503],
  // The emulator scans, and a busy machine may not do that in time. Whether everything ends is I6.
  settling_sweep: [200, 503],
};

/** A token was minted, and its account was disabled before the token was narrowed. */
const OVERTAKEN = 'exchangeToken: subject_token is not accepted';

export function judgeResponses(evidence: Evidence): Judged {
  const judgement = new Judgement();
  for (const { operation, status, sent, instance, error } of observed(evidence, 'request')) {
    if (status === undefined) continue;
    judgement.expect(
      EXPECTED[operation].includes(status),
      () => `${operation} at ${at(sent)} got ${status}${error ? ` ${error}` : ''} from ${instance}`,
    );
  }
  for (const { instance, entry, at: time } of evidence.lines) {
    const failed = entry?.event === 'request.failed' || entry?.code === 'internal_error';
    judgement.expect(!failed, () => `${instance} logged an internal error at ${at(time)}: ${entry?.event}`);
  }
  for (const { what } of observed(evidence, 'google_unexpected'))
    if (what === OVERTAKEN) judgement.note('exchanges of a token whose account the end of its job had disabled');
    else judgement.expect(false, () => `Google received what it would refuse: ${what}`);
  return judgement;
}

export function judgeExits(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const signals = new Map<string, { readonly signal: string; readonly at: number }>();
  const [drainMs = 0] = observed(evidence, 'run').map(({ drain_ms }) => drain_ms);
  for (const { event, instance, signal, code, at: time } of observed(evidence, 'process')) {
    if (event === 'signalled' && signal !== undefined) signals.set(instance, { signal, at: time });
    if (event !== 'exited') continue;
    const sent = signals.get(instance);
    const asIntended = sent?.signal === 'SIGKILL' ? signal === 'SIGKILL' : sent !== undefined && code === 0;
    judgement.expect(
      asIntended && time - (sent?.at ?? 0) <= drainMs + 1_000,
      () =>
        `${instance} ended with ${signal ?? code} at ${at(time)}, ${sent ? `${time - sent.at} ms after ${sent.signal}` : 'and nobody had signalled it'}`,
    );
  }
  judgeDrains(evidence, signals, drainMs, judgement);
  return judgement;
}

/** A request that an instance had before SIGTERM gets its response. */
function judgeDrains(
  evidence: Evidence,
  signals: ReadonlyMap<string, { readonly signal: string; readonly at: number }>,
  drainMs: number,
  judgement: Judgement,
): void {
  for (const { instance, client, operation, sent, ended, failure } of observed(evidence, 'request')) {
    const stopped = signals.get(instance);
    if (stopped?.signal !== 'SIGTERM' || client !== 'plain' || failure === 'timed_out') continue;
    if (sent >= stopped.at || ended <= stopped.at) continue;
    // What takes longer than the platform waits is cut off.
    if (ended - stopped.at >= drainMs - 1_500) judgement.note('requests that took longer than a drain');
    else
      judgement.expect(
        failure === undefined,
        () => `${operation} in flight at the SIGTERM of ${instance} was ${failure} ${ended - stopped.at} ms later`,
      );
  }
}

export function judgeWrongTokens(evidence: Evidence): Judged {
  const judgement = new Judgement();
  for (const { operation, status, sent, job } of observed(evidence, 'request'))
    if (operation === 'wrong_job_token' && status !== undefined)
      judgement.expect(status !== 200, () => `a wrong job token of job ${job} was accepted at ${at(sent)}`);
  return judgement;
}

export function judgeMemory(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const [limit = 0] = observed(evidence, 'run').map(({ memory_limit_mib }) => memory_limit_mib);
  for (const [instance, samples] of Map.groupBy(observed(evidence, 'memory'), (sample) => sample.instance)) {
    const most = Math.max(...samples.map(({ rss_kib }) => rss_kib)) / 1024;
    judgement.expect(most <= limit, () => `${instance} took ${most.toFixed(0)} MiB, and is deployed with ${limit}`);
  }
  return judgement;
}
