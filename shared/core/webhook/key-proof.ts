// When it is certain that Buildkite signs with the key that is saved there, and with no other.

import { CLOCK_MARGIN_MS } from '../timing.ts';
import { SIGNATURE_WINDOW } from './signature.ts';

/** What another key signed is refused by then, however late it arrives. */
export const KEY_QUIET_MS = SIGNATURE_WINDOW * 1000 + CLOCK_MARGIN_MS;

/** Of the webhooks that were accepted since the key was saved. Milliseconds since the epoch; undefined for none. */
export interface KeyEvidence {
  readonly firstBySaved: number | undefined;
  readonly lastByOther: number | undefined;
}

/** When that will be, if no other key signs until then; undefined as long as the saved key has not signed. */
export function provenFrom({ firstBySaved, lastByOther = 0 }: KeyEvidence): number | undefined {
  return firstBySaved === undefined ? undefined : Math.max(firstBySaved, lastByOther) + KEY_QUIET_MS;
}

const MARK = / \(key since ([0-9TZ:.-]{10,40})\)$/;

/** A service's description with the time at which its key was saved, for the run that continues a rotation. */
export function markKeySince(description: string, at: number): string {
  return `${description.replace(MARK, '')} (key since ${new Date(at).toISOString()})`;
}

/** Milliseconds since the epoch; undefined when the description has no such time. */
export function keySince(description: string): number | undefined {
  const at = Date.parse(MARK.exec(description)?.[1] ?? '');
  return Number.isNaN(at) ? undefined : at;
}
