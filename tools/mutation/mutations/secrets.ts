// Guards of secrets (I7) and of the steps that the state tables draw.

import type { Mutation } from '../mutation.ts';

const MINT = 'shared/google/mint.ts';

const MODEL = 'test/model/lifecycle.test.ts';

const GRANT_RESERVE = 'shared/core/grant/reserve.ts';

export const SECRETS: readonly Mutation[] = [
  {
    id: 'token-in-record',
    breaks: 'I7',
    means: 'The ledger holds tokens themselves, not their hashes.',
    observed: "history 1 of `everything`: I7: a record holds a token's text",
    edits: [
      {
        file: 'shared/core/grant/id.ts',
        find: `  return createHash('sha256').update(accessToken).digest('hex');`,
        replace: '  return accessToken;',
      },
    ],
    killers: ['test/http/secrets.test.ts', MODEL],
  },
  {
    id: 'response-of-mint-in-error',
    breaks: 'I7',
    means: 'The error about a failed sign-in holds the custom token that Google signed for it.',
    observed: "history 3 of `races`: I7: a token's text was reported",
    edits: [
      {
        file: 'shared/google/mint-id-token.ts',
        find: 'parseResponse(SIGN_IN, response,',
        replace: "parseResponse(SIGN_IN + ' ' + signedJwt, response,",
      },
    ],
    killers: ['test/http/token-unavailable.test.ts', MODEL],
  },
  {
    id: 'token-of-wrong-lifetime-in-error',
    breaks: 'I7',
    means: 'The error about a token of another lifetime than requested holds the token.',
    edits: [
      {
        file: MINT,
        find: "'returned a token that lives longer than requested'",
        replace: "'returned a token that lives longer than requested: ' + JSON.stringify(response.json)",
      },
    ],
    killers: ['test/http/token-unavailable.test.ts', MODEL],
    secondGuard: 'The caller does not receive the detail, and audit lines cut tokens out.',
    knownSurvivor: true,
  },
  {
    id: 'unexpected-response-in-error',
    breaks: 'I7',
    means: 'The error about an unexpected response of Google holds the response.',
    edits: [
      {
        file: 'shared/google/response.ts',
        find: "throw new DependencyError(dependency, 'invalid_response', 'returned something unexpected');",
        replace:
          "throw new DependencyError(dependency, 'invalid_response', 'returned something unexpected: ' + JSON.stringify(json));",
      },
    ],
    killers: ['test/http/token-unavailable.test.ts', MODEL],
    secondGuard: 'The caller does not receive the detail, and audit lines cut tokens out.',
    knownSurvivor: true,
  },
  {
    id: 'google-tokens-in-audit-lines',
    breaks: 'I7',
    means: 'Google access tokens are not cut out of audit lines.',
    aliases: ['N04'],
    edits: [
      {
        file: 'shared/audit/logger.ts',
        find: '|ya29(?:\\.|%2[eE])[A-Za-z0-9._~+/=%-]+/g;',
        replace: '/g;',
      },
    ],
    killers: ['test/http/audit-hostile.test.ts'],
  },
  {
    id: 'renewal-back-to-issuing',
    breaks: 'states',
    means: 'A renewal takes an active grant back to issuing.',
    observed: 'history 1 of `pool`: the transition tables: `active` to `issuing`',
    edits: [
      {
        file: GRANT_RESERVE,
        find: `    state: existing.state === 'active' ? 'active' : 'issuing',`,
        replace: `    state: 'issuing',`,
      },
    ],
    killers: ['test/unit/core/transitions.test.ts', MODEL],
  },
];
