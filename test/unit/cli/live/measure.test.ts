// One trial against scripted APIs, in simulated time: the figures are exact.

import { describe, expect, it } from 'vitest';
import { measureTrial, type Probe, type TrialSetup } from '../../../../cli/live/measure.ts';
import { DependencyError } from '../../../../shared/runtime/errors.ts';
import { SimulatedClock } from './simulated-clock.ts';

const SECOND = 1000;

interface Api {
  /** Milliseconds from the release until the API rejects. */
  readonly endsAfter?: number;
  /** Of the response to each request. */
  readonly latency?: number;
  /** Requests since the release, from 1, that are accepted although the token has ended. */
  readonly acceptedAgain?: readonly number[];
  /** The same of requests that fail. */
  readonly failing?: readonly number[];
  readonly acceptedFrom?: number;
  readonly open?: boolean;
}

function trial(apis: readonly Api[], more: Partial<TrialSetup> = {}) {
  const clock = new SimulatedClock(0);
  const sent: number[] = [];
  let released = Number.POSITIVE_INFINITY;
  let releases = 0;
  const probeOf = ({
    endsAfter = 0,
    latency = 30,
    acceptedAgain = [],
    failing = [],
    acceptedFrom = 0,
    open,
  }: Api): Probe => {
    let since = 0;
    return async (use) => {
      const judgedAt = clock.now();
      if (use === 'without_token') return open ? 'accepted' : 'rejected';
      sent.push(judgedAt);
      if (released <= judgedAt) since += 1;
      const nth = since;
      await clock.sleep(latency);
      if (nth > 0 && failing.includes(nth)) return 'error';
      const ended = judgedAt >= released + endsAfter && !acceptedAgain.includes(nth);
      return ended || judgedAt < acceptedFrom ? 'rejected' : 'accepted';
    };
  };
  const setup: TrialSetup = {
    probes: apis.map(probeOf),
    release: async () => {
      releases += 1;
      released = clock.now();
      await clock.sleep(400);
    },
    rejectionsInARow: 20,
    boundMs: 300 * SECOND,
    expiresAt: 900 * SECOND,
    clock,
    signal: new AbortController().signal,
    ...more,
  };
  return { clock, sent, setup, releases: () => releases, result: clock.run(measureTrial(setup)) };
}

describe('a trial', () => {
  it('requests five times a second, before and through the end', async () => {
    const { sent, result } = trial([{}]);
    await result;
    expect(sent).toEqual(sent.map((_, at) => at * 200));
  });

  it('finds an end that is there at once', async () => {
    const { result } = trial([{}]);
    expect(await result).toMatchObject({
      verdicts: [{ outcome: 'ended', accepted: 0, flips: 0, lastAcceptedMs: 0, lastAcceptedFromSendingMs: 0 }],
    });
  });

  it('finds an end that is delayed by 7 s, and one flip after it', async () => {
    const { result } = trial([{ endsAfter: 7 * SECOND }, { endsAfter: 7 * SECOND, acceptedAgain: [39] }]);
    // The first request goes out with the release, and 35 fit into 7 s. The response to the release came after 400 ms.
    const delayed = { outcome: 'ended', accepted: 35, lastAcceptedFromSendingMs: 6800, lastAcceptedMs: 6400, flips: 0 };
    const flipped = { outcome: 'ended', accepted: 36, lastAcceptedFromSendingMs: 7600, lastAcceptedMs: 7200, flips: 1 };
    expect(await result).toMatchObject({ verdicts: [delayed, flipped] });
  });

  it('waits for responses that are slower than its pace, and for one that undoes the end', async () => {
    const { result } = trial([{ latency: 1500, acceptedAgain: [25] }]);
    expect(await result).toMatchObject({
      verdicts: [{ outcome: 'ended', flips: 1, lastAcceptedFromSendingMs: 24 * 200 }],
    });
  });

  it('counts failures apart: they neither end a trial nor go against its end', async () => {
    const { result } = trial([{ failing: [1, 2, 3, 10] }]);
    expect(await result).toMatchObject({ verdicts: [{ outcome: 'ended', errors: 4, rejected: 20, accepted: 0 }] });
  });

  it('ends at the bound where the token is never rejected', async () => {
    const { clock, result } = trial([{ endsAfter: Number.POSITIVE_INFINITY }], { boundMs: 60 * SECOND });
    expect(await result).toMatchObject({ verdicts: [{ outcome: 'still_accepted', accepted: 300, rejected: 0 }] });
    expect(clock.now()).toBeLessThan(70 * SECOND);
  });

  it('ends before the token expires by itself: what is rejected from then on may have expired', async () => {
    const { sent, result } = trial([{ endsAfter: Number.POSITIVE_INFINITY }], { expiresAt: 30 * SECOND });
    expect(await result).toMatchObject({ verdicts: [{ outcome: 'still_accepted', rejected: 0 }] });
    expect(Math.max(...sent)).toBeLessThan(29 * SECOND);
  });

  it('goes on until the slowest of its targets has ended', async () => {
    const { result } = trial([{}, { endsAfter: 20 * SECOND }]);
    expect(await result).toMatchObject({ verdicts: [{ lastAcceptedMs: 0 }, { lastAcceptedMs: 19_400 }] });
  });

  it('waits for a new account to be accepted before it releases anything', async () => {
    const { result } = trial([{ acceptedFrom: 10 * SECOND }]);
    expect(await result).toMatchObject({ verdicts: [{ outcome: 'ended' }] });
  });
});

describe('nothing is measured', () => {
  it('of a target that is open without a token, which is not sent there', async () => {
    const { sent, releases, result } = trial([{}, { open: true }]);
    expect(await result).toEqual({ notMeasured: 'open_without_token' });
    expect([sent, releases()]).toEqual([[], 0]);
  });

  it('of a target that does not accept the token', async () => {
    const { releases, result } = trial([{ acceptedFrom: Number.POSITIVE_INFINITY }]);
    expect(await result).toEqual({ notMeasured: 'not_accepted_before' });
    expect(releases()).toBe(0);
  });

  it('of a token that expires before it could be rejected often enough', async () => {
    const { result } = trial([{}], { expiresAt: 5 * SECOND });
    expect(await result).toEqual({ notMeasured: 'expires_too_soon' });
  });

  it('when the release is not confirmed', async () => {
    const release = () => Promise.reject(new DependencyError('Keydesk', 'not_confirmed', 'the test broke it'));
    const { clock, result } = trial([{}], { release });
    expect(await result).toEqual({ notMeasured: 'not_released' });
    expect(clock.now()).toBeLessThan(10 * SECOND);
  });

  it('when it is interrupted, and the reason comes out', async () => {
    const interrupted = new AbortController();
    const { clock, setup } = trial([{}]);
    const running = measureTrial({ ...setup, signal: interrupted.signal });
    const ended = clock.run(running);
    interrupted.abort(new Error('SIGTERM'));
    await expect(ended).rejects.toThrow('SIGTERM');
  });
});
