import { firebaseUid, firebaseUserOf } from '../../../shared/core/firebase-user.ts';
import type { Credential } from '../../../shared/core/policy/credential.ts';
import { createAccountStateGetter } from '../../../shared/google/account-state.ts';
import { createMint } from '../../../shared/google/mint.ts';
import type { Minted } from '../../../shared/operations/ports.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { HttpClient } from '../../../shared/runtime/http-client.ts';
import { CREDENTIALS, GRANT_ID, subject } from '../../../test/fixtures/grants.ts';
import { membersOf, parseJson } from '../independent/json.ts';
import { CLOCK, NOW, SECONDS } from '../independent/setting.ts';
import { demand, type Target } from '../target.ts';

const SECRET = 'ya29.c.secretsecretsecret';
const TTL = 900;
const END = new Date(NOW + TTL * 1000).toISOString();
const [ACCOUNT] = CREDENTIALS.pool.pool as [string];
const USER = firebaseUid(firebaseUserOf(subject, 'config'), 0);
const PAYLOAD = {
  ...{ iss: 'https://securetoken.google.com/acme-staging', aud: 'acme-staging', sub: USER, user_id: USER },
  ...{ iat: SECONDS, exp: SECONDS + 3600, keydesk_grant: GRANT_ID },
  firebase: { identities: {}, sign_in_provider: 'custom' },
};
const GENERATE = { status: 200, json: { accessToken: SECRET, expireTime: END } };
const error = (status: string, reason: string, more: object = {}) => ({
  status: 403,
  headers: { 'retry-after': '7' },
  json: {
    error: {
      ...{ code: 403, status, message: `${reason} : words` },
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, metadata: { permission: 'a.b.c', ...more } },
      ],
    },
  },
});
const seed = (kind: string, responses: object) => `${kind}\n${JSON.stringify(responses)}`;

export const target: Target = {
  claim:
    "A kind of credential, and the responses of each of Google's APIs while it is minted, with the claims of an ID token in place of its text: what is returned is what was requested and no longer-lived, and every other response is a failure of the dependency that repeats no token.",
  files: [
    'shared/google/mint.ts',
    'shared/google/mint-id-token.ts',
    'shared/google/id-token.ts',
    'shared/google/downscope.ts',
    'shared/google/response.ts',
    'shared/google/account-state.ts',
    'shared/core/google-refusal.ts',
  ],
  longest: 16_384,
  seeds: [
    seed('serviceAccount', { iamcredentials: GENERATE }),
    seed('narrowedPool', {
      iamcredentials: GENERATE,
      sts: { status: 200, json: { access_token: SECRET, token_type: 'Bearer', expires_in: 600 } },
    }),
    seed('firestore', {
      iamcredentials: { status: 200, json: { signedJwt: 'a.b.c' } },
      identitytoolkit: { status: 200, json: { idToken: PAYLOAD, expiresIn: '3600' } },
    }),
    ...[{ email: 'a' }, { phone_number: '1' }, { name: 'n' }, { picture: 'p' }, { sub: 'another' }].map((changed) =>
      seed('firestore', {
        iamcredentials: { status: 200, json: { signedJwt: 'a.b.c' } },
        identitytoolkit: { status: 200, json: { idToken: { ...PAYLOAD, ...changed }, expiresIn: '3600' } },
      }),
    ),
    seed('firestore', {
      iamcredentials: { status: 200, json: { signedJwt: 'a.b.c' } },
      identitytoolkit: {
        status: 400,
        json: { error: { code: 400, message: 'USER_DISABLED', errors: [{ reason: 'invalid' }] } },
      },
    }),
    seed('pool', { iamcredentials: error('PERMISSION_DENIED', 'IAM_PERMISSION_DENIED') }),
    seed('pool', {
      iamcredentials: error('UNAUTHENTICATED', 'SERVICE_DISABLED', {
        service: 'x.googleapis.com',
        consumer: 'projects/1',
      }),
    }),
    seed('narrowedPool', {
      iamcredentials: GENERATE,
      sts: { status: 400, json: { error: 'invalid_scope', error_description: 'x' } },
    }),
    seed('pool', {
      iamcredentials: { status: 429, headers: { 'retry-after': 'Tue, 24 Nov 2026 10:01:00 GMT' }, json: null },
    }),
    seed('state', { iam: { status: 200, json: { email: ACCOUNT, disabled: true } } }),
    seed('state', { iam: { status: 404 } }),
  ],
  run: async (input) => {
    const [kind = '', ...lines] = input.toString('utf8').split('\n');
    const responses = membersOf(parseJson(lines.join('\n')));
    const credential = Object.hasOwn(CREDENTIALS, kind) ? CREDENTIALS[kind as keyof typeof CREDENTIALS] : undefined;
    try {
      if (credential) demandMinted(await mint(credential, responses), credential, responses);
      else demandState(await getState(responses)(ACCOUNT), responses);
    } catch (error) {
      if (!DependencyError.is(error)) throw error;
      demand(!error.message.includes(SECRET), 'no token is in the words of a failure');
      demand(error.message.length < 2_000, 'a failure has few words');
      demand(error.retryAfter >= 1 && error.retryAfter <= 300, 'a retry makes sense within five minutes');
    }
  },
};

function clientOf(responses: Record<string, unknown>): HttpClient {
  return async ({ dependency }) => {
    const { status, headers, json } = membersOf(responses[dependency.split(' ')[0] ?? '']);
    const written = Object.entries(membersOf(headers)).map(
      ([name, value]) => [name.toLowerCase(), String(value)] as const,
    );
    const { idToken } = membersOf(json);
    const payload = Buffer.from(JSON.stringify(idToken ?? null)).toString('base64url');
    return {
      status: typeof status === 'number' ? status : 0,
      headers: { get: (name) => new Map(written).get(name.toLowerCase()) ?? null },
      json: typeof idToken === 'object' ? { ...membersOf(json), idToken: `e30.${payload}.signature` } : json,
    };
  };
}

async function mint(credential: Credential, responses: Record<string, unknown>): Promise<Minted> {
  const client = clientOf(responses);
  const urls = { iamCredentialsUrl: 'https://a', stsUrl: 'https://b', identityToolkitUrl: 'https://c' };
  const minter = createMint({
    ...{ sendAsService: client, sendRequest: client, ...urls, clock: CLOCK, onUserChanged: () => {} },
    firebaseUsers: { generationOf: async () => 0, retire: async () => ({ generation: 1, retired: true }) },
  });
  return minter.mint({
    ...{ subject, credentialName: 'config', credential, grant_id: GRANT_ID, ttl: TTL, latestExpiry: NOW + TTL * 1000 },
    ...{ scopes: ['https://www.googleapis.com/auth/datastore'], preparation: {} },
    ...(credential.kind === 'pooled_service_account' ? { lease: ACCOUNT } : {}),
  } as Parameters<typeof minter.mint>[0]);
}

function demandMinted(
  { accessToken, expires_at }: Minted,
  { kind }: Credential,
  responses: Record<string, unknown>,
): void {
  demand(accessToken !== '', 'a token has text');
  demand(Number.isFinite(expires_at) && expires_at > NOW - 1, 'it has an end, which is not over');
  demand(kind === 'firestore' || expires_at <= NOW + TTL * 1000, 'it lives no longer than requested');
  if (kind !== 'firestore') return;
  const { idToken, expiresIn } = membersOf(membersOf(responses.identitytoolkit).json);
  const claims =
    typeof idToken === 'string' ? parseJson(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()) : idToken;
  const { firebase, ...payload } = membersOf(claims);
  const { sign_in_provider, tenant, identities } = membersOf(firebase);
  demand(payload.aud === PAYLOAD.aud && payload.iss === PAYLOAD.iss, 'it is of the project');
  demand([USER, uidAfter()].includes(String(payload.sub)) && payload.user_id === payload.sub, 'it is of the user');
  demand(payload.keydesk_grant === GRANT_ID && sign_in_provider === 'custom' && tenant == null, 'it is as requested');
  demand(Object.keys(membersOf(identities)).length === 0, 'it has no other provider');
  for (const name of ['email', 'phone_number', 'name', 'picture']) demand(payload[name] == null, `it has no ${name}`);
  demand(expires_at === NOW + Number(expiresIn) * 1000, 'its end is the one that Google says');
}

/** The user that takes the place of one that was changed. */
function uidAfter(): string {
  return firebaseUid(firebaseUserOf(subject, 'config'), 1);
}

function getState(responses: Record<string, unknown>) {
  return createAccountStateGetter({ sendAsService: clientOf(responses), iamUrl: 'https://d', clock: CLOCK });
}

function demandState(state: string, responses: Record<string, unknown>): void {
  const { status, json } = membersOf(responses.iam);
  demand((state === 'missing') === (status === 404), 'it is missing by 404 alone');
  if (state === 'missing') return;
  const { email, disabled } = membersOf(json);
  demand(status === 200 && email === ACCOUNT, 'the state is of the account');
  demand((disabled === true) === (state === 'disabled'), 'it is disabled if Google says so');
}
