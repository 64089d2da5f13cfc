// Until when a token of a grant may be accepted, by its record.

import { surelyPast } from '../timing.ts';
import type { Grant } from './grant.ts';

/** Null: none is accepted any more. While the end of access is not on record, that is when its last token expires. */
export function acceptedUntil({ state, access_ended_at, expires_at }: Grant, now: number): number | null {
  if (state === 'revoked' || state === 'expired') return null;
  const until = access_ended_at ?? expires_at;
  return surelyPast(until, now) ? null : until;
}
