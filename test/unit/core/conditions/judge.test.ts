// Situations of approvals, teams, creators and machines, each with its verdict: facts in, verdict out. The first facts of a table row are
// those of a build that everything is right with; the row changes one or two of them.

import { describe, expect, it } from 'vitest';
import { type BuildRecord, emptyBuildRecord, type Unblock } from '../../../../shared/core/conditions/build-record.ts';
import { decideConditions } from '../../../../shared/core/conditions/decide.ts';
import {
  type ConditionVerdict,
  type Facts,
  judgeConditions,
  type Question,
  UNMET_REASONS,
} from '../../../../shared/core/conditions/judge.ts';
import { conditionOutcome } from '../../../../shared/core/conditions/reason-words.ts';
import type { TeamRecord } from '../../../../shared/core/conditions/team-record.ts';
import type { JobClaims } from '../../../../shared/core/policy/claims.ts';
import type { Conditions } from '../../../../shared/core/policy/conditions.ts';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { parsePolicyData } from '../../../../shared/core/policy/policy.ts';
import { CLOCK_MARGIN_MS } from '../../../../shared/core/timing.ts';
import { jobClaims } from '../../../fixtures/job-claims.ts';
import { account, PIPELINE_ID } from '../../../fixtures/policies.ts';

const NOW = Date.UTC(2026, 10, 30, 20);
const HOUR = 3_600_000;
const OTHER_PIPELINE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
const BUILD_ID = '0184990c-0000-4000-8000-000000000007';
const MANAGERS = '11111111-0000-4000-8000-000000000000';
const PLATFORM = '22222222-0000-4000-8000-000000000000';
/** A release manager, one of the platform team who starts builds, a bot without a team, and one who left the managers. */
const [MIRA, PAT, BOT, GONE] = ['mira', 'pat', 'bot', 'gone'];

const APPROVAL = { step: 'approve', by: 'managers', within: 4 * 3600 } as const;
const BY_ANOTHER = { ...APPROVAL, not: 'creator' } as const;

interface Situation {
  readonly claims: Partial<JobClaims>;
  readonly build: Partial<BuildRecord> | undefined;
  readonly unblocks: readonly Partial<Unblock>[];
  readonly managers: Partial<TeamRecord> | undefined;
  readonly platform: Partial<TeamRecord> | undefined;
  readonly agent: Facts['agent'];
  readonly teamsMaxAge: number;
}

/** Pat of the platform team started it in the web interface, Mira approved it an hour ago, and it runs on a machine of the role ci. */
const RIGHT: Situation = {
  claims: {},
  build: {},
  unblocks: [{}],
  managers: {},
  platform: {},
  agent: { provider: 'aws', claims: { role: 'ci', zone: 'a' } },
  teamsMaxAge: 3600,
};

function questionOf(changed: Partial<Situation>): Question {
  const { claims, build, unblocks, managers, platform, agent, teamsMaxAge } = { ...RIGHT, ...changed };
  const team = (members: string[], record: Partial<TeamRecord> | undefined): TeamRecord | undefined =>
    record && {
      ...{ members, pipelines: { [PIPELINE_ID]: 'build_and_read' }, read_at: NOW - 60_000 },
      ...{ read_again: false, failure: null, failed_at: null, delete_at: NOW + HOUR },
      ...record,
    };
  const teams = [
    [MANAGERS, team([MIRA], managers)],
    [PLATFORM, team([PAT, MIRA], platform)],
  ].filter((entry): entry is [string, TeamRecord] => entry[1] !== undefined);
  const unblock: Unblock = {
    ...{ job_id: 'unblock-1', step_key: 'approve', step_id: 'step-1' },
    ...{ unblocked_by: MIRA, unblocked_at: NOW - HOUR },
  };
  return {
    claims: jobClaims({ pipeline_id: PIPELINE_ID, build_number: 7, build_source: 'ui', ...claims }),
    facts: {
      build: build && {
        ...emptyBuildRecord({ pipeline_id: PIPELINE_ID, build_number: 7 }, NOW),
        ...{ build_id: BUILD_ID, creator_known: true, creator: PAT },
        unblocks: unblocks.map((one) => ({ ...unblock, ...one })),
        ...build,
      },
      teams: new Map(teams),
      agent,
    },
    policy: {
      teams: { managers: MANAGERS, platform: PLATFORM },
      limits: { tokensPerMinute: 60, liveGrantsPerPipeline: 1000, teamsMaxAge },
    },
    now: NOW,
  };
}

/** `met`, or `OUTCOME CONDITION REASON`. */
function verdictOf(conditions: Conditions, changed: Partial<Situation>): string {
  return words(judgeConditions(conditions, questionOf(changed)));
}

function words(verdict: ConditionVerdict): string {
  switch (verdict.outcome) {
    case 'met':
      return 'met';
    case 'unmet':
      return `unmet ${verdict.condition} ${verdict.reason}`;
    case 'pending':
      return `pending ${verdict.step}`;
    case 'unknown':
      return `unknown ${verdict.condition} ${verdict.unknown}${verdict.team === undefined ? '' : ` ${verdict.team}`}`;
  }
}

type Row = readonly [situation: string, conditions: Conditions, changed: Partial<Situation>, verdict: string];

const plain = { approval: APPROVAL };
const another = { approval: BY_ANOTHER };
const emergency = { approval: { ...BY_ANOTHER, use: 'break-glass' as const } };
const unmet = (reason: string) => `unmet approval ${reason}`;

const APPROVALS: readonly Row[] = [
  ['a member approved', plain, {}, 'met'],
  ['a member who did not start the build approved', another, {}, 'met'],
  ['nothing is on record of the build', plain, { build: undefined }, 'pending approve'],
  ['nobody approved', plain, { unblocks: [] }, 'pending approve'],
  ['in an emergency, with a reason', emergency, { build: { reason: 'the site is down' } }, 'met'],
  ['in an emergency, and the build states no reason', emergency, {}, unmet('approval_without_reason')],
  ['in an emergency, and the reason is empty', emergency, { build: { reason: '' } }, unmet('approval_without_reason')],
  ['another step was approved', plain, { unblocks: [{ step_key: 'approve-staging' }] }, 'pending approve'],
  ['a step whose key differs in case was approved', plain, { unblocks: [{ step_key: 'Approve' }] }, 'pending approve'],
  ['the build was rebuilt: it has another number', plain, { claims: { build_number: 8 } }, unmet('build_differs')],
  [
    'a build of another pipeline with an equal number was approved',
    plain,
    { claims: { pipeline_id: OTHER_PIPELINE } },
    unmet('build_differs'),
  ],
  [
    'the job token is of another build than the record',
    plain,
    { claims: { build_id: '0184990c-0000-4000-8000-000000000008' } },
    unmet('build_differs'),
  ],
  ['the job token says which build it is of', plain, { claims: { build_id: BUILD_ID } }, 'met'],
  [
    'the record does not have the UUID of the build',
    plain,
    { claims: { build_id: BUILD_ID }, build: { build_id: null } },
    'met',
  ],
  [
    'two steps with one key were approved',
    plain,
    { unblocks: [{}, { job_id: 'unblock-2', step_id: 'step-2' }] },
    unmet('approval_ambiguous'),
  ],
  [
    'two steps with one key were approved, and Buildkite gives no IDs of steps',
    plain,
    { unblocks: [{ step_id: null }, { job_id: 'unblock-2', step_id: null }] },
    unmet('approval_ambiguous'),
  ],
  [
    'a step with another key was approved by somebody else',
    plain,
    { unblocks: [{}, { job_id: 'unblock-2', step_id: 'step-2', step_key: 'approve-staging', unblocked_by: BOT }] },
    'met',
  ],
  [
    'a block step was retried: its latest approval is by a member',
    plain,
    { unblocks: [{ unblocked_by: BOT }, { job_id: 'unblock-2', unblocked_at: NOW - 60_000 }] },
    'met',
  ],
  [
    'a block step was retried: its latest approval is by somebody else',
    plain,
    { unblocks: [{}, { job_id: 'unblock-2', unblocked_by: BOT, unblocked_at: NOW - 60_000 }] },
    unmet('approver_not_in_team'),
  ],
  [
    'a block step was retried: the latest approval is recent, the first one is not',
    plain,
    { unblocks: [{ unblocked_at: NOW - 5 * HOUR }, { job_id: 'unblock-2' }] },
    'met',
  ],
  // The one with the lesser UUID counts, in whatever order they came.
  [
    'a block step was approved twice at the same time, first by a member',
    plain,
    { unblocks: [{}, { job_id: 'unblock-2', unblocked_by: BOT }] },
    'met',
  ],
  [
    'a block step was approved twice at the same time, first by somebody else',
    plain,
    { unblocks: [{ unblocked_by: BOT }, { job_id: 'unblock-2' }] },
    unmet('approver_not_in_team'),
  ],
  ['a bot approved that is no member', plain, { unblocks: [{ unblocked_by: BOT }] }, unmet('approver_not_in_team')],
  [
    'a bot approved that is a member',
    plain,
    { unblocks: [{ unblocked_by: BOT }], managers: { members: [MIRA, BOT] } },
    'met',
  ],
  ['somebody approved who left the team', plain, { unblocks: [{ unblocked_by: GONE }] }, unmet('approver_not_in_team')],
  [
    'somebody approved who left the team after it was last read',
    plain,
    { unblocks: [{ unblocked_by: GONE }], managers: { members: [GONE], read_at: NOW - HOUR } },
    'met',
  ],
  // An API token with write_builds can name any user as the unblocker. Nothing tells that from an approval by that user.
  ['somebody unblocked by API in the name of a member', plain, { unblocks: [{ unblocked_by: MIRA }] }, 'met'],
  ['Buildkite names nobody who approved', plain, { unblocks: [{ unblocked_by: null }] }, unmet('approver_unknown')],
  [
    'the creator approved, and may',
    { approval: { ...APPROVAL, by: 'platform' } },
    { unblocks: [{ unblocked_by: PAT }] },
    'met',
  ],
  [
    'the creator approved, and must not',
    { approval: { ...BY_ANOTHER, by: 'platform' } },
    { unblocks: [{ unblocked_by: PAT }] },
    unmet('approver_is_creator'),
  ],
  ['Buildkite names nobody who started the build', another, { build: { creator: null } }, unmet('creator_unknown')],
  ['Buildkite names nobody who started it, and it does not matter', plain, { build: { creator: null } }, 'met'],
  [
    'it is not read yet who started the build',
    another,
    { build: { creator: null, creator_known: false } },
    'unknown approval build',
  ],
  [
    'it is not read yet who started the build, and it does not matter',
    plain,
    { build: { creator: null, creator_known: false } },
    'met',
  ],
  ['approved as long ago as may be', plain, { unblocks: [{ unblocked_at: NOW - 4 * HOUR }] }, 'met'],
  [
    'approved a millisecond longer ago',
    plain,
    { unblocks: [{ unblocked_at: NOW - 4 * HOUR - 1 }] },
    unmet('approval_expired'),
  ],
  ['approved in the future, as clocks differ', plain, { unblocks: [{ unblocked_at: NOW + CLOCK_MARGIN_MS }] }, 'met'],
  [
    'approved further in the future',
    plain,
    { unblocks: [{ unblocked_at: NOW + CLOCK_MARGIN_MS + 1 }] },
    unmet('approval_in_future'),
  ],
  ['the team was never read', plain, { managers: undefined }, 'unknown approval team managers'],
  ['the team has no complete copy', plain, { managers: { read_at: null } }, 'unknown approval team managers'],
  ['the copy of the team is as old as may be', plain, { managers: { read_at: NOW - HOUR } }, 'met'],
  [
    'the copy of the team is a millisecond older',
    plain,
    { managers: { read_at: NOW - HOUR - 1 } },
    'unknown approval team managers',
  ],
  [
    'the last reading of the team failed, and its copy is recent',
    plain,
    { managers: { failure: 'not_found', failed_at: NOW } },
    'met',
  ],
  [
    'the copy of the team is of the future',
    plain,
    { managers: { read_at: NOW + CLOCK_MARGIN_MS + 1 } },
    'unknown approval team managers',
  ],
  [
    'the copy of the team is of the future, as clocks differ',
    plain,
    { managers: { read_at: NOW + CLOCK_MARGIN_MS } },
    'met',
  ],
  ['the copy of another team is too old', plain, { platform: { read_at: NOW - 2 * HOUR } }, 'met'],
  ['the policy accepts older copies', plain, { managers: { read_at: NOW - 2 * HOUR }, teamsMaxAge: 7200 }, 'met'],
  [
    'the step has the name of a member of every object',
    { approval: { ...APPROVAL, step: 'constructor' } },
    {},
    'pending constructor',
  ],
  [
    'the team has the name of a member of every object',
    { approval: { ...APPROVAL, by: 'constructor' } },
    {},
    'unknown approval team constructor',
  ],
];

const team = (access: 'read_only' | 'build_and_read' | 'manage_build_and_read' = 'read_only', name = 'platform') => ({
  team: { name, access },
});
const created_by = { created_by: { team: 'platform' } };
const OTHER_ACCESS = (access: 'read_only' | 'manage_build_and_read') => ({
  platform: { pipelines: { [PIPELINE_ID]: access } },
});

const TEAMS: readonly Row[] = [
  ['the pipeline is of the team', team(), {}, 'met'],
  ['the team has exactly the access', team('build_and_read'), {}, 'met'],
  ['the team has less access', team('manage_build_and_read'), {}, 'unmet team team_access_too_low'],
  ['the team may only read', team('build_and_read'), OTHER_ACCESS('read_only'), 'unmet team team_access_too_low'],
  ['the team has more access', team('build_and_read'), OTHER_ACCESS('manage_build_and_read'), 'met'],
  ['the pipeline is of no team', team(), { platform: { pipelines: {} } }, 'unmet team pipeline_not_in_team'],
  ['another pipeline runs', team(), { claims: { pipeline_id: OTHER_PIPELINE } }, 'unmet team pipeline_not_in_team'],
  ['the job token lacks the UUID', team(), { claims: { pipeline_id: undefined } }, 'unmet team pipeline_not_in_team'],
  ['the team was never read', team(), { platform: undefined }, 'unknown team team platform'],
  ['the copy is too old', team(), { platform: { read_at: NOW - HOUR - 1 } }, 'unknown team team platform'],
  ['the copy is just not too old', team(), { platform: { read_at: NOW - HOUR } }, 'met'],
  ['nothing is on record of the build', team(), { build: undefined }, 'met'],
  ['a member started the build in the web interface', created_by, {}, 'met'],
  ['a member started the build by API', created_by, { claims: { build_source: 'api' } }, 'met'],
  ...['webhook', 'trigger_job', 'schedule', undefined, 'something new'].map(
    (build_source): Row => [
      `the source is ${build_source}, whose creator nobody verified`,
      created_by,
      { claims: { build_source } },
      'unmet created_by creator_unverified',
    ],
  ),
  ['somebody else started it', created_by, { build: { creator: BOT } }, 'unmet created_by creator_not_in_team'],
  ['nobody started it', created_by, { build: { creator: null } }, 'unmet created_by creator_unknown'],
  ['it is not read who started it', created_by, { build: { creator_known: false } }, 'unknown created_by build'],
  ['nothing is on record of who started it', created_by, { build: undefined }, 'unknown created_by build'],
  ['the record is of another build', created_by, { claims: { build_number: 8 } }, 'unmet created_by build_differs'],
  ['the team of the creator was never read', created_by, { platform: undefined }, 'unknown created_by team platform'],
  ['the creator left the team', created_by, { platform: { members: [] } }, 'unmet created_by creator_not_in_team'],
];

const agent = (claims: Record<string, string[]>, provider = 'aws') => ({ agent: { provider, claims } });

const MACHINES: readonly Row[] = [
  ['the machine has the role', agent({ role: ['ci'] }), {}, 'met'],
  ['the machine has one of the roles', agent({ role: ['deploy', 'ci'] }), {}, 'met'],
  ['all claims are met', agent({ role: ['ci'], zone: ['a'] }), {}, 'met'],
  ['one claim differs', agent({ role: ['ci'], zone: ['b'] }), {}, 'unmet agent agent_claims_differ'],
  ['a value has the rule as its beginning', agent({ role: ['c'] }), {}, 'unmet agent agent_claims_differ'],
  ['a star is no wildcard', agent({ role: ['*'] }), {}, 'unmet agent agent_claims_differ'],
  ['a claim is not declared', agent({ constructor: ['ci'] }), {}, 'unmet agent agent_claims_differ'],
  ['the token is of another provider', agent({ role: ['ci'] }, 'gce'), {}, 'unmet agent agent_of_other_provider'],
  ['the request has no token', agent({ role: ['ci'] }), { agent: undefined }, 'unmet agent agent_token_missing'],
];

const ALL: Conditions = { ...team(), ...created_by, ...another, ...agent({ role: ['ci'] }) };

const SEVERAL: readonly Row[] = [
  ['all four hold', ALL, {}, 'met'],
  [
    'nothing is known',
    ALL,
    { build: undefined, managers: undefined, platform: undefined, agent: undefined },
    'unmet agent agent_token_missing',
  ],
  [
    'one does not hold, and another is not known',
    ALL,
    { build: { creator: BOT }, managers: undefined },
    'unmet created_by creator_not_in_team',
  ],
  [
    'the first ones are not known, and the last one does not hold',
    ALL,
    { unblocks: [{ unblocked_by: BOT }], platform: undefined },
    unmet('approver_not_in_team'),
  ],
  [
    'one is not known, and another is pending',
    ALL,
    { unblocks: [], platform: undefined },
    'unknown team team platform',
  ],
  ['only the approval is missing', ALL, { unblocks: [] }, 'pending approve'],
];

const ROWS = [...APPROVALS, ...TEAMS, ...MACHINES, ...SEVERAL];

describe('a condition of a rule', () => {
  it.each(APPROVALS)('of an approval, where %s', (_, conditions, changed, verdict) => {
    expect(verdictOf(conditions, changed)).toBe(verdict);
  });

  it.each(TEAMS)('of a team, where %s', (_, conditions, changed, verdict) => {
    expect(verdictOf(conditions, changed)).toBe(verdict);
  });

  it.each(MACHINES)('of a machine, where %s', (_, conditions, changed, verdict) => {
    expect(verdictOf(conditions, changed)).toBe(verdict);
  });

  it.each(SEVERAL)('among several, where %s', (_, conditions, changed, verdict) => {
    expect(verdictOf(conditions, changed)).toBe(verdict);
  });

  it('has a situation for every reason, and words for each', () => {
    const reasons = ROWS.map(([, , , verdict]) => verdict.split(' ')[2]);
    for (const reason of UNMET_REASONS) expect(reasons).toContain(reason);
    for (const reason of UNMET_REASONS) {
      const traced = { rule: 'r', outcome: 'condition_unmet', checks: [], condition: 'approval', reason } as const;
      expect(conditionOutcome(traced)).not.toContain(reason);
    }
    expect(ROWS.length).toBeGreaterThanOrEqual(40);
  });

  it('is judged alike in any order of the facts', () => {
    for (const [, conditions, changed, verdict] of ROWS) {
      const question = questionOf(changed);
      const { build, teams } = question.facts;
      const reversed = {
        ...question.facts,
        build: build && { ...build, unblocks: build.unblocks.toReversed() },
        teams: new Map([...teams].toReversed()),
      };
      expect(words(judgeConditions(conditions, { ...question, facts: reversed }))).toBe(verdict);
    }
  });

  it('never holds by fewer facts', () => {
    for (const [, conditions, changed, verdict] of ROWS) {
      if (verdict === 'met') continue;
      const { facts, ...question } = questionOf(changed);
      for (const fewer of [{ build: undefined }, { teams: new Map() }, { agent: undefined }])
        expect(judgeConditions(conditions, { ...question, facts: { ...facts, ...fewer } }).outcome).not.toBe('met');
    }
  });

  it('gives as its basis who, when and by which copies of teams', () => {
    expect(judgeConditions(ALL, questionOf({ build: { reason: 'the site is down' } }))).toEqual({
      outcome: 'met',
      basis: {
        team: { id: PLATFORM, access: 'build_and_read', read_at: NOW - 60_000 },
        created_by: { user_id: PAT, team_id: PLATFORM, read_at: NOW - 60_000 },
        approval: {
          ...{ step_key: 'approve', job_id: 'unblock-1', approved_by: MIRA, approved_at: NOW - HOUR },
          ...{ team_id: MANAGERS, read_at: NOW - 60_000, break_glass: false, reason: 'the site is down' },
        },
        agent: { provider: 'aws', claims: { role: 'ci', zone: 'a' } },
      },
    });
  });
});

describe('an approval', () => {
  it('that is pending names its condition and the step', () => {
    expect(judgeConditions(plain, questionOf({ unblocks: [] }))).toEqual({
      ...{ outcome: 'pending', condition: 'approval', step: 'approve' },
    });
  });

  it('for an emergency says so in the basis', () => {
    expect(judgeConditions(emergency, questionOf({ build: { reason: 'the site is down' } }))).toMatchObject({
      basis: { approval: { break_glass: true, reason: 'the site is down' } },
    });
  });
});

describe('a decision by several rules with conditions', () => {
  const RULES = {
    approved: { approval: { step: 'approve', by: 'managers', within: '4h', not: 'creator' } },
    machine: { agent: { provider: 'aws', claims: { role: 'ci' } } },
    team: { match: { team: { name: 'platform', access: 'manage_build_and_read' } } },
    free: {},
  };

  function decideBy(
    names: readonly (keyof typeof RULES)[],
    changed: Partial<Situation>,
    claims: Partial<JobClaims> = {},
  ) {
    const result = parsePolicyData({
      version: 1,
      organization: { slug: 'acme-inc' },
      audience: 'https://keydesk.acme.example',
      environments: { production: {} },
      teams: { managers: MANAGERS, platform: PLATFORM },
      identityProviders: {
        aws: {
          ...{ issuer: 'https://aws.example', keys: 'https://aws.example/jwks', audience: 'keydesk' },
          ...{ algorithms: ['RS256'], claims: { role: { setBy: 'platform' } } },
        },
      },
      credentials: {
        config: {
          ...{ environment: 'production', ttl: '10m' },
          serviceAccount: { email: account('export', 'acme'), scopes: ['https://scope.example'] },
        },
      },
      rules: names.map((name) => {
        const { match = {}, ...rule } = { match: {}, ...RULES[name] };
        return { name, grants: ['config'], match: { pipeline_slug: 'app', ...match }, ...rule };
      }),
    });
    if ('problems' in result) throw new Error(JSON.stringify(result.problems));
    const question = questionOf(changed);
    const decision = decide(result.policy, { ...question.claims, ...claims }, 'config');
    if (decision.outcome !== 'conditional') return decision.outcome === 'granted' ? decision.rule : decision.reason;
    const judged = decideConditions(decision, question);
    return judged.outcome === 'granted' ? judged.rule : judged.reason;
  }

  const NO_MACHINE = { agent: undefined };
  const BAD_APPROVAL = { unblocks: [{ unblocked_by: BOT }] };

  it.each([
    [['approved', 'machine'], {}, 'approved'],
    [['machine', 'approved'], {}, 'machine'],
    [['approved', 'machine'], { unblocks: [] }, 'machine'],
    [['machine', 'approved'], NO_MACHINE, 'approved'],
    // A rule without conditions comes first, wherever it is.
    [['approved', 'free'], {}, 'free'],
    [['free', 'approved'], { build: undefined }, 'free'],
    // The more a caller can do, the earlier it is said, in any order of the rules.
    [['approved', 'machine'], { ...NO_MACHINE, unblocks: [] }, 'approval_pending'],
    [['machine', 'approved'], { ...NO_MACHINE, unblocks: [] }, 'approval_pending'],
    [['approved', 'machine'], { ...NO_MACHINE, ...BAD_APPROVAL }, 'agent_token_missing'],
    [['machine', 'approved'], { ...NO_MACHINE, ...BAD_APPROVAL }, 'agent_token_missing'],
    [['approved', 'team'], BAD_APPROVAL, 'approval_not_accepted'],
    [['team', 'approved'], { managers: undefined }, 'conditions_unknown'],
    [['approved', 'team'], { managers: undefined, unblocks: [] }, 'approval_pending'],
    [['team'], {}, 'no_matching_rule'],
    [['machine'], { agent: { provider: 'aws', claims: { role: 'other' } } }, 'no_matching_rule'],
  ] as const)('by %j where %j: %s', (names, changed, expected) => {
    expect(decideBy(names, changed)).toBe(expected);
  });

  it('does without the UUID of the pipeline only where no rule needs it', () => {
    const claims = { pipeline_id: undefined };
    expect(decideBy(['approved'], {}, claims)).toBe('claims_missing');
    expect(decideBy(['approved', 'machine'], {}, claims)).toBe('machine');
    expect(decideBy(['approved', 'machine'], NO_MACHINE, claims)).toBe('agent_token_missing');
  });
});
