// What a review is made of: what was read of the ledger, and evidence that people give.

import type { GrantList } from '../operator-api/grant-list.ts';
import type { ReviewRecords } from '../operator-api/review.ts';
import type { DoctorReport } from './doctor.ts';
import type { GrantLines } from './log-lines.ts';
import type { PolicyInForce, PolicyText } from './policies-in-force.ts';
import type { Population } from './population.ts';
import type { TouchReport } from './touches.ts';

/** A period in UTC: from `from` up to, and not including, `to`. Milliseconds since the epoch. */
export interface ReviewPeriod {
  readonly from: number;
  readonly to: number;
}

/** A log that was read to its end. */
export interface ReadLog<Found> {
  readonly found: Found;
  /** Entries that could not be read. */
  readonly malformed: number;
}

export interface ReviewInput {
  readonly period: ReviewPeriod;
  /** Undefined for all. */
  readonly environment: string | undefined;
  /** When the ledger was read, by its own clock, as it says; and in milliseconds since the epoch. */
  readonly asOf: { readonly text: string; readonly at: number };
  readonly population: Population;
  readonly unreadable: GrantList['unreadable'];
  /** The environment, where no grant on record and no policy of the period has it. */
  readonly unknownNames: GrantList['unknown'];
  readonly records: ReviewRecords;
  /** Those that may have decided in the period. */
  readonly policies: readonly PolicyInForce[];
  /** Of each of these, by SHA-256. */
  readonly texts: ReadonlyMap<string, PolicyText>;
  /** Undefined where none was given, as in the next ones. */
  readonly log: ReadLog<GrantLines> | undefined;
  readonly touches: ReadLog<TouchReport> | undefined;
  readonly doctor: DoctorReport | undefined;
  /** Keydesk's own, where it is known. */
  readonly project?: string | undefined;
}
