// Guards of the copies of Buildkite teams: how old they are, what a failure leaves of them, and how many calls they take.

import type { Mutation } from '../mutation.ts';

const TEAM_RECORD = 'shared/core/conditions/team-record.ts';
const READ_TEAM = 'shared/operations/read-team.ts';
const READ_TEAMS = 'shared/operations/read-teams.ts';
const LEDGER = 'shared/ledger/conditions.ts';
const TEAM_RECORD_TEST = 'test/unit/core/conditions/team-record.test.ts';
const READ_TEAM_TEST = 'test/unit/operations/read-team.test.ts';
const TEAMS_TEST = 'test/http/teams.test.ts';
const MANY_TEAMS_TEST = 'test/http/many-teams.test.ts';

export const TEAMS: readonly Mutation[] = [
  {
    id: 'copy-as-old-as-its-end',
    breaks: 'verification',
    means: 'A copy of a team has the time at which reading ended, though somebody may have left before.',
    edits: [
      { file: READ_TEAMS, find: 'addCopy(known, copy, begun_at)', replace: 'addCopy(known, copy, deps.clock.now())' },
    ],
    killers: [TEAMS_TEST],
  },
  {
    id: 'failure-renews-the-copy',
    breaks: 'verification',
    means: 'A copy of a team counts as read when reading it failed.',
    edits: [
      {
        file: TEAM_RECORD,
        find: 'return { ...last, failure,',
        replace: 'return { ...last, read_at: begun_at, failure,',
      },
    ],
    killers: [TEAM_RECORD_TEST, TEAMS_TEST],
  },
  {
    id: 'failure-empties-the-copy',
    breaks: 'states',
    means: 'A team that cannot be read loses its last copy at once.',
    edits: [
      {
        file: TEAM_RECORD,
        find: 'const last = known ?? { members: [], pipelines: {}, read_at: null, read_again: false };',
        replace: 'const last = { members: [], pipelines: {}, read_at: known?.read_at ?? null, read_again: false };',
      },
    ],
    killers: [TEAM_RECORD_TEST, TEAMS_TEST],
  },
  {
    id: 'vanished-member-not-read-again',
    breaks: 'states',
    means: 'Somebody whom shifting pages lost stays out of the team until it is due.',
    edits: [
      { file: TEAM_RECORD, find: 'read_again: paged && vanished', replace: 'read_again: paged && !vanished && false' },
    ],
    killers: [TEAM_RECORD_TEST, TEAMS_TEST],
  },
  {
    id: 'older-copy-replaces-newer',
    breaks: 'verification',
    means: 'A sweep that was slow writes its copy of a team over a later one.',
    edits: [
      {
        file: LEDGER,
        find: 'if (at > (team.read_at ?? 0) && !isAhead(at, clock.now())) return;',
        replace: 'isAhead(at, clock.now());',
      },
    ],
    killers: [TEAMS_TEST],
  },
  {
    id: 'half-a-team',
    breaks: 'verification',
    means: 'A team counts as read when a page of its members is missing.',
    edits: [
      {
        file: READ_TEAM,
        find: "if (!response) throw new DependencyError(BUILDKITE_TEAMS, 'no_calls_left', 'no call is left for the team');",
        replace: 'if (!response) return { found, paged: true };',
      },
    ],
    killers: [READ_TEAM_TEST],
  },
  {
    id: 'team-too-large',
    breaks: 'limits',
    means: 'A team of any size is kept.',
    edits: [
      {
        file: READ_TEAM,
        find: 'if (found.size > most) throw tooLarge(',
        replace: 'if (found.size > most * 1e9) throw tooLarge(',
      },
    ],
    killers: [READ_TEAM_TEST],
  },
  {
    id: 'teams-before-anything-else',
    breaks: 'limits',
    means: 'Teams may use all calls of a minute.',
    edits: [
      {
        file: READ_TEAMS,
        find: '(budget.made < MAX_CALLS ? budget.call(work) : undefined)',
        replace: 'budget.call(work)',
      },
      {
        file: READ_TEAMS,
        find: 'if (!budget.open || budget.made >= MAX_CALLS) break;',
        replace: 'if (!budget.open) break;',
      },
      {
        file: READ_TEAMS,
        find: 'if (budget.made > 0 && budget.made + callsFor(records.get(id)) > MAX_CALLS) continue;',
        replace: 'callsFor(records.get(id));',
      },
    ],
    killers: [MANY_TEAMS_TEST],
  },
  {
    id: 'teams-in-order-of-names',
    breaks: 'limits',
    means: 'Some of many teams are never read.',
    edits: [
      {
        file: READ_TEAMS,
        find: 'return due.sort((left, right) => triedAt(records.get(left)) - triedAt(records.get(right)));',
        replace: 'return due.sort((left, right) => (left < right ? -1 : 0 * triedAt(records.get(right)) + 1));',
      },
    ],
    killers: [MANY_TEAMS_TEST],
  },
  {
    id: 'teams-until-the-next-sweep',
    breaks: 'limits',
    means: 'Teams are read while the next sweep reconciles.',
    edits: [
      {
        file: READ_TEAMS,
        find: 'Math.min(now + TEAM_BUDGET_MS, startedAt + TEAMS_UNTIL_MS)',
        replace: 'now + TEAM_BUDGET_MS + 0 * (startedAt + TEAMS_UNTIL_MS)',
      },
    ],
    killers: [MANY_TEAMS_TEST],
  },
  {
    id: 'teams-against-a-limit',
    breaks: 'limits',
    means: 'Teams are read although Buildkite wants to be left alone.',
    edits: [
      { file: READ_TEAMS, find: ' || now < this.#pausedUntil) return', replace: ' || this.#pausedUntil < 0) return' },
    ],
    killers: [MANY_TEAMS_TEST],
  },
  {
    id: 'teams-limit-for-jobs',
    breaks: 'limits',
    means: 'A limit of the API token for teams keeps jobs from being looked up.',
    edits: [
      {
        file: READ_TEAMS,
        find: 'releasePollLock(lock, budget.calls, 0)',
        replace: 'releasePollLock(lock, budget.calls, budget.pause)',
      },
    ],
    killers: [MANY_TEAMS_TEST],
  },
  {
    id: 'one-team-stops-the-others',
    breaks: 'limits',
    means: 'A team that cannot be read keeps the others of the sweep from being read.',
    edits: [
      {
        file: READ_TEAMS,
        find: "['refused', 'limited', 'unreachable'].includes(error.kind)",
        replace: "['refused', 'limited', 'unreachable', 'failed'].includes(error.kind)",
      },
      {
        file: READ_TEAMS,
        find: 'const stop = LookupError.is(error) &&',
        replace: 'const stop = !LookupError.is(error) ||',
      },
    ],
    killers: [MANY_TEAMS_TEST, TEAMS_TEST],
  },
];
