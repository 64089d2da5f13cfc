// The exchange for a narrowed token: the boundary as Google documents it, to the byte, and the request as Google's own
// library sends it.

import { type AuthClient, DownscopedClient, OAuth2Client } from 'google-auth-library';
import { describe, expect, it } from 'vitest';
import type { StorageScope } from '../../../shared/core/policy/storage-key.ts';
import { downscope, toAccessBoundary } from '../../../shared/google/downscope.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import type { JsonResponse, OutgoingRequest } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const WARM: StorageScope = { bucket: 'acme-ci-cache', prefix: 'warm/', role: 'roles/storage.objectViewer' };
const WHOLE: StorageScope = { ...WARM, prefix: null };
const NOW = 1_790_000_000_000;
const PARENT = { accessToken: 'ya29.parent', expires_at: NOW + 900_000 };
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const ANSWER = { access_token: 'ya29.dr.narrow', issued_token_type: ACCESS_TOKEN, token_type: 'Bearer' };

/** As on docs.cloud.google.com/iam/docs/create-downscoped-short-lived-credentials, with other names. */
const DOCUMENTED = `{
  "accessBoundary": {
    "accessBoundaryRules": [
      {
        "availableResource": "//storage.googleapis.com/projects/_/buckets/acme-ci-cache",
        "availablePermissions": ["inRole:roles/storage.objectViewer"],
        "availabilityCondition": {
          "expression": "resource.name.startsWith('projects/_/buckets/acme-ci-cache/objects/warm/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('warm/')"
        }
      }
    ]
  }
}`;

async function exchanged(response: Partial<JsonResponse>, boundary = WARM, takes = 0) {
  const sent: OutgoingRequest[] = [];
  const clock = new TestClock(NOW);
  const requestToken = async (request: OutgoingRequest) => {
    sent.push(request);
    clock.advance(takes);
    return { status: 200, headers: new Headers(), json: ANSWER, ...response };
  };
  const parts = { sendRequest: requestToken, stsUrl: 'https://sts.example/', clock };
  const minted = downscope(parts, PARENT, boundary);
  return { minted: await minted.catch((error: unknown) => error), sent };
}

describe('the boundary', () => {
  it('of a prefix is the documented one, with a clause for objects and one for listing, to the byte', () => {
    expect(JSON.stringify(toAccessBoundary(WARM))).toBe(JSON.stringify(JSON.parse(DOCUMENTED)));
  });

  it('of a whole bucket has no condition', () => {
    const { accessBoundary } = JSON.parse(DOCUMENTED) as ReturnType<typeof toAccessBoundary>;
    const [rule] = accessBoundary.accessBoundaryRules;
    delete rule?.availabilityCondition;
    expect(JSON.stringify(toAccessBoundary(WHOLE))).toBe(JSON.stringify({ accessBoundary }));
  });

  it('has an expression within the 2048 characters that Google takes, also with the longest names', () => {
    const longest = { ...WARM, bucket: 'b'.repeat(222), prefix: `${'p'.repeat(511)}/` };
    const [rule] = toAccessBoundary(longest).accessBoundary.accessBoundaryRules;
    expect(rule?.availabilityCondition?.expression.length).toBeLessThanOrEqual(2048);
  });
});

describe('the exchange', () => {
  it.each([
    ['a prefix', WARM],
    ['a whole bucket', WHOLE],
  ])("sends for %s what Google's own library sends", async (_, boundary) => {
    const { sent } = await exchanged({}, boundary);
    const [request] = sent;
    const theirs: { url: string; form: URLSearchParams }[] = [];
    const client = new DownscopedClient({
      authClient: withToken(PARENT.accessToken),
      credentialAccessBoundary: toAccessBoundary(boundary),
    });
    // It takes no address but Google's, so what it would send is taken out of its hands.
    const sts: { transporter: { request: (sent: { url: string; data: URLSearchParams }) => Promise<unknown> } } =
      Reflect.get(client, 'stsCredential');
    sts.transporter.request = async ({ url, data }) => {
      theirs.push({ url, form: data });
      return { data: { ...ANSWER, expires_in: 900 } };
    };
    expect((await client.getAccessToken()).token).toBe('ya29.dr.narrow');
    expect(theirs).toHaveLength(1);
    expect(theirs[0]?.url).toBe('https://sts.googleapis.com/v1/token');
    const sorted = (form: URLSearchParams) => [...form].sort();
    expect(sorted(new URLSearchParams(request?.form))).toEqual(sorted(theirs[0]?.form ?? new URLSearchParams()));
    expect(request).toMatchObject({ url: 'https://sts.example/v1/token', method: 'POST' });
    expect(request).not.toHaveProperty('headers');
  });

  it.each([
    ['as long as its parent when the response has no lifetime', {}, 900],
    ['as long as the response says', { expires_in: 600 }, 600],
    ['never longer than its parent, by however little', { expires_in: 904 }, 900],
  ])('gives a token that lives %s', async (_, more, seconds) => {
    const { minted } = await exchanged({ json: { ...ANSWER, ...more } });
    expect(minted).toEqual({ accessToken: 'ya29.dr.narrow', expires_at: NOW + seconds * 1000 });
  });

  it.each([7_000, 14_000])(
    'returns a token that ends with its parent when the response is %d ms late',
    async (takes) => {
      const { minted } = await exchanged({ json: { ...ANSWER, expires_in: 900 } }, WARM, takes);
      expect(minted).toEqual({ accessToken: 'ya29.dr.narrow', expires_at: PARENT.expires_at });
    },
  );

  it.each<[string, Partial<JsonResponse>, RegExp]>([
    [
      'refuses the boundary',
      { status: 400, json: { error: 'invalid_request', error_description: 'Invalid access boundary.' } },
      /^sts token: returned 400 invalid_request Invalid access boundary\.; /,
    ],
    ['refuses without a reason', { status: 403, json: undefined }, /returned 403$/],
    ['fails', { status: 500, json: {} }, /returned 500/],
    ['gets too many requests', { status: 429, json: {} }, /returned 429/],
    ['returns no token', { json: { ...ANSWER, access_token: '' } }, /something unexpected/],
    ['returns a token of another type', { json: { ...ANSWER, token_type: 'N_A' } }, /something unexpected/],
    ['returns a token that outlives its parent', { json: { ...ANSWER, expires_in: 906 } }, /outlives/],
    ['returns a lifetime that is no number', { json: { ...ANSWER, expires_in: '900' } }, /something unexpected/],
    ['returns nothing that can be read', { json: undefined }, /something unexpected/],
  ])('is unavailable when the service %s, and never blames the account', async (_, response, message) => {
    const { minted } = await exchanged(response);
    if (!DependencyError.is(minted)) throw new Error('something else came of it');
    expect(minted.message).toMatch(message);
    expect(minted.message).not.toMatch(/ya29/);
    expect(minted.rejected).toBe(false);
  });
});

function withToken(access_token: string): AuthClient {
  const client = new OAuth2Client();
  client.setCredentials({ access_token, expiry_date: NOW * 2 });
  return client;
}
