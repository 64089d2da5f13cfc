// What Buildkite says of the API token with which it is called: its scopes, and when it expires. Who owns it is not kept.
// Source: buildkite.com/docs/apis/rest-api/access-token (GET /v2/access-token, which needs no scope).

import * as z from 'zod';
import { LookupError } from '../operations/lookup-error.ts';
import type { DescribeApiToken } from '../operations/ports.ts';
import type { RestApi } from './rest-api.ts';

const description = z.object({
  scopes: z.array(z.string().max(64)).max(200),
  /** As in `2025-07-23 06:07:42 UTC`, or ISO 8601. Null or absent for a token that does not expire. */
  expires_at: z.string().max(64).nullish(),
});

export function createApiTokenDescriber({ get, dependency }: RestApi): DescribeApiToken {
  return async () => {
    const response = await get('access-token', (json) => parse(json, dependency));
    if (response.value === undefined)
      throw new LookupError('failed', 'returned 404', { dependency, code: 'error_response' });
    return { ...response, value: response.value };
  };
}

function parse(json: unknown, dependency: string) {
  const parsed = description.safeParse(json);
  if (!parsed.success) throw new LookupError('failed', 'describes the API token in an unexpected form', { dependency });
  const { scopes, expires_at } = parsed.data;
  return { scopes, expires_at: expires_at == null ? null : toTime(expires_at, dependency) };
}

function toTime(text: string, dependency: string): number {
  const at = Date.parse(text.replace(/^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}) UTC$/, '$1T$2Z'));
  if (Number.isNaN(at))
    throw new LookupError('failed', 'describes the expiry of the API token in an unexpected form', { dependency });
  return at;
}
