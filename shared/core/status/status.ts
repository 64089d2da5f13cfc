// What `keydesk status` shows, made from records of the ledger. Times are milliseconds since the epoch and end in `_at`. Knows nothing about
// where records are kept, or how they are shown.

import { type TeamState, teamState } from '../conditions/team-age.ts';
import type { TeamRecord } from '../conditions/team-record.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { Blocks } from '../kill-switch.ts';
import { findProblems, type Problem } from './problems.ts';

export interface StatusRecords {
  readonly deployments: readonly Deployment[];
  /** Records of deployments and grants that cannot be read, by what is wrong with them. */
  readonly unreadable: readonly string[];
  readonly blocks: Blocks;
  /** Grants that have not come to their end, by environment. */
  readonly live: ReadonlyMap<string, number>;
  /** False where there may be more live grants than were counted. */
  readonly live_complete: boolean;
  /** By UUID, those that were read or could not be read. */
  readonly teams: ReadonlyMap<string, TeamRecord>;
}

/** A team that rules of the policy name. */
export interface TeamStatus {
  readonly id: string;
  /** In the policy. */
  readonly name: string;
  readonly state: TeamState;
  /** Undefined when no sweep has tried to read it. */
  readonly record: TeamRecord | undefined;
}

export interface Status extends StatusRecords {
  readonly token: DeploymentOf<'token'> | undefined;
  readonly webhook: DeploymentOf<'webhook'> | undefined;
  readonly sweep: DeploymentOf<'sweep'> | undefined;
  readonly namedTeams: readonly TeamStatus[];
  /** Worst first. */
  readonly problems: readonly Problem[];
}

export type DeploymentOf<Name extends Deployment['function']> = Extract<Deployment, { function: Name }>;

export function toStatus(records: StatusRecords, now: number): Status {
  const of = <Name extends Deployment['function']>(name: Name) =>
    records.deployments.find((deployment): deployment is DeploymentOf<Name> => deployment.function === name);
  const token = of('token');
  const age = { max_age: token?.teams_max_age ?? 0, now };
  const namedTeams = (token?.teams ?? []).map((named) => {
    const record = records.teams.get(named.id);
    return { id: named.id, name: named.name, state: teamState(named, record, age), record };
  });
  const status = { ...records, token, webhook: of('webhook'), sweep: of('sweep'), namedTeams };
  return { ...status, problems: findProblems(status, now) };
}
