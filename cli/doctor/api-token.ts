// The Buildkite API token that the sweep uses, when the operator gives it: what it may do, and until when.
// Source: buildkite.com/docs/apis/rest-api/access-token. The token is not stored, logged or printed.

import * as z from 'zod';
import type { CheckKind, Found } from '../checks/check.ts';
import { READS } from './reads.ts';
import type { DoctorTarget } from './target.ts';

const API = 'api.buildkite.com';
const NEEDED = 'read_builds';
const SOON_MS = 14 * 24 * 60 * 60_000;

const tokenShape = z.object({ scopes: z.array(z.string()).default([]), expires_at: z.string().nullish() });

export const TOKEN_CALL = { api: API, path: 'v2/access-token', shape: tokenShape, ...READS.apiToken, on: API };

type Name =
  | 'api_token_not_accepted'
  | 'api_token_scope_missing'
  | 'api_token_scope_not_needed'
  | 'api_token_expires_soon';

const REPLACE =
  'Create a token with read_builds alone at https://buildkite.com/user/api-access-tokens, add it as a version of the secret, and set its number.';

export const apiTokens: CheckKind<DoctorTarget, Name> = {
  name: 'API token',
  looksAt:
    'The scopes and the expiry of the Buildkite API token, when it is given by BUILDKITE_API_TOKEN or --token-file.',
  findings: {
    api_token_not_accepted: {
      severity: 'error',
      what: 'Buildkite does not accept the API token.',
      why: 'The sweep cannot find lost webhooks: access of a job whose end nobody announced lasts until it expires.',
      fix: REPLACE,
      undo: 'Set the former number.',
    },
    api_token_scope_missing: {
      severity: 'error',
      what: `The API token lacks the scope ${NEEDED}. It has: {scopes}.`,
      why: 'The sweep cannot look up builds, so it cannot find lost webhooks.',
      fix: REPLACE,
      undo: 'Set the former number.',
    },
    api_token_scope_not_needed: {
      severity: 'error',
      what: 'The API token has scopes that Keydesk does not need: {scopes}.',
      why: 'Who reads the secret can do all of that at Buildkite. With write_builds one can start and unblock builds.',
      fix: REPLACE,
      undo: 'Set the former number.',
    },
    api_token_expires_soon: {
      severity: 'warning',
      what: 'The API token expires at {time}.',
      why: 'From then on the sweep finds no lost webhook.',
      fix: REPLACE,
      undo: 'Set the former number.',
    },
  },
  checksOf: ({ apiToken, clock }) =>
    apiToken === undefined
      ? []
      : [
          {
            subject: API,
            look: async (google) => {
              const found = await google.find(
                { ...TOKEN_CALL, unauthenticated: { headers: { authorization: `Bearer ${apiToken}` } } },
                (status) => status === 401,
              );
              if (!found) return { found: [{ finding: 'api_token_not_accepted' as const, facts: {} }] };
              return { found: judgeToken(found, clock.now()), detail: `expires: ${found.expires_at ?? 'never'}` };
            },
          },
        ],
};

function judgeToken({ scopes, expires_at }: z.output<typeof tokenShape>, now: number): Found<Name>[] {
  const more = scopes.filter((scope) => scope !== NEEDED);
  const isSoon = typeof expires_at === 'string' && Date.parse(expires_at) - now < SOON_MS;
  return [
    ...(scopes.includes(NEEDED)
      ? []
      : [{ finding: 'api_token_scope_missing' as const, facts: { scopes: scopes.join(', ') || 'none' } }]),
    ...(more.length > 0
      ? [{ finding: 'api_token_scope_not_needed' as const, facts: { scopes: more.join(', ') } }]
      : []),
    ...(isSoon ? [{ finding: 'api_token_expires_soon' as const, facts: { time: `${expires_at}` } }] : []),
  ];
}
