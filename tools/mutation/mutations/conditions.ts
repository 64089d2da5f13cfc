// Guards of the conditions of rules: who approved, who is in which team, who started a build, what a machine's token says.

import type { Mutation } from '../mutation.ts';

const JUDGE = 'shared/core/conditions/judge.ts';
const DECIDE = 'shared/core/conditions/decide.ts';
const JUDGE_TEST = 'test/unit/core/conditions/judge.test.ts';
const APPROVALS_TEST = 'test/http/approvals.test.ts';

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

export const CONDITIONS: readonly Mutation[] = [...APPROVALS, ...OTHER_CONDITIONS];
