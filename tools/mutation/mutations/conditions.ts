// Guards of the conditions of rules: who approved, who is in which team, who started a build, what a machine's token says, and how what
// is known of them is kept.

import type { Mutation } from '../mutation.ts';

const JUDGE = 'shared/core/conditions/judge.ts';
const DECIDE = 'shared/core/conditions/decide.ts';
const BUILD_RECORD = 'shared/core/conditions/build-record.ts';
const TEAM_RECORD = 'shared/core/conditions/team-record.ts';
const READ_TEAM = 'shared/operations/read-team.ts';
const READ_TEAMS = 'shared/operations/read-teams.ts';
const LOOKS = 'shared/operations/look-up-builds.ts';
const WITH_FACTS = 'shared/operations/decide-with-facts.ts';
const LEDGER = 'shared/ledger/conditions.ts';

const JUDGE_TEST = 'test/unit/core/conditions/judge.test.ts';
const BUILD_RECORD_TEST = 'test/unit/core/conditions/build-record.test.ts';
const TEAM_RECORD_TEST = 'test/unit/core/conditions/team-record.test.ts';
const READ_TEAM_TEST = 'test/unit/operations/read-team.test.ts';
const APPROVALS_TEST = 'test/http/approvals.test.ts';
const APPROVAL_LOOKS_TEST = 'test/http/approval-looks.test.ts';
const TEAMS_TEST = 'test/http/teams.test.ts';
const MANY_TEAMS_TEST = 'test/http/many-teams.test.ts';
const WITH_FACTS_TEST = 'test/unit/operations/decide-with-facts.test.ts';
const AGENT_HTTP_TEST = 'test/http/agent-token.test.ts';

const judge = (id: string, means: string, find: string, replace: string): Mutation => ({
  ...{ id, breaks: 'verification', means, edits: [{ file: JUDGE, find, replace }], killers: [JUDGE_TEST] },
});

const APPROVALS: readonly Mutation[] = [
  judge(
    'approval-by-anybody',
    'Anybody may approve.',
    "if (!team.record.members.includes(unblocked_by)) return notApproved('approver_not_in_team');",
    '',
  ),
  judge(
    'approval-by-the-creator',
    'Who started the build may approve it.',
    "if (build.creator === unblocked_by) return notApproved('approver_is_creator');",
    '',
  ),
  judge(
    'approval-with-unknown-creator',
    'A build whose creator is not read yet counts as started by somebody else.',
    "if (!build?.creator_known) return { outcome: 'unknown', condition: 'approval', unknown: 'build' };\n    if (build.creator",
    'if (!build) return notApproved("build_differs");\n    if (build.creator_known && build.creator',
  ),
  judge(
    'approval-of-a-build-without-creator',
    'A build that names no creator counts as started by somebody else.',
    "if (build.creator === null) return notApproved('creator_unknown');\n    if (build.creator === unblocked_by)",
    'if (build.creator === unblocked_by)',
  ),
  judge(
    'approval-for-ever',
    'An approval of any age counts.',
    "if (now - unblocked_at > within * 1000) return notApproved('approval_expired');",
    '',
  ),
  judge(
    'approval-from-the-future',
    'An approval counts whose time is ahead of all clocks.',
    "if (unblocked_at > now + CLOCK_MARGIN_MS) return notApproved('approval_in_future');",
    '',
  ),
  judge(
    'approval-by-an-earlier-unblock',
    'The first unblock of a step that was retried counts, not the latest.',
    'right.unblocked_at - left.unblocked_at ||',
    'left.unblocked_at - right.unblocked_at ||',
  ),
  judge('approval-of-two-steps', 'Two steps with one key pass for one.', "if (steps.size > 1) return 'ambiguous';", ''),
  judge(
    'approval-of-another-step',
    'The unblock of any step counts.',
    'unblocks.filter(({ step_key }) => step_key === step)',
    'unblocks.filter(({ step_key }) => step_key !== "" || step)',
  ),
  judge(
    'approval-of-another-build',
    'The record of another build counts.',
    "if (build.pipeline_id !== pipeline_id || build.build_number !== build_number) return 'other';",
    '',
  ),
  judge(
    'approval-of-another-build-by-its-uuid',
    'A job token of another build than the record counts.',
    "return build_id !== undefined && build.build_id !== null && build.build_id !== build_id ? 'other' : build;",
    'return build_id === "" ? "other" : build;',
  ),
  judge(
    'glass-broken-without-a-reason',
    'In an emergency no reason is needed.',
    "if (use === 'break-glass' && !build?.reason) return notApproved('approval_without_reason');",
    '',
  ),
];

const OTHER_CONDITIONS: readonly Mutation[] = [
  judge(
    'team-of-any-age',
    'A copy of a team counts however old it is.',
    'now - read_at > policy.limits.teamsMaxAge * 1000 || read_at',
    'read_at',
  ),
  judge(
    'team-from-the-future',
    'A copy of a team counts whose time is ahead of all clocks.',
    ' || read_at > now + CLOCK_MARGIN_MS',
    '',
  ),
  judge(
    'team-with-less-access',
    'Any access of the team to the pipeline is enough.',
    "if (!includesAccess(actual, access)) return unmet('team', 'team_access_too_low');",
    'includesAccess(actual, access);',
  ),
  judge(
    'creator-unverified',
    'The author of a commit counts as who started the build.',
    "if (!SOURCES_WITH_CREATOR.includes(claims.build_source ?? '')) return unmet('created_by', 'creator_unverified');",
    'SOURCES_WITH_CREATOR.includes(claims.build_source ?? "");',
  ),
  judge(
    'creator-of-another-team',
    'Anybody may have started the build.',
    "if (!team.record.members.includes(build.creator)) return unmet('created_by', 'creator_not_in_team');",
    '',
  ),
  judge(
    'machine-of-another-provider',
    'A token of any provider is enough.',
    "if (agent.provider !== provider) return unmet('agent', 'agent_of_other_provider');",
    '',
  ),
  judge(
    'machine-by-one-claim',
    'One of several claims of the machine is enough.',
    'named.every(([name, values])',
    'named.some(([name, values])',
  ),
  judge(
    'one-condition-is-enough',
    'A rule holds when one of its conditions does.',
    "return first('unmet') ?? first('unknown') ?? first('pending') ?? { outcome: 'met', basis };",
    "return basis === NO_BASIS ? (first('unmet') ?? first('unknown') ?? first('pending') ?? { outcome: 'met', basis }) : { outcome: 'met', basis };",
  ),
  judge(
    'unknown-counts-as-met',
    'A rule grants whose conditions are not known.',
    "first('unmet') ?? first('unknown') ?? first('pending')",
    "first('unmet') ?? first('pending')",
  ),
  {
    id: 'pending-counts-as-met',
    breaks: 'verification',
    means: 'A rule grants that waits for an approval.',
    edits: [{ file: JUDGE, find: " ?? first('pending') ??", replace: ' ??' }],
    killers: [JUDGE_TEST, APPROVALS_TEST],
  },
  {
    id: 'lasting-refusal-before-pending',
    breaks: 'answers',
    means: 'A request is refused for good by one rule although another waits for an approval.',
    edits: [
      {
        file: DECIDE,
        find: "  'approval_pending',\n  'conditions_unknown',\n  'agent_token_missing',\n  'approval_not_accepted',",
        replace: "  'approval_not_accepted',\n  'agent_token_missing',\n  'conditions_unknown',\n  'approval_pending',",
      },
    ],
    killers: [JUDGE_TEST],
  },
];

const FACTS: readonly Mutation[] = [
  {
    id: 'machine-token-not-verified',
    breaks: 'verification',
    means: 'A request with a token of a machine that is refused goes on without one.',
    edits: [{ file: WITH_FACTS, find: "if (verified && 'refusal' in verified) return verified;", replace: '' }],
    killers: [AGENT_HTTP_TEST, 'test/http/bad-agent-tokens.test.ts'],
  },
  {
    id: 'machine-token-of-any-provider',
    breaks: 'verification',
    means: 'A token of a machine is accepted by a provider that no matching rule names.',
    edits: [
      {
        file: WITH_FACTS,
        find: 'verifyAgentToken(presented, providers, clock.now())',
        replace: 'verifyAgentToken(presented, new Set(Object.keys(policy.identityProviders)), clock.now())',
      },
    ],
    killers: [WITH_FACTS_TEST],
  },
  {
    id: 'waiting-job-asks-for-no-look',
    breaks: 'states',
    means: 'A job that waits for an approval does not have its build looked up.',
    edits: [{ file: WITH_FACTS, find: 'if (build && lacksBuild) await', replace: 'if (build && !lacksBuild) await' }],
    killers: [APPROVAL_LOOKS_TEST, 'test/model/people.test.ts'],
  },
  {
    id: 'unknown-creator-asks-for-no-look',
    breaks: 'states',
    means: 'A job whose build has an unknown creator does not have it looked up.',
    edits: [
      {
        file: WITH_FACTS,
        find: " || (refused.reason === 'conditions_unknown' && refused.unknown === 'build')",
        replace: '',
      },
    ],
    killers: [APPROVALS_TEST],
  },
  {
    id: 'news-replace-who-unblocked',
    breaks: 'verification',
    means: 'A later webhook changes who unblocked a step.',
    edits: [{ file: BUILD_RECORD, find: 'if (!known || known.unblocked_by === null) byJob', replace: 'byJob' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'news-replace-who-started',
    breaks: 'verification',
    means: 'A later webhook changes who started the build.',
    edits: [
      {
        file: BUILD_RECORD,
        find: 'creator: record.creator ?? news.creator ?? null',
        replace: 'creator: news.creator ?? record.creator',
      },
    ],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'news-replace-the-reason',
    breaks: 'answers',
    means: 'Metadata that a job changes later replace the reason that was given.',
    edits: [
      {
        file: BUILD_RECORD,
        find: 'reason: record.reason ?? toReason(news.reason) ?? null',
        replace: 'reason: toReason(news.reason) ?? record.reason',
      },
    ],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'unblocks-without-bound',
    breaks: 'limits',
    means: 'A build keeps any number of unblocks.',
    edits: [{ file: BUILD_RECORD, find: '    .slice(0, MAX_UNBLOCKS);', replace: '    .slice(0);' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'looks-without-pause',
    breaks: 'limits',
    means: 'A build for which a job waits is looked up by each sweep.',
    edits: [{ file: BUILD_RECORD, find: 'Math.max(now, (record.looked_at ?? 0) + wait)', replace: 'now + 0 * wait' }],
    killers: [BUILD_RECORD_TEST],
  },
  {
    id: 'look-of-half-a-build',
    breaks: 'limits',
    means: 'One sweep looks up any number of builds.',
    edits: [{ file: LOOKS, find: 'builds.slice(0, MAX_BUILDS)', replace: 'builds' }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'look-during-another-sweep',
    breaks: 'limits',
    means: 'A sweep looks builds up while another one calls Buildkite.',
    edits: [
      {
        file: LOOKS,
        find: '  if (!lock) return;\n  const budget = new CallBudget(clock, until, lock.calls);',
        replace: '  const budget = new CallBudget(clock, until, lock?.calls ?? []);',
      },
      {
        file: LOOKS,
        find: '    await jobCheckLedger.releasePollLock(lock,',
        replace: '    if (lock) await jobCheckLedger.releasePollLock(lock,',
      },
    ],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'failed-looks-are-lost',
    breaks: 'states',
    means: 'A look that Buildkite did not respond to counts as made.',
    edits: [{ file: LOOKS, find: 'if (budget.reached) for', replace: 'if (unreached.length > 0) for' }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'look-overwrites-a-record',
    breaks: 'verification',
    means: 'What a look found is written over what a webhook recorded meanwhile.',
    edits: [
      {
        file: LEDGER,
        find: '(existing) => existing && addLook(existing, news, clock.now())',
        replace: '(existing) => existing && addLook({ ...existing, unblocks: [] }, news, clock.now())',
      },
    ],
    killers: [APPROVALS_TEST, APPROVAL_LOOKS_TEST],
  },
];

const TEAMS: readonly Mutation[] = [
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

const ACCEPTANCE = 'shared/oidc/acceptance.ts';
const SIGNED_TOKEN = 'shared/oidc/signed-token.ts';
const AGENT_TOKEN = 'shared/identity-providers/agent-token.ts';
const AGENT_TOKEN_TEST = 'test/unit/identity-providers/agent-token.test.ts';
const BAD_AGENT_TOKENS_TEST = 'test/http/bad-agent-tokens.test.ts';

const provider = (id: string, means: string, edit: { file: string; find: string; replace: string }): Mutation => ({
  ...{ id, breaks: 'verification', means, edits: [edit], killers: [AGENT_TOKEN_TEST, BAD_AGENT_TOKENS_TEST] },
});

const PROVIDERS: readonly Mutation[] = [
  provider('machine-with-any-audience', 'A token of a machine for another service is accepted.', {
    file: ACCEPTANCE,
    find: 'if (aud !== audience)',
    replace: 'if (aud === undefined)',
  }),
  provider(
    'machine-with-any-algorithm',
    'A token of a machine is accepted that is signed by an algorithm of another provider.',
    {
      file: AGENT_TOKEN,
      find: "if (!provider.algorithms.includes(algorithm)) return refuse('agent_token_algorithm_not_allowed');",
      replace: '',
    },
  ),
  provider('machine-with-any-lifetime', 'A token of a machine is accepted that lives longer than the policy allows.', {
    file: ACCEPTANCE,
    find: 'if (exp - iat > maxLifetime)',
    replace: 'if (exp - iat > maxLifetime * 1e9)',
  }),
  provider('machine-after-its-time', 'A token of a machine is accepted that has expired.', {
    file: ACCEPTANCE,
    find: 'if (exp <= now - EXPIRY_LEEWAY)',
    replace: 'if (exp <= EXPIRY_LEEWAY)',
  }),
  provider('machine-before-its-time', 'A token of a machine is accepted that is not valid yet.', {
    file: ACCEPTANCE,
    find: 'if (nbf !== undefined && nbf > latest)',
    replace: 'if (nbf !== undefined && nbf > latest * 2)',
  }),
  provider('machine-issued-in-the-future', 'A token of a machine is accepted that was issued in the future.', {
    file: ACCEPTANCE,
    find: 'if (iat > latest)',
    replace: 'if (iat > latest * 2)',
  }),
  provider('machine-without-times', 'A token of a machine is accepted that has no whole numbers for times.', {
    file: ACCEPTANCE,
    find: "if (!isWholeNumber(exp) || !isWholeNumber(iat)) return { problem: 'time_claim_invalid' };",
    replace: "if (typeof exp !== 'number' || typeof iat !== 'number') return { problem: 'time_claim_invalid' };",
  }),
  provider(
    'machine-without-a-claim',
    'A token of a machine is accepted that lacks a claim which the policy declares.',
    {
      file: AGENT_TOKEN,
      find: "if (text === undefined) return refuse('agent_token_claim_invalid', name);",
      replace: 'if (text === undefined) continue;',
    },
  ),
  provider('machine-with-control-characters', 'A claim of a machine may hold what changes a terminal or a log.', {
    file: AGENT_TOKEN,
    find: 'return CONTROL_CHARACTER.test(value) || !value.isWellFormed() ? undefined : value;',
    replace: 'return CONTROL_CHARACTER.test("") ? undefined : value;',
  }),
  provider('machine-with-a-key-of-its-own', 'The header of a token may name or bring a key.', {
    file: SIGNED_TOKEN,
    find: 'HEADERS_NOT_ALLOWED.find((name) => Object.hasOwn(header, name))',
    replace: 'HEADERS_NOT_ALLOWED.slice(0, 0).find((name) => Object.hasOwn(header, name))',
  }),
  provider('machine-with-another-type', 'A token is accepted whose type is not JWT.', {
    file: SIGNED_TOKEN,
    find: '!(typeof header.typ ===',
    replace: '!(header.typ !== null || typeof header.typ ===',
  }),
  provider('machine-of-an-unnamed-provider', 'A token of a provider is accepted that no matching rule names.', {
    file: AGENT_TOKEN,
    find: '.filter(([name]) => providers.has(name))',
    replace: '.filter(([name]) => providers.has(name) || name)',
  }),
];

export const CONDITIONS: readonly Mutation[] = [...APPROVALS, ...OTHER_CONDITIONS, ...FACTS, ...TEAMS, ...PROVIDERS];
