// Mints Google credentials: access tokens of service accounts by IAM Credentials, some of them narrowed to a part of a
// bucket, and Firebase ID tokens (mint-id-token.ts). What a token may be minted for was decided before.
// Source: docs.cloud.google.com/iam/docs/reference/credentials/rest (generateAccessToken, signJwt).

import * as z from 'zod';
import { firebaseUserOf } from '../core/firebase-user.ts';
import { auditReason } from '../core/grant/id.ts';
import type { Credential, FirestoreCredential } from '../core/policy/credential.ts';
import type { Subject } from '../core/subject/buildkite-job.ts';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import type { FirebaseUsers, Mint, Minted, MintRequest, PrepareMint } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import { downscope } from './downscope.ts';
import { type ChangedFirebaseUser, createIdTokenMint } from './mint-id-token.ts';
import { parseResponse, requestReason, stripTrailingSlash } from './response.ts';

const GENERATE = 'iamcredentials generateAccessToken';
/** Google gives the end of a token in whole seconds. */
const ROUNDING_MS = 1_000;

type ServiceAccountCredential = Exclude<Credential, FirestoreCredential>;

const accessTokenResponse = z.object({ accessToken: z.string().min(1), expireTime: z.iso.datetime({ offset: true }) });
const signedJwtResponse = z.object({ signedJwt: z.string().min(1) });

/**
 * @param deps.sendAsService sends a request with the service's own identity
 * @param deps.onUserChanged is called when somebody changed one, also if the request fails
 */
export function createMint(deps: {
  readonly sendAsService: HttpClient;
  readonly sendRequest: HttpClient;
  readonly iamCredentialsUrl: string;
  readonly stsUrl: string;
  readonly identityToolkitUrl: string;
  readonly firebaseUsers: FirebaseUsers;
  readonly onUserChanged: (changed: ChangedFirebaseUser) => void;
  readonly clock: Clock;
}): { readonly prepareMint: PrepareMint; readonly mint: Mint } {
  const { sendAsService, sendRequest, clock } = deps;

  const iamCredentials = (account: string, method: string, subject: Subject, json: unknown) =>
    sendAsService({
      dependency: `iamcredentials ${method}`,
      url: `${stripTrailingSlash(deps.iamCredentialsUrl)}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:${method}`,
      method: 'POST',
      headers: requestReason(auditReason(subject.id)),
      json,
    });

  const mintAccessToken = async (
    email: string,
    { scopes: credentialScopes, storage }: ServiceAccountCredential,
    { subject, scopes, ttl, latestExpiry }: MintRequest,
  ): Promise<Minted> => {
    const scope = storage ? credentialScopes : scopes;
    const sent = clock.now();
    const response = await iamCredentials(email, 'generateAccessToken', subject, { scope, lifetime: `${ttl}s` });
    const { accessToken, expireTime } = parseResponse(GENERATE, response, accessTokenResponse, {
      account: email,
      permission: 'iam.serviceAccounts.getAccessToken',
      now: clock.now(),
    });
    const requestedEnd = { from: sent + ttl * 1000 - ROUNDING_MS, to: clock.now() + ttl * 1000 };
    const expires_at = toOwnClock(Date.parse(expireTime), requestedEnd);
    if (expires_at === undefined)
      throw new DependencyError(GENERATE, 'invalid_response', 'returned a token that lives longer than requested');
    if (expires_at <= clock.now())
      throw new DependencyError(GENERATE, 'invalid_response', 'returned a token that has expired');
    if (expires_at > latestExpiry)
      throw new DependencyError(GENERATE, 'timed_out', 'took so long that its token would outlive its record');
    const minted = { accessToken, expires_at };
    return storage ? downscope({ sendRequest, clock, stsUrl: deps.stsUrl }, minted, storage) : minted;
  };

  const signJwt = async (signer: string, subject: Subject, payload: object): Promise<string> => {
    const signed = await iamCredentials(signer, 'signJwt', subject, { payload: JSON.stringify(payload) });
    return parseResponse('iamcredentials signJwt', signed, signedJwtResponse, {
      account: signer,
      permission: 'iam.serviceAccounts.signJwt',
      now: clock.now(),
    }).signedJwt;
  };
  const mintIdToken = createIdTokenMint({ ...deps, signJwt });

  const prepareMint: PrepareMint = async ({ subject, credentialName, credential }) =>
    credential.kind === 'firestore'
      ? { generation: await deps.firebaseUsers.generationOf(firebaseUserOf(subject, credentialName)) }
      : {};

  const mint: Mint = (request) => {
    switch (request.credential.kind) {
      case 'firestore':
        return mintIdToken(request.credential, { ...request, generation: request.preparation.generation ?? 0 });
      case 'service_account':
        return mintAccessToken(request.credential.email, request.credential, request);
      case 'pooled_service_account': {
        if (request.lease === undefined) throw new Error('a pooled credential without a leased account');
        return mintAccessToken(request.lease, request.credential, request);
      }
    }
  };

  return { prepareMint, mint };
}

/**
 * The end of a token by our clock. Google gives it by its own clock, which may be fast or slow. By ours it is between the
 * lifetime counted from when the request was sent and the same counted from when the response came. A token may have a
 * shorter life. Undefined when it has a longer one.
 */
function toOwnClock(at: number, { from, to }: { readonly from: number; readonly to: number }): number | undefined {
  if (at > to + CLOCK_MARGIN_MS) return undefined;
  return at < from - CLOCK_MARGIN_MS ? at : Math.min(Math.max(at, from), to);
}
