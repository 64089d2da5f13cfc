// How Google fails during the day: so many of all calls, in ways that did what was asked and ways that did not, and now
// and then a change that is confirmed and takes effect later. Counts what it did.

import type { Fault } from '../sandbox/google/fault.ts';
import type { Agenda } from './agenda.ts';
import type { Seeded } from './seeded.ts';
import type { GoogleMethod } from './simulated-desk.ts';

const KINDS = [
  [30, '500'],
  [25, '429'],
  [20, 'garbage'],
  [20, 'cut'],
  [5, 'late'],
] as const;
/** Seconds by which a late change is late: less than the margin by which Keydesk lets clocks differ. */
const LATE = [5, 45] as const;

export interface Faults {
  readonly fault: (method: GoogleMethod) => Fault | undefined;
  readonly calls: Map<GoogleMethod, number>;
  readonly failed: Map<string, number>;
}

export function createFaults(share: number, random: Seeded, agenda: Agenda): Faults {
  const calls = new Map<GoogleMethod, number>();
  const failed = new Map<string, number>();
  const fault = (method: GoogleMethod): Fault | undefined => {
    count(calls, method);
    if (!random.chance(share)) return undefined;
    const picked = random.pick(KINDS);
    const kind = picked === 'late' && method !== 'disable' && method !== 'enable' ? '500' : picked;
    count(failed, kind);
    if (kind === 'garbage' || kind === 'cut') return { kind };
    if (kind !== 'late') return { kind: 'status', status: Number(kind) };
    const { promise, resolve } = Promise.withResolvers<void>();
    agenda.add(agenda.clock.now + random.between(...LATE) * 1000, resolve);
    return { kind: 'late', changes: promise };
  };
  return { fault, calls, failed };
}

export function count<Name>(counts: Map<Name, number>, name: Name): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
