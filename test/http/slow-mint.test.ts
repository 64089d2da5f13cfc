// The first mint of an instance, which may be slow: a mint that keeps its deadline is issued, and one that would outlive its
// record is refused with that as the cause.

import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COLD_DEADLINE_MS, LEDGER_DEADLINE_MS, MINT_MARGIN_MS } from '../../shared/core/timing.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { aroundCommit } from '../fixtures/reserve.ts';
import { grantsOf, newJobToken } from './token-request.ts';

let keydesk: InProcessKeydesk;
/** Calls to the ledger that have not ended. */
let pending = 0;
/** What the commit of a reservation takes. */
let reservingTakes = 0;
beforeEach(async () => {
  keydesk = await openInProcessKeydesk();
  reservingTakes = 0;
  const { ledger } = keydesk.tokenDeps;
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    pending += 1;
    return work.finally(() => {
      pending -= 1;
    });
  };
  keydesk.tokenDeps.ledger = {
    ...ledger,
    prepare: aroundCommit(
      (request) => counted(ledger.prepare(request)),
      async (commit) => {
        const reserved = await counted(commit());
        keydesk.clock.advance(reservingTakes);
        return reserved;
      },
    ),
    checkBlocks: (request) => counted(ledger.checkBlocks(request)),
  };
});
afterEach(() => keydesk.close());

/** Google takes so long to mint. The ledger is done by then, so that its own deadlines have not passed. */
function whenMintingTakes(milliseconds: number) {
  keydesk.google.before = async ({ method }) => {
    if (method !== 'generateAccessToken') return undefined;
    for (let idle = 0; idle < 3; idle = pending === 0 ? idle + 1 : 0) await setImmediate();
    keydesk.clock.advance(milliseconds);
    return undefined;
  };
}

describe('the first mint of an instance', () => {
  it.each(['staging-export', 'staging-cache', 'staging-admin'])(
    'of %s is issued although Google takes all of its deadline',
    async (credential) => {
      whenMintingTakes(COLD_DEADLINE_MS - 1);
      const response = await keydesk.requestByPath(await newJobToken(keydesk), credential);
      expect([response.status, response.audit[0].error]).toEqual([200, undefined]);
    },
  );

  it('of a pooled account is issued although the reservation took all of its deadline too', async () => {
    reservingTakes = LEDGER_DEADLINE_MS;
    whenMintingTakes(COLD_DEADLINE_MS - 1);
    expect((await keydesk.requestByPath(await newJobToken(keydesk), 'staging-admin')).status).toBe(200);
  });

  it('is refused when its token would outlive its record, and the log says so', async () => {
    const jobToken = await newJobToken(keydesk);
    reservingTakes = MINT_MARGIN_MS + 1_000;
    const response = await keydesk.requestByPath(jobToken, 'staging-admin');
    expect(response.status).toBe(503);
    expect(response.audit).toMatchObject([
      { reason: 'dependency_unavailable', dependency: 'iamcredentials generateAccessToken' },
    ]);
    expect(response.audit[0].error).toContain('took so long that its token would outlive its record');
    expect(await grantsOf(keydesk, jobToken)).toMatchObject([{ tokens: [], tokens_issued: 0 }]);
  });
});
