// The whole lifecycle against its invariants, in generated histories: what is begun, what fails, how time passes and in
// which order every round trip takes its turn. A few hundred each time, and a look at whether they got anywhere;
// KEYDESK_SEED and KEYDESK_PATH, as a failure prints them, show one again.

import { expect, it } from 'vitest';
import { CLOCK_SKEW_MS } from '../../shared/core/timing.ts';
import { FOCUSES, type Focus } from './commands.ts';
import { checkHistories } from './history.ts';
import { PARTIES } from './world.ts';

const { KEYDESK_FOCUS, KEYDESK_HISTORIES, KEYDESK_SEED, KEYDESK_PATH, KEYDESK_REPLAY_PATH, KEYDESK_SHRINK } =
  process.env;
const histories = Number(KEYDESK_HISTORIES ?? 250);
const seed = Number(KEYDESK_SEED ?? 20260107);
const focuses: readonly Focus[] =
  KEYDESK_FOCUS === undefined ? (Object.keys(FOCUSES) as Focus[]) : [KEYDESK_FOCUS as Focus];

/** How often each must at least have happened in 250 histories: a model that never gets there proves nothing. */
const COMMON = {
  issued: 200,
  renewed: 50,
  returned: 40,
  'lost race': 250,
  'overtaken by the end': 5,
  'refused: job_ended': 25,
  'refused: grant_revoked': 5,
  'refused: pool_exhausted': 8,
  swapped: 6,
  'account free>leased': 15,
  'grant expired>issuing': 6,
  'sweep expired a grant': 40,
  'sweep finished a revocation': 5,
  'sweep enabled an account': 8,
};
const REACHED: Record<Focus, Record<string, number>> = {
  everything: {
    ...COMMON,
    'policy changed': 100,
    'account shared>leased': 1,
    'grant revoking>revoking': 10,
    'refused: blocked': 50,
    killed: 20,
    'sweep found a job finished': 1,
    'late: disable': 1,
  },
  pool: {
    ...COMMON,
    'late: enable': 10,
    'late: disable': 5,
    'sweep enabled an account': 30,
    'account free>leased': 60,
  },
  races: {
    ...COMMON,
    'grant revoking>revoking': 10,
    'refused: blocked': 100,
    killed: 30,
    'overtaken by the end': 50,
    'grant revoking>expired': 3,
  },
  people: {
    'issued: of the team': 50,
    'issued: started by the team': 8,
    'issued: approved': 30,
    'issued: on the machine': 25,
    'issued: approved in the cluster': 4,
    'issued: in an emergency': 15,
    'refused: approval_pending': 400,
    'refused: approval_not_accepted': 180,
    'refused: conditions_unknown': 120,
    'refused: agent_token_missing': 30,
    'refused: agent_token_expired': 20,
    'refused: agent_token_audience_wrong': 2,
    'refused: agent_token_signature_invalid': 2,
    'refused: agent_token_lifetime_too_long': 2,
    'refused: blocked': 15,
    'refused: grant_revoked': 1,
    'webhook: lost': 150,
    'webhook: late': 150,
    'webhook: twice': 150,
    'webhook of a build: new': 400,
    'a build was looked up': 350,
    'teams read': 250,
    'a team is stale': 90,
    'lost race': 250,
    renewed: 30,
    killed: 4,
  },
};

it.each(focuses)(
  `keeps every invariant in ${histories} histories of %s`,
  async (focus) => {
    const { failure, tally } = await checkHistories({
      focus,
      histories,
      seed,
      path: KEYDESK_PATH,
      replayPath: KEYDESK_REPLAY_PATH,
      shrink: KEYDESK_SHRINK === '1',
    });
    if (failure !== undefined) throw new Error(failure);
    if (KEYDESK_PATH !== undefined) return;
    const missed = Object.entries(REACHED[focus]).filter(
      ([what, least]) => (tally.get(what) ?? 0) < (least * histories) / 250,
    );
    expect(missed).toEqual([]);
  },
  3_600_000,
);

const CLOCKS = PARTIES.flatMap((party) => [CLOCK_SKEW_MS, -CLOCK_SKEW_MS].map((skew) => ({ party, skew })));

it.each(CLOCKS)('keeps every invariant while the clock of $party is $skew ms fast', async ({ party, skew }) => {
  const { failure } = await checkHistories({
    focus: 'everything',
    histories: Math.ceil(histories / 10),
    seed,
    path: undefined,
    replayPath: undefined,
    skews: { [party]: skew },
    shrink: false,
  });
  if (failure !== undefined) throw new Error(failure);
});
