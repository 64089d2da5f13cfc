// After the load: no more faults, and sweeps until every grant and every account has reached its final state, or until the time
// is up in which that must happen.

import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import {
  CLOCK_MARGIN_MS,
  COOLDOWN_MARGIN_MS,
  ENABLE_CLAIM_MS,
  MINT_MARGIN_MS,
  RECHECK_EVERY_MS,
  SHORTEST_COOLDOWN_MS,
} from '../../shared/core/timing.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { type Database, fieldsOf, readCollection } from './check/firestore-export.ts';
import { pause } from './client.ts';
import type { KeydeskClient } from './keydesk-client.ts';
import { LONGEST_TTL_MS } from './policy.ts';
import type { Recorder } from './recorder.ts';

/** How long a sweep with much to do may take, several times over. */
const SWEEPS_MS = 180_000;
/**
 * How long it may take from the last request until everything is final: the last token expires by every clock, its account cools
 * down from then, and a sweep that was cut off held the account for a while.
 */
export const SETTLE_BOUND_MS =
  MINT_MARGIN_MS +
  LONGEST_TTL_MS +
  CLOCK_MARGIN_MS +
  Math.max(SHORTEST_COOLDOWN_MS, COOLDOWN_MARGIN_MS) +
  ENABLE_CLAIM_MS +
  RECHECK_EVERY_MS +
  SWEEPS_MS;

const PAUSE_MS = 10_000;
const FINAL_GRANTS = new Set(['revoked', 'expired']);
const FINAL_ACCOUNTS = new Set(['free', 'shared']);

export async function settle(options: {
  readonly keydesk: KeydeskClient;
  readonly ledger: Database;
  readonly recorder: Recorder;
  readonly random: SeededRandom;
  readonly onProgress: (text: string) => void;
}): Promise<void> {
  const { keydesk, ledger, recorder, random, onProgress } = options;
  const begun = systemClock.now();
  recorder.write({ type: 'settling', event: 'begun', at: begun });
  for (;;) {
    await keydesk.sweep({ random }, 'settling_sweep');
    const [grants, accounts] = await Promise.all([
      unfinished(ledger, 'grants', FINAL_GRANTS),
      unfinished(ledger, 'service_accounts', FINAL_ACCOUNTS),
    ]);
    onProgress(`${grants} grants and ${accounts} accounts are not final`);
    const now = systemClock.now();
    if (grants + accounts === 0) return recorder.write({ type: 'settling', event: 'done', at: now });
    if (now > begun + SETTLE_BOUND_MS) return recorder.write({ type: 'settling', event: 'out_of_time', at: now });
    await pause(PAUSE_MS);
  }
}

async function unfinished(ledger: Database, collection: string, final: ReadonlySet<string>): Promise<number> {
  const documents = await readCollection(ledger, collection);
  return documents.filter((document) => !final.has(String(fieldsOf(document).state))).length;
}
