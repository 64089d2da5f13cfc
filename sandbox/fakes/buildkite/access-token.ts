// The fake's response to `GET /v2/access-token`: what Buildkite says of the API token that a request has.
// Source: buildkite.com/docs/apis/rest-api/access-token

import type { LocalReply } from '../../local-server.ts';

const CREATED_AT = Date.UTC(2026, 0, 5, 9);

/** @param token.expires_at milliseconds since the epoch */
export function describeAccessToken(
  { scopes, expires_at }: { readonly scopes: readonly string[]; readonly expires_at: number | null },
  query: URLSearchParams,
): LocalReply {
  if (query.size > 0) return { status: 400, json: { message: 'The access token API has no parameters' } };
  return {
    status: 200,
    json: {
      uuid: 'b63254c0-3271-4a98-8270-7cfbd6c2f14e',
      scopes,
      description: 'Keydesk',
      created_at: toText(CREATED_AT),
      expires_at: expires_at === null ? null : toText(expires_at),
      user: { email: 'machine@acme.example', name: 'Machine User' },
    },
  };
}

/** As in `2025-07-23 06:07:42 UTC`. */
function toText(at: number): string {
  return new Date(at).toISOString().replace(/^(.*)T(.*)\.\d{3}Z$/, '$1 $2 UTC');
}
