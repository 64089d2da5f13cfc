// The first mint of an instance, which may be slow: a mint that keeps its deadline is issued, and one that would outlive its
// record is refused with that as the cause.

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  COLD_DEADLINE_MS,
  IDENTITY_DEADLINE_MS,
  LEDGER_DEADLINE_MS,
  MINT_MARGIN_MS,
} from '../../shared/core/deadlines.ts';
import { type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-keydesk.ts';
import { aJobToken, grantsOf } from './token-request.ts';

let desk: InProcessDesk;
/** Calls to the ledger that have not ended. */
let pending = 0;
/** What the commit of a reservation takes. */
let reservingTakes = 0;
beforeEach(async () => {
  desk = await openInProcessDesk();
  reservingTakes = 0;
  const { ledger } = desk.issuing;
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    pending += 1;
    return work.finally(() => {
      pending -= 1;
    });
  };
  desk.issuing.ledger = {
    ...ledger,
    reserve: async (request, onGoing) => {
      const reserved = await counted(ledger.reserve(request, onGoing));
      desk.clock.advance(reservingTakes);
      return reserved;
    },
    barred: (request) => counted(ledger.barred(request)),
  };
});
afterEach(() => desk.close());

/** Google takes so long to mint. The ledger is done by then, so that its own deadlines have not passed. */
function whenMintingTakes(milliseconds: number) {
  desk.google.before = async ({ method }) => {
    if (method !== 'generateAccessToken') return undefined;
    for (let idle = 0; idle < 3; idle = pending === 0 ? idle + 1 : 0) await setImmediate();
    desk.clock.advance(milliseconds);
    return undefined;
  };
}

it('the margin holds the deadlines of everything that comes before a token begins to live', () => {
  expect(MINT_MARGIN_MS).toBeGreaterThanOrEqual(LEDGER_DEADLINE_MS + IDENTITY_DEADLINE_MS + COLD_DEADLINE_MS);
});

describe('the first mint of an instance', () => {
  it.each(['staging-export', 'staging-cache', 'staging-admin'])(
    'of %s is issued although Google takes all of its deadline',
    async (credential) => {
      whenMintingTakes(COLD_DEADLINE_MS - 1);
      const response = await desk.askByPath(await aJobToken(desk), credential);
      expect([response.status, response.audit[0].error]).toEqual([200, undefined]);
    },
  );

  it('of a pooled account is issued although the reservation took all of its deadline too', async () => {
    reservingTakes = LEDGER_DEADLINE_MS;
    whenMintingTakes(COLD_DEADLINE_MS - 1);
    expect((await desk.askByPath(await aJobToken(desk), 'staging-admin')).status).toBe(200);
  });

  it('is refused when its token would outlive its record, and the log says so', async () => {
    const jobToken = await aJobToken(desk);
    reservingTakes = MINT_MARGIN_MS + 1_000;
    const response = await desk.askByPath(jobToken, 'staging-admin');
    expect(response.status).toBe(503);
    expect(response.audit).toMatchObject([
      { reason: 'dependency_unavailable', dependency: 'iamcredentials generateAccessToken' },
    ]);
    expect(response.audit[0].error).toContain('took so long that its token would outlive its record');
    expect(await grantsOf(desk, jobToken)).toMatchObject([{ tokens: [], tokens_issued: 0 }]);
  });
});
