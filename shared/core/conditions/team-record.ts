// What the ledger keeps of a Buildkite team that the policy names: its members and its pipelines, as the sweep last read all of them.
// Times are milliseconds since the epoch.

import * as z from 'zod';
import type { FailureCode } from '../failure-code.ts';
import { TEAM_ACCESS } from '../policy/conditions.ts';
import { CLOCK_MARGIN_MS, READ_TEAM_EVERY_MS, READ_TEAM_MARGIN_MS, TEAM_RETENTION_MS } from '../timing.ts';

/** A larger team is not read: its record would not fit a document of Firestore, which has 1 MiB at most. */
export const MAX_MEMBERS = 5_000;
export const MAX_PIPELINES = 5_000;
/** Entries of a page that are requested: as many as Buildkite returns at most. */
export const TEAM_PAGE_SIZE = 100;
/** Nor is one whose lists have more pages of 100 entries, both together: all of them have to be read in one sweep. */
export const MAX_TEAM_PAGES = 20;

const time = z.number();

export const teamRecordSchema = z.object({
  /** UUIDs of users. */
  members: z.array(z.string()).max(MAX_MEMBERS),
  /** By the UUID of the pipeline. */
  pipelines: z.record(z.string(), z.enum(TEAM_ACCESS)),
  /** When reading them began: what has changed since is not in the record. Null before the first. */
  read_at: time.nullable(),
  /**
   * Whether the next sweep reads it again: somebody vanished from a list of several pages. They left the team, or the pages shifted
   * while they were read.
   */
  read_again: z.boolean(),
  /** Why it could not be read since; null when it could. */
  failure: z.string().max(64).nullable(),
  failed_at: time.nullable(),
  delete_at: time,
});
export type TeamRecord = z.output<typeof teamRecordSchema>;

/** What was read of a team, all of it. */
export interface TeamCopy {
  readonly members: readonly string[];
  readonly pipelines: TeamRecord['pipelines'];
  /** Whether a list had several pages. */
  readonly paged: boolean;
}

/** The record after all of the team was read. @param begun_at when reading began */
export function addCopy(
  known: TeamRecord | undefined,
  { members, pipelines, paged }: TeamCopy,
  begun_at: number,
): TeamRecord {
  const isKnown = known && known.read_at !== null;
  const found = new Set([...members, ...Object.keys(pipelines)]);
  const vanished = isKnown ? [...known.members, ...Object.keys(known.pipelines)].some((id) => !found.has(id)) : true;
  return {
    members: [...members].sort(),
    pipelines: { ...pipelines },
    read_at: begun_at,
    read_again: paged && vanished,
    failure: null,
    failed_at: null,
    delete_at: begun_at + TEAM_RETENTION_MS,
  };
}

/** The record after a failure: the last copy stays as it is, with its age. */
export function addFailure(known: TeamRecord | undefined, failure: FailureCode, begun_at: number): TeamRecord {
  const last = known ?? { members: [], pipelines: {}, read_at: null, read_again: false };
  return { ...last, failure, failed_at: begun_at, delete_at: begun_at + TEAM_RETENTION_MS };
}

/** How many calls reading it takes, as far as is known. */
export function callsFor(team: TeamRecord | undefined): number {
  const pages = (entries: number) => Math.floor(entries / TEAM_PAGE_SIZE) + 1;
  return pages(team?.members.length ?? 0) + pages(Object.keys(team?.pipelines ?? {}).length);
}

/** When the team was last tried; 0 when it never was. */
export function triedAt(team: TeamRecord | undefined): number {
  return Math.max(team?.read_at ?? 0, team?.failed_at ?? 0);
}

/** Failures that somebody has to do something about: trying again sooner than every five minutes does not help. */
const LASTING: readonly string[] = ['team_missing', 'team_too_large'] satisfies FailureCode[];

/** Whether a sweep is to read the team: every five minutes, and by the next sweep after a failure that may pass. A time ahead is of a wrong clock. */
export function isDue(team: TeamRecord | undefined, now: number): boolean {
  const again = team && (team.failure === null ? team.read_again : !LASTING.includes(team.failure));
  const at = triedAt(team);
  return at + (again ? READ_TEAM_MARGIN_MS : READ_TEAM_EVERY_MS - READ_TEAM_MARGIN_MS) <= now || isAhead(at, now);
}

/** Whether a time lies further ahead than clocks may differ. */
export function isAhead(at: number, now: number): boolean {
  return at > now + CLOCK_MARGIN_MS;
}
