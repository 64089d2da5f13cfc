// What the fields of teams hold: see ../stored-fields.ts.

import type { StoredFields } from '../stored-fields.ts';
import type { TeamRecord } from './team-record.ts';

/** Without the UUIDs of pipelines, which are names of members. */
export const TEAM_FIELDS: StoredFields<Omit<TeamRecord, 'pipelines'>> & { readonly pipelines: string } = {
  members: 'the UUIDs of the users in the team, at most 5,000',
  pipelines: "by the UUID of each pipeline the team's access to it, at most 5,000",
  read_at:
    'when reading members and pipelines began. What has changed since is not in the record; null before the first time',
  read_again:
    'whether the next sweep reads the team again: its lists have several pages, and somebody who was on them is not any more',
  failure: 'the code of the failure to read it since; null when it was read',
  failed_at: 'when that try began; null when the team was read',
  delete_at: 'when the document may be deleted: see [Deletion](#deletion)',
};
