// Guards of the tokens of identity providers: what the policy pins of each.

import type { Mutation } from '../mutation.ts';

const ACCEPTANCE = 'shared/oidc/acceptance.ts';
const SIGNED_TOKEN = 'shared/oidc/signed-token.ts';
const AGENT_TOKEN = 'shared/identity-providers/agent-token.ts';
const AGENT_TOKEN_TEST = 'test/unit/identity-providers/agent-token.test.ts';
const BAD_AGENT_TOKENS_TEST = 'test/http/bad-agent-tokens.test.ts';

const provider = (id: string, means: string, edit: { file: string; find: string; replace: string }): Mutation => ({
  ...{ id, breaks: 'verification', means, edits: [edit], killers: [AGENT_TOKEN_TEST, BAD_AGENT_TOKENS_TEST] },
});

export const IDENTITY_PROVIDERS: readonly Mutation[] = [
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
