// What the ledger keeps of a Buildkite team that the policy names: its members and its pipelines, as the sweep last read all of them.
// Times are milliseconds since the epoch.

import * as z from 'zod';
import { TEAM_ACCESS } from '../policy/conditions.ts';

/** A larger team is not used: its record would not fit a document of Firestore, which has 1 MiB at most. */
export const MAX_MEMBERS = 5_000;
export const MAX_PIPELINES = 5_000;

const time = z.number();

export const teamRecordSchema = z.object({
  /** UUIDs of users. */
  members: z.array(z.string()).max(MAX_MEMBERS),
  /** By the UUID of the pipeline. */
  pipelines: z.record(z.string(), z.enum(TEAM_ACCESS)),
  /** When reading them began: what has changed since is not in the record. Null before the first. */
  read_at: time.nullable(),
  /** Why it could not be read since; null when it could. */
  failure: z.string().max(64).nullable(),
  failed_at: time.nullable(),
  delete_at: time,
});
export type TeamRecord = z.output<typeof teamRecordSchema>;
