// The requests to a deployed Keydesk that a trial needs: a credential for a job token, and the release of its grant. Messages never
// hold a token.
// Source: RFC 8693 section 2.2; RFC 7009 section 2; docs/CLIENTS.md.

import * as z from 'zod';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../../shared/runtime/http-client.ts';

/** Long enough for a first request that starts an instance. */
const DEADLINE_MS = 30_000;

const REVOCATIONS = ['immediate', 'propagating', 'expiry'] as const;
const issuedSchema = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive(),
  grant_id: z.string(),
  environment: z.string(),
  revocation: z.enum(REVOCATIONS),
});
export type Issued = z.output<typeof issuedSchema>;

const errorSchema = z.object({
  error: z.string(),
  error_description: z.string().default(''),
  missing_claims: z.array(z.string()).optional(),
  retry_after: z.number().optional(),
  permanent: z.boolean().default(false),
});

export interface Refused {
  /** In words: the error and its description. */
  readonly why: string;
  /** Claims that the job token lacks. */
  readonly missingClaims: readonly string[];
  /** Whether the same request may succeed later. */
  readonly passing: boolean;
  /** In seconds; undefined when the response names none. */
  readonly retryAfter: number | undefined;
}

export interface Service {
  /** @throws DependencyError when it is not known whether a grant was made */
  readonly issue: (credential: string, jobToken: string) => Promise<{ issued: Issued } | { refused: Refused }>;
  /** Undefined once the grant has ended. @throws DependencyError when there is no response */
  readonly revoke: (accessToken: string) => Promise<Refused | undefined>;
}

/** @param url of the function `token`, without a slash at its end */
export function createService(url: string, sendRequest: HttpClient): Service {
  const dependency = 'Keydesk';
  return {
    issue: async (credential, jobToken) => {
      const response = await sendRequest({
        dependency,
        url: `${url}/token/${encodeURIComponent(credential)}`,
        method: 'POST',
        headers: { authorization: `Bearer ${jobToken}` },
        deadlineMs: DEADLINE_MS,
      });
      if (response.status !== 200) return { refused: toRefused(response) };
      const issued = issuedSchema.safeParse(response.json);
      if (issued.success) return { issued: issued.data };
      throw new DependencyError(dependency, 'invalid_response', 'issued something unexpected');
    },
    revoke: async (accessToken) => {
      const form = { token: accessToken };
      const response = await sendRequest({
        dependency,
        url: `${url}/revoke`,
        method: 'POST',
        form,
        deadlineMs: DEADLINE_MS,
      });
      return response.status === 200 ? undefined : toRefused(response);
    },
  };
}

function toRefused({ status, json }: JsonResponse): Refused {
  const parsed = errorSchema.safeParse(json);
  const passing = status === 429 || status >= 500;
  if (!parsed.success)
    return { why: `${status}, with an unexpected body`, missingClaims: [], passing, retryAfter: undefined };
  const { error, error_description, missing_claims = [], retry_after, permanent } = parsed.data;
  return {
    why: `${status} ${error}: ${error_description}`,
    missingClaims: missing_claims,
    passing: passing && !permanent,
    retryAfter: retry_after,
  };
}
