// Reads the teams that rules of the policy name, as far as the calls of this minute reach: after everything else that the sweep requests of
// Buildkite, the team first that was tried longest ago. A team that cannot be read keeps its last copy, which grows older until rules
// no longer use it.

import { type TeamState, teamState } from '../core/conditions/team-age.ts';
import { addCopy, addFailure, callsFor, isDue, type TeamRecord, triedAt } from '../core/conditions/team-record.ts';
import type { NamedTeams } from '../core/deployment/deployment.ts';
import { COLD_DEADLINE_MS, TEAM_BUDGET_MS, TEAMS_UNTIL_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import { type FailureFacts, toFailure } from '../runtime/errors.ts';
import type { Failure } from '../runtime/work-queue.ts';
import { CallBudget } from './call-budget.ts';
import { LookupError } from './lookup-error.ts';
import type { BuildkiteTeams, DeploymentLedger, JobCheckLedger, TeamLedger } from './ports.ts';
import { type CallBuildkite, readTeam } from './read-team.ts';

/** Calls of one sweep for teams: the others of a minute are for jobs and builds. */
const MAX_CALLS = 20;

export interface TeamDeps {
  /** Undefined without an API token for teams: then no team is read. */
  readonly buildkiteTeams: BuildkiteTeams | undefined;
  readonly teamLedger: TeamLedger;
  readonly deploymentLedger: Pick<DeploymentLedger, 'namedTeams'>;
  readonly jobCheckLedger: Pick<JobCheckLedger, 'acquirePollLock' | 'releasePollLock'>;
  readonly clock: Clock;
}

export interface ReadTeams {
  /** Teams that rules of the policy name. */
  readonly named: number;
  readonly read: number;
  readonly calls: number;
  /** Teams whose copy is older than half of what the policy allows, or too old, the oldest first. */
  readonly stale: readonly StaleTeam[];
  readonly failures: readonly Failure[];
}

interface StaleTeam {
  readonly id: string;
  /** In the policy. */
  readonly name: string;
  readonly state: Extract<TeamState, 'aging' | 'too_old'>;
  /** When reading its copy began, in milliseconds since the epoch; null when there is none. */
  readonly read_at: number | null;
  readonly failure: string | null;
}

export class TeamReads {
  /** Until when Buildkite wants no more calls with this API token. Jobs are still looked up: theirs is another. */
  #pausedUntil = 0;

  /** Never throws: failures are part of the result. @param startedAt of the sweep, in milliseconds since the epoch */
  async read(deps: TeamDeps, startedAt: number): Promise<ReadTeams> {
    const failures: Failure[] = [];
    try {
      const { organization_slug, teams_max_age, teams } = await deps.deploymentLedger.namedTeams();
      if (organization_slug === null || teams_max_age === null || teams.length === 0)
        return { named: 0, read: 0, calls: 0, stale: [], failures };
      const { teams: known, unreadable } = await deps.teamLedger.teams(teams.map(({ id }) => id));
      failures.push(
        ...unreadable.map(({ error }) => ({ dependency: 'ledger', error, code: 'unreadable_record' as const })),
      );
      const records = new Map(known);
      const counted = await this.#readDue(deps, { organization_slug, teams, records, startedAt, failures });
      const age = { max_age: teams_max_age, now: deps.clock.now() };
      const stale = teams.flatMap((named) => toStale(named, records.get(named.id), age));
      stale.sort((left, right) => (left.read_at ?? 0) - (right.read_at ?? 0));
      return { named: teams.length, ...counted, stale, failures };
    } catch (error) {
      return { named: 0, read: 0, calls: 0, stale: [], failures: [...failures, toFailure(error)] };
    }
  }

  async #readDue(deps: TeamDeps, reading: Reading): Promise<{ readonly read: number; readonly calls: number }> {
    const { buildkiteTeams, jobCheckLedger, clock } = deps;
    const { records, startedAt, failures } = reading;
    const now = clock.now();
    const until = Math.min(now + TEAM_BUDGET_MS, startedAt + TEAMS_UNTIL_MS);
    const due = dueTeams(reading, now);
    if (!buildkiteTeams || due.length === 0 || now >= until || now < this.#pausedUntil) return { read: 0, calls: 0 };
    const lock = await jobCheckLedger.acquirePollLock(until - now + COLD_DEADLINE_MS);
    if (!lock) return { read: 0, calls: 0 };
    const budget = new CallBudget(clock, until, lock.calls);
    const call: CallBuildkite = async (work) => (budget.made < MAX_CALLS ? budget.call(work) : undefined);
    let read = 0;
    try {
      for (const id of due) {
        if (!budget.open || budget.made >= MAX_CALLS) break;
        // A team that needs more calls than are left is among the first ones of the next sweep.
        if (budget.made > 0 && budget.made + callsFor(records.get(id)) > MAX_CALLS) continue;
        const made = budget.made;
        const tried = await tryTeam({ ...deps, buildkiteTeams, call }, reading, id);
        if (tried.failure) {
          // No call was left for it: nothing was tried.
          if (budget.made === made) break;
          failures.push({ ...tried.failure, team_id: id });
        } else read += 1;
        await record(deps, reading, id, tried.next);
        if (tried.stop) break;
      }
      return { read, calls: budget.made };
    } finally {
      this.#pausedUntil = clock.now() + budget.pause;
      const released = jobCheckLedger.releasePollLock(lock, budget.calls, 0);
      await released.catch((error: unknown) => failures.push(toFailure(error)));
    }
  }
}

interface Reading {
  readonly organization_slug: string;
  readonly teams: NamedTeams['teams'];
  /** Updated. */
  readonly records: Map<string, TeamRecord>;
  readonly startedAt: number;
  /** Added to. */
  readonly failures: Failure[];
}

function dueTeams({ teams, records }: Reading, now: number): string[] {
  const due = teams.map(({ id }) => id).filter((id) => isDue(records.get(id), now));
  return due.sort((left, right) => triedAt(records.get(left)) - triedAt(records.get(right)));
}

/** Reads a team, or finds out why it cannot be read. `stop`: Buildkite as a whole failed, which says nothing about the other teams. */
async function tryTeam(
  deps: Parameters<typeof readTeam>[0] & { readonly clock: Clock },
  { organization_slug, records }: Reading,
  id: string,
): Promise<{ readonly next: TeamRecord; readonly failure?: FailureFacts; readonly stop: boolean }> {
  const known = records.get(id);
  const begun_at = deps.clock.now();
  try {
    const copy = await readTeam(deps, { organization_slug, team_id: id });
    return { next: addCopy(known, copy, begun_at), stop: false };
  } catch (error) {
    const failure = toFailure(error);
    const stop = LookupError.is(error) && ['refused', 'limited', 'unreachable'].includes(error.kind);
    return { next: addFailure(known, failure.code, begun_at), failure, stop };
  }
}

async function record({ teamLedger }: TeamDeps, { records, failures }: Reading, id: string, team: TeamRecord) {
  try {
    await teamLedger.record(id, team);
    records.set(id, team);
  } catch (error) {
    failures.push({ ...toFailure(error), team_id: id });
  }
}

function toStale(
  named: NamedTeams['teams'][number],
  team: TeamRecord | undefined,
  age: Parameters<typeof teamState>[2],
): StaleTeam[] {
  const state = teamState(named, team, age);
  if (state === 'current' || state === 'pending') return [];
  return [{ id: named.id, name: named.name, state, read_at: team?.read_at ?? null, failure: team?.failure ?? null }];
}
