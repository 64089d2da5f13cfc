// How long everything stays blocked after a restore. What the ledger has lost, and the log does not have, must end by itself first. Pure.

import { CLOCK_MARGIN_MS } from '../timing.ts';
import { MOST_TOKEN_MS } from './lost-grant.ts';

/**
 * From when on no token that was issued before the block can be accepted, nor any job token of a job whose end is not on record.
 * @param heldSince when the block began: milliseconds since the epoch
 * @param maxJobTokenLifetime of the policy, in seconds
 */
export function waitUntil(heldSince: number, maxJobTokenLifetime: number): number {
  return heldSince + Math.max(MOST_TOKEN_MS, maxJobTokenLifetime * 1000 + CLOCK_MARGIN_MS);
}
