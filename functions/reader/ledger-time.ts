// A time of the ledger as text: ISO 8601 in UTC, in microseconds, as Firestore has it.

import type { GrantPosition } from '../../shared/operations/ports.ts';

type LedgerTime = GrantPosition['as_of'];

export function fromLedgerTime({ seconds, nanoseconds }: LedgerTime): string {
  const fraction = String(Math.floor(nanoseconds / 1_000)).padStart(6, '0');
  return new Date(seconds * 1000).toISOString().replace('.000Z', `.${fraction}Z`);
}

export function toLedgerTime(written: string): LedgerTime {
  const [, whole = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(written) ?? [];
  const nanoseconds = Number(fraction.slice(0, 6).padEnd(6, '0')) * 1_000;
  return { seconds: Date.parse(`${whole}Z`) / 1000, nanoseconds };
}
