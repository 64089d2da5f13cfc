// Mints a Firebase ID token: a custom token that IAM Credentials signs, exchanged by Identity Toolkit, judged before it leaves.
// When the judgement shows that somebody changed the user, it retires that user and signs in as the next one, once.
// Source: firebase.google.com/docs/auth/admin/create-custom-tokens; docs.cloud.google.com/identity-platform/docs/use-rest-api.

import * as z from 'zod';
import { type FirebaseUser, firebaseUid, firebaseUserOf } from '../core/firebase-user.ts';
import { readGoogleError, signInCodeOf } from '../core/google-refusal.ts';
import type { FirestoreCredential } from '../core/policy/credential.ts';
import type { Subject } from '../core/subject/buildkite-job.ts';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import type { FirebaseUsers } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../runtime/http-client.ts';
import { checkIdToken } from './id-token.ts';
import { parseResponse, stripTrailingSlash } from './response.ts';

const SIGN_IN = 'identitytoolkit signInWithCustomToken';
const CUSTOM_TOKEN_AUDIENCE =
  'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit';
/** Seconds a custom token lives: it is exchanged at once and never leaves the service. */
const CUSTOM_TOKEN_LIFETIME = 300;
/** A blocking function of the project may take seven seconds. */
const SIGN_IN_DEADLINE_MS = 10_000;
/** A second sign-in begins no later than this: the function has 30 seconds for a whole request. */
const SECOND_SIGN_IN_WITHIN_MS = 5_000;

const responseSchema = z.object({ idToken: z.string().min(1), expiresIn: z.string().regex(/^[0-9]{1,6}$/) });

interface IdTokenRequest {
  readonly subject: Subject;
  readonly credentialName: string;
  readonly grant_id: string;
  /** The generation of the user that is in force, as far as this instance knows. */
  readonly generation: number;
}

/** Somebody changed a Firebase user of Keydesk's. The job that found it is not the one that did it. */
export interface ChangedFirebaseUser extends IdTokenRequest {
  readonly credential: FirestoreCredential;
  readonly uid: string;
  /** The user that takes its place; null when the ledger did not confirm that one does. */
  readonly next_uid: string | null;
  /** The claims that showed it, or `USER_DISABLED`. */
  readonly found: readonly string[];
}

interface MintIdTokenDeps {
  readonly signJwt: (signer: string, subject: Subject, payload: object) => Promise<string>;
  readonly sendRequest: HttpClient;
  readonly identityToolkitUrl: string;
  readonly firebaseUsers: Pick<FirebaseUsers, 'retire'>;
  readonly onUserChanged: (changed: ChangedFirebaseUser) => void;
  readonly clock: Clock;
}

type SignedIn =
  | { readonly accessToken: string; readonly expires_at: number }
  /** The user was changed: nothing of this sign-in may leave. */
  | { readonly found: readonly string[] };

export function createIdTokenMint({ firebaseUsers, onUserChanged, ...deps }: MintIdTokenDeps) {
  const { clock } = deps;

  const retire = async (changed: Omit<ChangedFirebaseUser, 'next_uid'>, user: FirebaseUser): Promise<number> => {
    try {
      const { generation, retired } = await firebaseUsers.retire(user, changed.generation);
      if (retired) onUserChanged({ ...changed, next_uid: firebaseUid(user, generation) });
      return generation;
    } catch (error) {
      // Perhaps it was recorded all the same, and then nobody else raises the alert.
      onUserChanged({ ...changed, next_uid: null });
      throw error;
    }
  };

  /** @throws DependencyError when Google fails or refuses, or the token is not what it must be; then nothing has left */
  return async (credential: FirestoreCredential, request: IdTokenRequest) => {
    const started = clock.now();
    const user = firebaseUserOf(request.subject, request.credentialName);
    const uid = firebaseUid(user, request.generation);
    const first = await signIn(deps, credential, request, uid);
    if (!('found' in first)) return first;

    const next = await retire({ ...request, credential, uid, found: first.found }, user);
    if (clock.now() - started > SECOND_SIGN_IN_WITHIN_MS) throw userChanged('and the next one has to wait');
    const second = await signIn(deps, credential, request, firebaseUid(user, next));
    if (!('found' in second)) return second;
    throw userChanged('and so was the next one');
  };
}

async function signIn(
  deps: Omit<MintIdTokenDeps, 'firebaseUsers' | 'onUserChanged'>,
  { signer, apiKey, project, tenant }: FirestoreCredential,
  { subject, grant_id }: IdTokenRequest,
  uid: string,
): Promise<SignedIn> {
  const started = deps.clock.now();
  const issued = Math.floor(started / 1000);
  const signedJwt = await deps.signJwt(signer, subject, {
    iss: signer,
    sub: signer,
    aud: CUSTOM_TOKEN_AUDIENCE,
    // Ours may be fast: what Google takes to be of the future it refuses.
    iat: issued - CLOCK_MARGIN_MS / 1000,
    exp: issued + CUSTOM_TOKEN_LIFETIME,
    uid,
    claims: { keydesk_grant: grant_id },
    ...(tenant === undefined ? {} : { tenant_id: tenant }),
  });
  const response = await deps.sendRequest({
    dependency: SIGN_IN,
    url: `${stripTrailingSlash(deps.identityToolkitUrl)}/v1/accounts:signInWithCustomToken?key=${encodeURIComponent(apiKey)}`,
    method: 'POST',
    json: { token: signedJwt, returnSecureToken: true, ...(tenant === undefined ? {} : { tenantId: tenant }) },
    deadlineMs: SIGN_IN_DEADLINE_MS,
  });
  if (signInCode(response) === 'USER_DISABLED') return { found: ['USER_DISABLED'] };
  const { idToken, expiresIn } = parseResponse(SIGN_IN, response, responseSchema, { now: deps.clock.now() });
  const lifetime = Number(expiresIn);
  const fault = checkIdToken(idToken, { project, tenant, uid, grant_id, expiresIn: lifetime });
  switch (fault?.fault) {
    case undefined:
      return { accessToken: idToken, expires_at: started + lifetime * 1000 };
    case 'changed':
      return { found: fault.found };
    case 'misconfigured':
      throw notSetUp(fault.detail);
    case 'unexpected':
      throw new DependencyError(SIGN_IN, 'invalid_response', fault.detail);
  }
}

function signInCode({ json }: JsonResponse): string | undefined {
  const error = readGoogleError(json);
  return error && signInCodeOf(error);
}

function userChanged(detail: string): DependencyError {
  return new DependencyError(SIGN_IN, 'firebase_user_changed', `the Firebase user was changed, ${detail}`, {
    retryAfter: 1,
  });
}

/** What Google issued does not fit policy: somebody has to change policy or the Firebase project. */
function notSetUp(detail: string): DependencyError {
  const permanent = { cause: 'sign_in_not_set_up', google_code: 'ID_TOKEN_NOT_AS_EXPECTED' } as const;
  return new DependencyError(SIGN_IN, 'refused', detail, { rejected: true, permanent });
}
