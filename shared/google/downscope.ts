// Narrows a service account's access token to a part of a bucket: the Security Token Service exchanges it for one that
// carries a Credential Access Boundary. A boundary only takes away; what the account itself may do is bound by its roles.
// Source: docs.cloud.google.com/iam/docs/create-downscoped-short-lived-credentials.

import * as z from 'zod';
import { ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE } from '../core/oauth/exchange-request.ts';
import type { StorageScope } from '../core/policy/storage-key.ts';
import type { Minted } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import { parseResponse, stripTrailingSlash } from './response.ts';

const DEPENDENCY = 'sts token';
/** Google's clock, by which the parent's end is known, may be ahead, and lifetimes are whole seconds. */
const ROUNDING_MS = 5_000;

/** The two conditions are for objects and for listing: a listing names no object, but the prefix that it is of. */
export function toAccessBoundary({ bucket, prefix, role }: StorageScope) {
  const resource = `projects/_/buckets/${bucket}`;
  const expression =
    prefix !== null &&
    `resource.name.startsWith('${resource}/objects/${prefix}') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${prefix}')`;
  return {
    accessBoundary: {
      accessBoundaryRules: [
        {
          availableResource: `//storage.googleapis.com/${resource}`,
          availablePermissions: [`inRole:${role}`],
          ...(expression && { availabilityCondition: { expression } }),
        },
      ],
    },
  };
}

// `expires_in` comes only for tokens of service accounts, which these are; without it the token lives as long as its parent.
const exchangeResponse = z.object({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.int().positive().optional(),
});

/** Throws DependencyError when Google fails, refuses or returns something unexpected. The parent token goes nowhere else. */
export async function downscope(
  deps: { readonly sendRequest: HttpClient; readonly stsUrl: string; readonly clock: Clock },
  parent: Minted,
  scope: StorageScope,
): Promise<Minted> {
  const sent = deps.clock.now();
  const response = await deps.sendRequest({
    dependency: DEPENDENCY,
    url: `${stripTrailingSlash(deps.stsUrl)}/v1/token`,
    method: 'POST',
    form: {
      grant_type: TOKEN_EXCHANGE,
      requested_token_type: ACCESS_TOKEN_TYPE,
      subject_token: parent.accessToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      options: JSON.stringify(toAccessBoundary(scope)),
    },
  });
  // What is refused here is the boundary, never the account: another of a pool would fare no better.
  const { access_token, expires_in } = parseResponse(DEPENDENCY, response, exchangeResponse, {
    mayRefuse: false,
    now: deps.clock.now(),
  });
  // The lifetime counts from some moment between the request and its response.
  const lifetime = (expires_in ?? 0) * 1000;
  // What is on record is the end of the parent token, so one that outlives it must not leave.
  if (sent + lifetime > parent.expires_at + ROUNDING_MS)
    throw new DependencyError(DEPENDENCY, 'invalid_response', 'returned a token that outlives its parent token');
  const ends_at = expires_in === undefined ? parent.expires_at : deps.clock.now() + lifetime;
  return { accessToken: access_token, expires_at: Math.min(ends_at, parent.expires_at) };
}
