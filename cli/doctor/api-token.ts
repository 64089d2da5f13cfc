// The Buildkite API tokens that the sweep uses, when the operator gives them: what each may do, and until when.
// Source: buildkite.com/docs/apis/rest-api/access-token. The tokens are not stored, logged or printed.

import * as z from 'zod';
import type { Check, CheckKind, Found } from '../checks/check.ts';
import { READS } from './reads.ts';
import type { DoctorTarget } from './target.ts';

const API = 'api.buildkite.com';
const SOON_MS = 14 * 24 * 60 * 60_000;

const tokenShape = z.object({ scopes: z.array(z.string()).default([]), expires_at: z.string().nullish() });

export const TOKEN_CALL = { api: API, path: 'v2/access-token', shape: tokenShape, ...READS.apiToken, on: API };

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

export const apiTokens: CheckKind<DoctorTarget, Name> = {
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
  checksOf: ({ apiToken, teamsApiToken, clock }) => [
    ...(apiToken === undefined ? [] : [checkOf(FOR_JOBS, apiToken, clock.now)]),
    ...(teamsApiToken === undefined ? [] : [checkOf(FOR_TEAMS, teamsApiToken, clock.now)]),
  ],
};

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
