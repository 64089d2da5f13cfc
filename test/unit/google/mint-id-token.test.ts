// The exchange of a custom token against an Identity Toolkit with scripted responses: what is sent, what becomes of
// its refusals, and what happens when somebody changed the user.

import { describe, expect, it } from 'vitest';
import { firebaseUid, firebaseUserOf } from '../../../shared/core/firebase-user.ts';
import type { FirestoreCredential } from '../../../shared/core/policy/credential.ts';
import { DEFAULT_GENERATIONS, policyUsers } from '../../../shared/core/policy/firebase-users.ts';
import type { Policy } from '../../../shared/core/policy/policy.ts';
import { CLOCK_MARGIN_MS } from '../../../shared/core/timing.ts';
import { type ChangedFirebaseUser, createIdTokenMint } from '../../../shared/google/mint-id-token.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { subject } from '../../fixtures/grants.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const NOW = Date.UTC(2026, 10, 24);
const CREDENTIAL: FirestoreCredential = {
  ...{ environment: 'staging', ttl: 900, kind: 'firestore', project: 'acme-staging', database: '(default)' },
  ...{ apiKey: 'web-key', signer: 'signer@acme-staging.iam.gserviceaccount.com' },
  allow: [{ path: 'config/{document}', verbs: ['get'] }],
};
const GRANT = 'f'.repeat(32);
const USER = firebaseUserOf(subject, 'config');
const uid = (generation: number) => firebaseUid(USER, generation);

type Response = { readonly status: number; readonly json: unknown };
/** What Identity Toolkit answers to a custom token; the users' own facts come from the test. */
type Toolkit = (customToken: { uid: string; tenant_id?: string }) => Response;

const ID_TOKEN = (user: string, more: object = {}) => {
  const payload = {
    ...{ iss: 'https://securetoken.google.com/acme-staging', aud: 'acme-staging', sub: user, user_id: user },
    ...{ iat: NOW / 1000, exp: NOW / 1000 + 3600, keydesk_grant: GRANT },
    ...{ firebase: { identities: {}, sign_in_provider: 'custom' }, ...more },
  };
  return `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.signature`;
};
const signedIn = (user: string, more: object = {}): Response => ({
  status: 200,
  json: { idToken: ID_TOKEN(user, more), refreshToken: 'r', expiresIn: '3600' },
});
const refusal = (message: string, more: object = {}): Response => ({
  status: 400,
  json: { error: { code: 400, message, ...more } },
});

function aMint(toolkit: Toolkit, { retire = async (_: number) => ({ generation: 1, retired: true }), took = 0 } = {}) {
  const clock = new TestClock(NOW);
  const sent: OutgoingRequest[] = [];
  const changed: ChangedFirebaseUser[] = [];
  const signed = new Map<string, { uid: string; tenant_id?: string }>();
  const mint = createIdTokenMint({
    signJwt: async (signer, _, payload) => {
      expect(signer).toBe(CREDENTIAL.signer);
      signed.set(`jwt-${signed.size}`, payload as { uid: string });
      return `jwt-${signed.size - 1}`;
    },
    sendRequest: async (request) => {
      sent.push(request);
      clock.advance(took);
      const customToken = signed.get((request.json as { token: string }).token);
      if (!customToken) throw new Error('no token of ours');
      return { ...toolkit(customToken), headers: new Headers() };
    },
    identityToolkitUrl: 'https://identitytoolkit.example/',
    firebaseUsers: { retire: (_, generation) => retire(generation) },
    onUserChanged: (user) => changed.push(user),
    clock,
  });
  const request = { subject, credentialName: 'config', grant_id: GRANT, generation: 0 };
  const minted = (credential = CREDENTIAL): Promise<unknown> =>
    mint(credential, request).catch((error: unknown) => error);
  return { minted, sent, changed, signed: () => [...signed.values()] };
}

describe('the sign-in', () => {
  it('names the user, the grant and no tenant, and has ten seconds', async () => {
    const { minted, sent, signed } = aMint((token) => signedIn(token.uid));
    expect(await minted()).toEqual({ accessToken: ID_TOKEN(uid(0)), expires_at: NOW + 3_600_000 });
    expect(sent).toEqual([
      {
        dependency: 'identitytoolkit signInWithCustomToken',
        url: 'https://identitytoolkit.example/v1/accounts:signInWithCustomToken?key=web-key',
        method: 'POST',
        json: { token: 'jwt-0', returnSecureToken: true },
        deadlineMs: 10_000,
      },
    ]);
    expect(signed()).toEqual([
      {
        ...{ iss: CREDENTIAL.signer, sub: CREDENTIAL.signer },
        aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
        ...{
          iat: (NOW - CLOCK_MARGIN_MS) / 1000,
          exp: NOW / 1000 + 300,
          uid: uid(0),
          claims: { keydesk_grant: GRANT },
        },
      },
    ]);
  });

  it('names the tenant in the custom token and in the request', async () => {
    const tenant = 'ci-x7k2p';
    const firebase = { identities: {}, sign_in_provider: 'custom', tenant };
    const { minted, sent, signed } = aMint((token) => signedIn(token.uid, { firebase }));
    expect(await minted({ ...CREDENTIAL, tenant })).toHaveProperty('accessToken');
    expect(sent[0]?.json).toMatchObject({ tenantId: tenant });
    expect(signed()).toMatchObject([{ tenant_id: tenant }]);
  });
});

describe('a refusal of Identity Toolkit', () => {
  it.each([
    ['TOO_MANY_ATTEMPTS_TRY_LATER', false, 'keydesk users create'],
    ['QUOTA_EXCEEDED : Exceeded quota for signing up.', false, 'keydesk users create'],
    ['CONFIGURATION_NOT_FOUND', true, 'Set it up'],
    ['INVALID_CUSTOM_TOKEN : Invalid assertion format', true, 'signer'],
    ['CREDENTIAL_MISMATCH', true, 'signer'],
    ['INVALID_TENANT_ID', true, 'tenant'],
    ['TENANT_ID_MISMATCH', true, 'tenant'],
    ['ADMIN_ONLY_OPERATION', true, 'keydesk users create'],
    ['API key not valid. Please pass a valid API key.', true, 'API key'],
  ])('%s says what to do', async (message, permanent, advice) => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }];
    const { minted, changed } = aMint(() => refusal(message, message.startsWith('API key') ? { details } : {}));
    const error = await minted();
    expect(error).toMatchObject({ name: 'DependencyError', permanent: permanent ? expect.any(Object) : undefined });
    if (!permanent) expect(error).toMatchObject({ retryAfter: 300 });
    expect(String(error)).toContain(message);
    expect(String(error)).toContain(advice);
    expect(changed).toEqual([]);
  });

  it('of the API key is known by the reason in its details', async () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_HTTP_REFERRER_BLOCKED' }];
    const { minted } = aMint(() => refusal('Requests from referer <empty> are blocked.', { details }));
    expect(await minted()).toMatchObject({
      permanent: { cause: 'api_key_restricted', google_code: 'API_KEY_HTTP_REFERRER_BLOCKED' },
    });
  });

  it.each(['SOMETHING_NEW', 'constructor', '', 'BLOCKING_FUNCTION_ERROR_RESPONSE : Timeout'])(
    'that may pass (%j) is a failure like any other',
    async (message) => {
      const { minted } = aMint(() => refusal(message));
      expect(await minted()).toMatchObject({
        name: 'DependencyError',
        retryAfter: 2,
        permanent: undefined,
        message: expect.stringMatching(new RegExp(`returned 400 .*${message}`)),
      });
    },
  );
});

it('a token of another project is not let out, and no retry is promised', async () => {
  const { minted, sent, changed } = aMint((token) => signedIn(token.uid, { aud: 'acme-production' }));
  expect(await minted()).toMatchObject({
    permanent: { cause: 'sign_in_not_set_up', google_code: 'ID_TOKEN_NOT_AS_EXPECTED' },
    message: expect.stringContaining('aud is "acme-production", not acme-staging'),
  });
  expect([sent.length, changed]).toEqual([1, []]);
});

describe('when somebody changed the user', () => {
  const CHANGED: [string, (user: string) => Response, string][] = [
    ['gave it an address', (user) => signedIn(user, { email: 'me@attacker.example' }), 'email'],
    ['disabled it', () => refusal('USER_DISABLED'), 'USER_DISABLED'],
  ];

  it.each(CHANGED)('and %s, the next user signs in, and the alert names no value', async (_, response, found) => {
    const { minted, changed } = aMint((token) => (token.uid === uid(0) ? response(token.uid) : signedIn(token.uid)));
    expect(await minted()).toMatchObject({ accessToken: ID_TOKEN(uid(1)) });
    expect(changed).toMatchObject([{ uid: uid(0), generation: 0, next_uid: uid(1), found: [found] }]);
    expect(JSON.stringify(changed)).not.toContain('attacker');
  });

  it('and another instance has found it, it raises no second alert and takes the user in force', async () => {
    const retire = async () => ({ generation: 4, retired: false });
    const { minted, changed } = aMint((token) => signedIn(token.uid, token.uid === uid(0) ? { name: 'x' } : {}), {
      retire,
    });
    expect(await minted()).toMatchObject({ accessToken: ID_TOKEN(uid(4)) });
    expect(changed).toEqual([]);
  });

  it.each([
    ['and the next one too, it', { took: 0, name: 'x' }, 2],
    ['and half of the time is gone, it', { took: 5_001, name: undefined }, 1],
  ])('%s returns no token and allows an immediate retry', async (_, { took, name }, signIns) => {
    const { minted, sent, changed } = aMint(
      (token) => signedIn(token.uid, { name: token.uid === uid(0) ? 'x' : name }),
      { took },
    );
    expect(await minted()).toMatchObject({ name: 'DependencyError', retryAfter: 1, rejected: false });
    expect([sent.length, changed.length]).toEqual([signIns, 1]);
  });

  it('and the ledger does not confirm it, the alert is raised and nothing is let out', async () => {
    const retire = () => Promise.reject(new DependencyError('ledger', 'timed_out', 'no answer'));
    const { minted, sent, changed } = aMint((token) => signedIn(token.uid, { name: 'x' }), { retire });
    expect(await minted()).toMatchObject({ dependency: 'ledger' });
    expect(changed).toMatchObject([{ uid: uid(0), next_uid: null, found: ['name'] }]);
    expect(sent).toHaveLength(1);
  });
});

describe('where new users may not sign in', () => {
  const PIPELINE = USER.pipeline;
  const policy = {
    credentials: { config: CREDENTIAL },
    rules: [{ name: 'all', match: { pipeline_id: [PIPELINE] }, grants: ['config'] }],
  } as unknown as Policy;
  /** Only users that `keydesk users create` created exist; those in `changed` have a name. */
  const closed = (changed: ReadonlySet<string>, generations: number) => {
    const created = policyUsers(policy, {}, generations).groups[0]?.uids;
    return aMint((token) => {
      if (!created?.has(token.uid)) return refusal('ADMIN_ONLY_OPERATION');
      return signedIn(token.uid, changed.has(token.uid) ? { name: 'x' } : {});
    });
  };

  it('a job goes on as the next user that was created ahead', async () => {
    expect(await closed(new Set([uid(0)]), DEFAULT_GENERATIONS).minted()).toMatchObject({
      accessToken: ID_TOKEN(uid(1)),
    });
  });

  it('and every user that was created is changed, the refusal says how to create more', async () => {
    const { minted, changed } = closed(new Set([uid(0)]), 1);
    const error = await minted();
    expect(error).toMatchObject({ permanent: { cause: 'sign_in_blocked', google_code: 'ADMIN_ONLY_OPERATION' } });
    expect(String(error)).toContain('--generations');
    expect(changed).toMatchObject([{ generation: 0, next_uid: uid(1) }]);
  });
});
