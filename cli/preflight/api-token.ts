// The Buildkite API tokens that the sweep uses, when the operator gives them: what each may do, and until when.
// Source: buildkite.com/docs/apis/rest-api/access-token. The tokens are not stored, logged or printed.

import * as z from 'zod';
import { needsBuild } from '../../shared/core/policy/conditions.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Check, CheckKind, Found } from '../checks/check.ts';

const API = 'api.buildkite.com';
const SOON_MS = 14 * 24 * 60 * 60_000;

const tokenShape = z.object({ scopes: z.array(z.string()).default([]), expires_at: z.string().nullish() });

const ANY_TOKEN = { permission: 'an API token of Buildkite', role: 'Any' };
export const TOKEN_CALL = { api: API, path: 'v2/access-token', shape: tokenShape, ...ANY_TOKEN, on: API };

export interface TokenTarget {
  readonly policy: Policy;
  readonly clock: Pick<Clock, 'now'>;
  /** A Buildkite API token to look at. */
  readonly apiToken: string | undefined;
  /** The one for teams. */
  readonly teamsApiToken: string | undefined;
}

/** `needed`: one of these scopes, the first as the finding names it. Buildkite's documentation has two names for the scope of teams. */
interface Purpose {
  readonly subject: string;
  readonly needed: readonly [string, ...string[]];
  readonly lost: string;
}

const FOR_JOBS: Purpose = {
  subject: API,
  needed: ['read_builds'],
  lost: 'the sweep finds no lost webhook: access of a job whose end nobody announced lasts until it expires',
};
const FOR_JOBS_AND_BUILDS: Purpose = {
  ...FOR_JOBS,
  lost: `${FOR_JOBS.lost}, and an approval or the creator of a build whose webhook is lost is never found`,
};
const FOR_TEAMS: Purpose = {
  subject: `${API} for teams`,
  needed: ['read_teams', 'view_teams'],
  lost: 'the sweep reads no team: once its copies are too old, no rule that needs a team grants anything',
};

type Name =
  | 'api_token_not_accepted'
  | 'api_token_scope_missing'
  | 'api_token_scope_not_needed'
  | 'api_token_may_unblock'
  | 'api_token_expires_soon';

const REPLACE =
  'Create a token with {needed} alone at https://buildkite.com/user/api-access-tokens, add it as a version of the secret, and set its number.';
const UNDO = 'Set the former number.';
/** Who has it can start builds and unblock steps, also in the name of somebody else. */
const UNBLOCKS = 'write_builds';

export const apiTokens: CheckKind<TokenTarget, Name> = {
  name: 'API token',
  looksAt:
    'The scopes and the expiry of the Buildkite API tokens, when they are given: by BUILDKITE_API_TOKEN or --token-file, and by --teams-token-file.',
  findings: {
    api_token_not_accepted: {
      severity: 'error',
      what: 'Buildkite does not accept the API token.',
      why: 'Without it {lost}.',
      fix: REPLACE,
      undo: UNDO,
    },
    api_token_scope_missing: {
      severity: 'error',
      what: 'The API token lacks the scope {needed}. It has: {scopes}.',
      why: 'With it {lost}.',
      fix: REPLACE,
      undo: UNDO,
    },
    api_token_scope_not_needed: {
      severity: 'error',
      what: 'The API token has scopes that Keydesk does not need: {scopes}.',
      why: 'Who reads the secret can do all of that at Buildkite.',
      fix: REPLACE,
      undo: UNDO,
    },
    api_token_may_unblock: {
      severity: 'error',
      what: `The API token has ${UNBLOCKS}.`,
      why: 'Who reads the secret can start builds and unblock steps, also in the name of somebody else. Then an approval proves nothing.',
      fix: REPLACE,
      undo: UNDO,
    },
    api_token_expires_soon: {
      severity: 'warning',
      what: 'The API token expires at {time}.',
      why: 'From then on {lost}.',
      fix: REPLACE,
      undo: UNDO,
    },
  },
  checksOf: ({ policy, apiToken, teamsApiToken, clock }) => [
    ...(apiToken === undefined
      ? []
      : [checkOf(conditionsOfBuilds(policy).length > 0 ? FOR_JOBS_AND_BUILDS : FOR_JOBS, apiToken, clock.now)]),
    ...(teamsApiToken === undefined ? [] : [checkOf(FOR_TEAMS, teamsApiToken, clock.now)]),
  ],
};

/** The conditions in rules that are judged by what Buildkite has of the build. */
export function conditionsOfBuilds({ rules }: Pick<Policy, 'rules'>): ('approval' | 'created_by')[] {
  const all = rules.map(({ conditions }) => conditions).filter(needsBuild);
  return (['approval', 'created_by'] as const).filter((name) => all.some((one) => one[name] !== undefined));
}

function checkOf(purpose: Purpose, apiToken: string, now: () => number): Check<Name> {
  const { subject, needed, lost } = purpose;
  return {
    subject,
    look: async (google) => {
      const found = await google.find(
        { ...TOKEN_CALL, unauthenticated: { headers: { authorization: `Bearer ${apiToken}` } } },
        (status) => status === 401,
      );
      const facts = { needed: needed[0], lost };
      if (!found) return { found: [{ finding: 'api_token_not_accepted' as const, facts }] };
      return { found: judgeToken(found, purpose, now()), detail: `expires: ${found.expires_at ?? 'never'}` };
    },
  };
}

function judgeToken(
  { scopes, expires_at }: z.output<typeof tokenShape>,
  { needed, lost }: Purpose,
  now: number,
): Found<Name>[] {
  const facts = { needed: needed[0], lost };
  const more = scopes.filter((scope) => !needed.includes(scope) && scope !== UNBLOCKS);
  const isSoon = typeof expires_at === 'string' && Date.parse(expires_at) - now < SOON_MS;
  return [
    ...(scopes.some((scope) => needed.includes(scope))
      ? []
      : [{ finding: 'api_token_scope_missing' as const, facts: { ...facts, scopes: scopes.join(', ') || 'none' } }]),
    ...(more.length > 0
      ? [{ finding: 'api_token_scope_not_needed' as const, facts: { ...facts, scopes: more.join(', ') } }]
      : []),
    ...(scopes.includes(UNBLOCKS) ? [{ finding: 'api_token_may_unblock' as const, facts }] : []),
    ...(isSoon ? [{ finding: 'api_token_expires_soon' as const, facts: { ...facts, time: `${expires_at}` } }] : []),
  ];
}
