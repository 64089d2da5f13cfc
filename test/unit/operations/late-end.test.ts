// A revocation that outlasts the time of its request is called pending, and its end is reported once it is on record. Otherwise
// nobody reports it: the sweep finds it done.

import { describe, expect, it } from 'vitest';
import { logLateEnds } from '../../../functions/runtime/late-ends.ts';
import type { AuditEvent } from '../../../shared/audit/events.ts';
import { confirmRevoked } from '../../../shared/core/grant/end.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import { grantIdOf } from '../../../shared/core/grant/id.ts';
import { END_BUDGET_MS } from '../../../shared/core/timing.ts';
import { completeRevocations } from '../../../shared/operations/end-job.ts';
import type { RevokeDeps } from '../../../shared/operations/revoke-grant.ts';
import * as fx from '../../fixtures/grants.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const REVOKING = fx.grantIn('revoking', 'firestore');

/** Revocations that are on record when the test says so, and the events that they leave. */
function world() {
  const clock = new TestClock(fx.NOW + 1_000);
  const recording = Promise.withResolvers<Grant | undefined>();
  const events: AuditEvent[] = [];
  const unexpected = () => Promise.reject(new Error('not expected'));
  const deps: RevokeDeps = {
    ledger: { endJob: unexpected, endGrant: unexpected, expire: unexpected, confirmRevoked: () => recording.promise },
    closeGrantDocument: async () => {},
    disableAccount: unexpected,
    clock,
    ...logLateEnds((event) => events.push(event)),
  };
  return { clock, deps, events, recording };
}

describe('a revocation that outlasts its request', () => {
  it('is pending in the response, and has its line when it is on record', async () => {
    const { clock, deps, events, recording } = world();
    const completing = completeRevocations(deps, [REVOKING], clock.now() + END_BUDGET_MS);
    await expect.poll(() => clock.deadlines).toBe(1);
    clock.advance(END_BUDGET_MS);
    const { revoked, pending } = await completing;
    expect([revoked, pending]).toEqual([[], [expect.objectContaining({ grant_id: grantIdOf(REVOKING) })]]);
    expect(events).toEqual([]);
    recording.resolve(confirmRevoked(REVOKING, clock.now()));
    await expect.poll(() => events).toHaveLength(1);
    expect(events).toMatchObject([{ event: 'grant.revoked', grant_id: grantIdOf(REVOKING), state: 'revoked' }]);
  });

  it.each([
    ['fails', (recording: PromiseWithResolvers<Grant | undefined>) => recording.reject(new Error('refused'))],
    ['was on record before', (recording: PromiseWithResolvers<Grant | undefined>) => recording.resolve(undefined)],
  ])('has no line when it %s', async (_, finish) => {
    const { clock, deps, events, recording } = world();
    const completing = completeRevocations(deps, [REVOKING], clock.now() + END_BUDGET_MS);
    await expect.poll(() => clock.deadlines).toBe(1);
    clock.advance(END_BUDGET_MS);
    await completing;
    finish(recording);
    await recording.promise.catch(() => {});
    await Promise.resolve();
    expect(events).toEqual([]);
  });

  it('has one line alone when it is in time: the one of its request', async () => {
    const { clock, deps, events, recording } = world();
    recording.resolve(confirmRevoked(REVOKING, clock.now()));
    const { revoked, pending } = await completeRevocations(deps, [REVOKING], clock.now() + END_BUDGET_MS);
    expect([revoked.length, pending, events]).toEqual([1, [], []]);
  });
});
