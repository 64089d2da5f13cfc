// Strangers at /introspect and /revoke: what cannot be a token costs no query, lookups that find nothing are bounded, and
// neither a flood from elsewhere nor one's own many tokens keep a job from returning its grant.

import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LookupLimit, PER_ADDRESS, PER_INSTANCE } from '../../functions/token/lookup-limit.ts';
import type { Query } from '../../shared/firestore/database.ts';
import {
  type Called,
  databaseForJobs,
  type InProcessKeydesk,
  openInProcessKeydesk,
} from '../fixtures/in-process-keydesk.ts';
import { TestClock } from '../fixtures/test-clock.ts';
import { FORM, newJobToken } from './token-request.ts';

const GRANT_ID = 'f'.repeat(32);
const jwt = (payload: unknown, signature = 'c2ln') =>
  `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(payload)}.${signature}`;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

const STRANGER = '198.51.100.1';
const AGENT = '203.0.113.7';

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());
// Every allowance is full, no address holds tokens, and nothing is left to be logged.
beforeEach(async () => {
  keydesk.clock.advance(2 * 3_600_000);
  await keydesk.call(`${keydesk.tokenUrl}/health`);
  keydesk.clock.advance(60_000);
});

const about = (path: '/introspect' | '/revoke', token: string, from = STRANGER): Promise<Called> =>
  keydesk.call(`${keydesk.tokenUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': FORM, 'x-forwarded-for': `10.0.0.1, ${from}` },
    body: new URLSearchParams({ token }),
  });
const plausible = (nth: number | string) => `ya29.c.${'x'.repeat(100)}${nth}`;
const issued = async (from = AGENT, credential = 'staging-config'): Promise<string> => {
  const response = await keydesk.call(`${keydesk.tokenUrl}/token/${credential}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await newJobToken(keydesk)}`, 'x-forwarded-for': from },
  });
  expect(response.status).toBe(200);
  return response.json.access_token;
};
const reported = () => keydesk.audit.filter(({ event }) => event === 'token.unknown');

function countQueries() {
  const query = databaseForJobs(keydesk.project, 'ledger').collection('grants').where('state', '==', 'active');
  const spy = vi.spyOn(Object.getPrototypeOf(query) as Query, 'get');
  onTestFinished(() => spy.mockRestore());
  return spy;
}

describe('a token that Keydesk cannot have issued', () => {
  it.each([
    ['a word', 'x0'],
    ['the start of an access token', 'ya29.'],
    ['a short access token', 'ya29.c.x'],
    ['an access token with a space', `${plausible(1)} ${plausible(2)}`],
    ['an access token with a control character', `${plausible(1)}\n${plausible(2)}`],
    ['an access token of 13 KiB', `ya29.c.${'x'.repeat(13 * 1024)}`],
    ['an access token behind something', `x${plausible(1)}`],
    ["another service's token", `bkua_${'x'.repeat(40)}`],
    ['a JWT that names no grant', jwt({ sub: 'user' })],
    ['a JWT whose grant is no id', jwt({ keydesk_grant: 'x' })],
    ['a JWT whose grant is a list', jwt({ keydesk_grant: [GRANT_ID] })],
    ['a JWT whose payload is no JSON', 'eyJhbGciOiJSUzI1NiJ9.eyJ4.c2ln'],
    ['a JWT of four parts', `${jwt({ keydesk_grant: GRANT_ID })}.x`],
    ['an encrypted JWT', 'eyJhbGciOiJSU0EtT0FFUCJ9.eyJr.eyJp.eyJj.eyJ0'],
  ])('costs no query and gets the response of an unknown token: %s', async (_, token) => {
    const queries = countQueries();
    const none = [await about('/introspect', token), await about('/revoke', token)] as const;
    expect(queries).not.toHaveBeenCalled();
    const unknown = [await about('/introspect', plausible(1)), await about('/revoke', plausible(1))] as const;
    expect(queries).toHaveBeenCalledTimes(2);
    expect(none.map(({ status }) => status)).toEqual([200, 200]);
    expect(none[0].text).toBe(unknown[0].text);
    expect(Object.keys(none[1].json)).toEqual(Object.keys(unknown[1].json));
  });
});

describe('a token that Keydesk may have issued', () => {
  it.each([
    ['an access token', plausible(1)],
    ['a downscoped access token', `ya29.d.${'x'.repeat(1_000)}`],
    ['an access token with every character', `ya29.c.b0${'aZ09-._~+/'.repeat(10)}==`],
    ['an ID token', jwt({ keydesk_grant: GRANT_ID })],
    ['an ID token of the Auth emulator, which does not sign', jwt({ keydesk_grant: GRANT_ID }, '')],
  ])('is looked up: %s', async (_, token) => {
    const queries = countQueries();
    await about('/introspect', token);
    expect(queries).toHaveBeenCalledTimes(1);
  });

  it.each(['staging-config', 'staging-export', 'staging-admin', 'staging-cache', 'staging-artifacts'])(
    'is found when it was: %s',
    async (credential) => {
      const token = await issued(AGENT, credential);
      expect((await about('/introspect', token)).json).toMatchObject({ active: true, credential });
      expect((await about('/revoke', token)).status).toBe(200);
      expect(keydesk.audit.at(-1)).toMatchObject({ event: expect.stringMatching(/^grant\.(revoked|ended)$/) });
    },
  );
});

describe('a flood of unknown tokens', () => {
  const flood = async (from: (nth: number) => string, count: number) => {
    const responses: Called[] = [];
    for (let nth = 0; nth < count; nth += 1)
      responses.push(await about(nth % 2 ? '/revoke' : '/introspect', plausible(nth), from(nth)));
    return responses.map(({ status }) => status);
  };

  it('from one address gets 429 beyond its allowance, which fills again', async () => {
    const queries = countQueries();
    const statuses = await flood(() => STRANGER, PER_ADDRESS.burst + 20);
    expect(statuses.indexOf(429)).toBe(PER_ADDRESS.burst);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    expect(queries).toHaveBeenCalledTimes(PER_ADDRESS.burst);

    const response = await about('/revoke', plausible('late'));
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.json).toMatchObject({ error: 'temporarily_unavailable', retry_after: 1 });
    expect(response.audit).toEqual([]);
    keydesk.clock.advance(1_000);
    expect((await about('/revoke', plausible('later'))).status).toBe(200);
    expect((await about('/revoke', plausible('soon'))).status).toBe(429);
  });

  it('is logged in one line a minute', async () => {
    const before = reported().length;
    await flood(() => STRANGER, PER_ADDRESS.burst + 20);
    await about('/revoke', 'nonsense');
    expect(reported().slice(before)).toMatchObject([{ severity: 'NOTICE', requests: 1 }]);
    keydesk.clock.advance(60_000);
    await keydesk.call(`${keydesk.tokenUrl}/health`);
    expect(reported().slice(before + 1)).toMatchObject([
      { requests: PER_ADDRESS.burst + 20, not_looked_up: 1, not_found: PER_ADDRESS.burst - 1, rejected: 20 },
    ]);
    await keydesk.call(`${keydesk.tokenUrl}/health`);
    expect(reported().slice(before)).toHaveLength(2);
  });

  it('is logged when the instance ends, if no request came in the next minute', () => {
    const lines: unknown[] = [];
    const clock = new TestClock(keydesk.clock.now());
    const lookups = new LookupLimit({ clock, audit: ({ event, requests }) => void lines.push([event, requests]) });
    for (let nth = 0; nth < 5; nth += 1) {
      lookups.countUnknown('not_found', STRANGER);
      lookups.report();
    }
    expect(lines).toEqual([['token.unknown', 1]]);
    lookups.flush();
    lookups.flush();
    expect(lines).toEqual([
      ['token.unknown', 1],
      ['token.unknown', 4],
    ]);
  });

  it('from one address does not reach another', async () => {
    const token = await issued();
    await flood(() => STRANGER, PER_ADDRESS.burst + 1);
    expect((await about('/revoke', token, '192.0.2.9')).status).toBe(200);
    expect((await about('/introspect', token, '192.0.2.9')).json).toEqual({ active: false });
  });

  it('from many addresses is bounded in all, and does not reach an address that holds tokens', async () => {
    const [first, second] = [await issued(), await issued()];
    const queries = countQueries();
    const statuses = await flood((nth) => `10.1.${nth >> 8}.${nth & 255}`, PER_INSTANCE.burst + 50);
    expect(statuses.indexOf(429)).toBe(PER_INSTANCE.burst);
    expect(queries).toHaveBeenCalledTimes(PER_INSTANCE.burst);
    expect((await about('/revoke', first, '192.0.2.10')).status).toBe(429);
    expect((await about('/introspect', first, AGENT)).json).toMatchObject({ active: true });
    expect((await about('/revoke', first, AGENT)).status).toBe(200);
    expect((await about('/introspect', first, AGENT)).json).toEqual({ active: false });
    expect((await about('/revoke', second, AGENT)).status).toBe(200);
  });

  it.each([
    ['one network of IPv6', (nth: number) => `2001:db8:0:1::${nth.toString(16)}`],
    ['one network of IPv6, written out', (nth: number) => `2001:0DB8:0000:0001:0:0:0:${nth.toString(16)}`],
    ['one address, in two notations', (nth: number) => (nth % 2 ? '::ffff:192.0.2.1' : '192.0.2.1')],
    ['no address at all', () => 'unknown'],
  ])('from %s counts as one caller', async (_, from) => {
    expect((await flood(from, PER_ADDRESS.burst + 1)).indexOf(429)).toBe(PER_ADDRESS.burst);
  });

  it('is what lookups that find their token are not, however many', async () => {
    const token = await issued();
    const statuses = new Set<number>();
    for (let nth = 0; nth < PER_INSTANCE.burst + 10; nth += 1)
      statuses.add((await about('/introspect', token, '192.0.2.77')).status);
    expect([...statuses]).toEqual([200]);
  });
});
