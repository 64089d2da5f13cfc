// Events of `token` that are about no grant of the request.

import { defineEvent } from './definition.ts';
import { listOf } from './fields.ts';

export const TOKEN_EVENTS = {
  'token.unknown': defineEvent({
    means:
      '`/introspect` and `/revoke` received tokens that are not on record. One line a minute and instance at most counts the requests since the line before. The last ones are written with the next request, or when the instance ends; an instance that is killed without a signal writes nothing.',
    fields: ({ count, text, time }) => ({
      requests: count.describe('how many requests'),
      not_looked_up: count.describe('those whose token cannot be one of Keydesk'),
      not_found: count.describe('those whose token is not on record'),
      rejected: count.describe('those that exceeded the rate limit'),
      counted_since: time.describe('when the first of them came'),
      remote_ips: listOf(text).describe('addresses that they came from, five at most'),
    }),
    severity: 'NOTICE',
    message: ({ requests }) => `${requests} requests to /introspect or /revoke about tokens that are not on record`,
  }),
  'token.form_unknown': defineEvent({
    means:
      'Google issued a token of a form that `/introspect` and `/revoke` do not look up, so the job cannot release it: update Keydesk. The end of the job ends its grant all the same.',
    fields: ({ grant_id, token_sha256 }) => ({ grant_id, token_sha256 }),
    severity: 'ERROR',
    message: () =>
      'Google issued an access token of a form that /revoke and /introspect do not look up: update Keydesk',
  }),
  'issuer_keys.unusable': defineEvent({
    means:
      'The key set of Buildkite, or of an identity provider of the policy, has no key that could verify a token. `dependency` names it. The keys in hand stay in use, for a day at most. One line a minute, key set and instance at most.',
    fields: ({ code, dependency, error }) => ({ dependency, error, code }),
    severity: 'ERROR',
    message: ({ dependency, error }) =>
      `${dependency}: the key set cannot be used, and the keys in hand stay in use: ${error}`,
  }),
};
