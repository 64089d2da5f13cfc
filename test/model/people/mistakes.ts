// Mistakes that are put into what Keydesk is composed of, one at a time: histories about people and machines must object to each.

import type { BuildRecord, Unblock } from '../../../shared/core/conditions/build-record.ts';
import type { TeamRecord } from '../../../shared/core/conditions/team-record.ts';
import type { ConditionLedger } from '../../../shared/operations/ports.ts';
import type { Keydesk } from '../keydesk.ts';
import { PIPELINES } from '../setting.ts';
import { DEPLOYER, PEOPLE, type ProviderName } from './rules.ts';

const MINUTE = 60_000;

type Facts = Awaited<ReturnType<ConditionLedger['facts']>>;
type Alter = (keydesk: Keydesk) => Keydesk;

/** Makes others of the facts that a request is judged by. */
const facts = (change: (facts: Facts, keydesk: Keydesk) => Facts) => (keydesk: Keydesk) => {
  const { conditionLedger } = keydesk.tokenDeps;
  return token({
    conditionLedger: {
      ...conditionLedger,
      facts: async (wanted) => change(await conditionLedger.facts(wanted), keydesk),
    },
  })(keydesk);
};
const build = (change: (build: BuildRecord, now: number) => Partial<BuildRecord>) =>
  facts((known, { tokenDeps: { clock } }) => ({
    ...known,
    build: known.build && { ...known.build, ...change(known.build, clock.now()) },
  }));
const unblocks = (change: (unblock: Unblock, now: number) => Partial<Unblock>) =>
  build((known, now) => ({ unblocks: known.unblocks.map((unblock) => ({ ...unblock, ...change(unblock, now) })) }));
const teams = (change: (team: TeamRecord, now: number) => Partial<TeamRecord>) =>
  facts((known, { tokenDeps: { clock } }) => ({
    ...known,
    teams: new Map([...known.teams].map(([id, team]) => [id, { ...team, ...change(team, clock.now()) }])),
  }));
const token = (deps: Partial<Keydesk['tokenDeps']>) => (keydesk: Keydesk) => ({
  ...keydesk,
  tokenDeps: { ...keydesk.tokenDeps, ...deps },
});

/** A build is known by its number alone. */
const byNumber: Alter = (keydesk) => {
  const { conditionLedger } = keydesk.tokenDeps;
  const read: ConditionLedger['facts'] = async (wanted) => {
    const own = await conditionLedger.facts(wanted);
    if (own.build || !wanted.build) return own;
    const { pipeline_id, build_number } = wanted.build;
    const other = pipeline_id === PIPELINES.deploy ? PIPELINES.release : PIPELINES.deploy;
    const found = await conditionLedger.facts({ build: { pipeline_id: other, build_number }, teams: [] });
    return { ...own, build: found.build && { ...found.build, pipeline_id, build_id: null } };
  };
  return token({ conditionLedger: { ...conditionLedger, facts: read } })(keydesk);
};

export type Mistake = readonly [what: string, alter: Alter, objection: RegExp];

/** The first 40 histories meet each. */
export const MISTAKES: readonly Mistake[] = [
  [
    'a copy of a team never grows old',
    teams((_, now) => ({ read_at: now })),
    /CONDITIONS: a token was issued by the rule/,
  ],
  [
    'somebody who left a team stays in its copy',
    (keydesk) => {
      const { teamLedger } = keydesk.sweepDeps;
      const record: typeof teamLedger.record = async (id, team) => {
        const known = (await teamLedger.teams([id])).teams.get(id);
        const members = [...new Set([...(known?.members ?? []), ...team.members])];
        await teamLedger.record(id, { ...team, members });
      };
      return { ...keydesk, sweepDeps: { ...keydesk.sweepDeps, teamLedger: { ...teamLedger, record } } };
    },
    /CONDITIONS: a token was issued by the rule/,
  ],
  [
    'any access of the team to the pipeline is enough',
    teams(({ pipelines }) => ({
      pipelines: Object.fromEntries(Object.keys(pipelines).map((id) => [id, 'manage_build_and_read' as const])),
    })),
    /"of the team", and the pipeline does not belong to platform/,
  ],
  [
    'the person who started the build may approve it',
    build(({ creator, unblocks }) =>
      unblocks.some(({ unblocked_by }) => unblocked_by === creator) ? { creator: 'somebody else' } : {},
    ),
    /nobody had approved|everything was read/,
  ],
  ['an approval of another pipeline with the same build number counts', byNumber, /nobody had approved|a grant says/],
  [
    'the glass is broken without a reason',
    build(({ reason }) => ({ reason: reason ?? 'none was given' })),
    /"in an emergency", and nobody had approved glass|a grant says/,
  ],
  [
    'every token of a machine is accepted',
    token({
      verifyAgentToken: async (_, providers) => ({
        agent: { provider: [...providers][0] as ProviderName, claims: { account: DEPLOYER } },
      }),
    }),
    /the machine had no token of (cloud|cluster)/,
  ],
  [
    'no job that waits has its build looked up',
    (keydesk) => {
      const { conditionLedger } = keydesk.tokenDeps;
      return token({ conditionLedger: { ...conditionLedger, requestLook: async () => {} } })(keydesk);
    },
    /may have \w+, everything was read, and it got approval_pending/,
  ],
  [
    'the sweep looks no build up',
    (keydesk) => {
      const { buildLedger } = keydesk.sweepDeps;
      const due = async () => ({ builds: [], unreadable: [] });
      return { ...keydesk, sweepDeps: { ...keydesk.sweepDeps, buildLedger: { ...buildLedger, due } } };
    },
    /may have \w+, everything was read, and it got approval_pending/,
  ],
  [
    'the sweep reads no team',
    (keydesk) => ({ ...keydesk, sweepDeps: { ...keydesk.sweepDeps, buildkiteTeams: undefined } }),
    /everything was read, and it got conditions_unknown/,
  ],
];

/** Few histories meet these. */
export const RARE_MISTAKES: readonly Mistake[] = [
  [
    'an approval lasts for ever',
    unblocks((_, now) => ({ unblocked_at: now })),
    /nobody had approved|everything was read/,
  ],
  [
    'a step that a bot unblocked counts as approved',
    unblocks(({ unblocked_by }) => ({ unblocked_by: unblocked_by ?? PEOPLE.ann })),
    /nobody had approved|and null did/,
  ],
  ['two steps with one key pass for one', unblocks(() => ({ step_id: 'one' })), /nobody had approved/],
  [
    'an expired token of a machine is accepted',
    (keydesk) => {
      const { verifyAgentToken } = keydesk.tokenDeps;
      return token({
        verifyAgentToken: async (text, providers, now) => {
          const verified = await verifyAgentToken(text, providers, now);
          const expired = 'refusal' in verified && verified.refusal.reason === 'agent_token_expired';
          return expired ? verifyAgentToken(text, providers, now - 10 * MINUTE) : verified;
        },
      })(keydesk);
    },
    /the machine had no token of (cloud|cluster)/,
  ],
  [
    'a webhook is accepted and not recorded',
    (keydesk) => {
      const { buildLedger } = keydesk.webhookDeps;
      const addNews = async () => true;
      return { ...keydesk, webhookDeps: { ...keydesk.webhookDeps, buildLedger: { ...buildLedger, addNews } } };
    },
    /nobody had approved/,
  ],
];
