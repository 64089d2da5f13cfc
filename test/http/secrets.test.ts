import type { Firestore } from '@google-cloud/firestore';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonResponse, OutgoingRequest } from '../../shared/runtime/http-client.ts';
import {
  type Called,
  databaseOf,
  type InProcessKeydesk,
  openInProcessKeydesk,
  WEBHOOK_TOKENS,
} from '../fixtures/in-process-keydesk.ts';

// A whole life of Keydesk with everything that can go wrong in it, watched from outside: every secret that was seen on
// any wire is then looked for in everything that is stored or returned.

describe('after a life with everything in it', () => {
  let keydesk: InProcessKeydesk;
  const secrets = new Map<string, string>();
  const errors: Called[] = [];
  /** What was kept while grants were live; their end writes them again. */
  let keptBefore: string;

  /** Remembers a secret and, of a JWT, the signature that alone makes it one. */
  const remember = (kind: string, secret: unknown) => {
    if (typeof secret !== 'string' || secret.length < 16) return;
    secrets.set(secret, kind);
    const signature = secret.split('.')[2];
    if (secret.startsWith('eyJ') && signature) secrets.set(signature, `signature of ${kind}`);
  };
  const watch = () => {
    const real = globalThis.fetch;
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init);
      remember('an authorization header', request.headers.get('authorization')?.replace(/^Bearer +/i, ''));
      remember(
        'a webhook signature',
        /signature=([0-9a-f]{64})/.exec(request.headers.get('x-buildkite-signature') ?? '')?.[1],
      );
      const response = await real(input, init);
      rememberAll(await response.clone().text());
      return response;
    });
  };
  const rememberAll = (text: string) => {
    for (const [, name, secret] of text.matchAll(
      /"(access_token|accessToken|idToken|refreshToken|signedJwt)":\s*"([^"]+)"/g,
    ))
      remember(name ?? '', secret);
  };
  const watchSent = ({ url, headers, json: sent }: OutgoingRequest, { json }: JsonResponse) => {
    remember('an authorization header', headers?.authorization?.replace(/^Bearer +/i, ''));
    if (url.includes(':signInWithCustomToken')) remember('a custom token', (sent as { token: string }).token);
    rememberAll(JSON.stringify(json) ?? '');
  };
  const reported = (response: Called) => {
    if (response.status >= 400) errors.push(response);
    return response;
  };

  beforeAll(async () => {
    watch();
    keydesk = await openInProcessKeydesk({ records: true, onSent: watchSent });
    for (const key of WEBHOOK_TOKENS) remember('a webhook key', key);
    const newJobToken = async (claims = {}, overrides = {}) => {
      const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob(claims), { overrides });
      remember('a job token', jobToken);
      return jobToken;
    };

    const job = keydesk.buildkite.startJob();
    const jobToken = await keydesk.buildkite.jobToken(job);
    remember('a job token', jobToken);
    for (const credential of ['staging-config', 'staging-export']) {
      remember('an access token', reported(await keydesk.requestByPath(jobToken, credential)).json.access_token);
      remember('an access token', reported(await keydesk.requestByForm(jobToken, credential)).json.access_token);
      const headers = { authorization: `Bearer ${jobToken}`, accept: 'text/plain' };
      const plain = await keydesk.call(`${keydesk.tokenUrl}/token/${credential}`, { method: 'POST', headers });
      remember('an access token', plain.text);
    }

    // Refusals of every kind, and secrets where they don't belong.
    reported(await keydesk.requestByForm(jobToken, 'production-config'));
    reported(await keydesk.requestByForm('staging-config', jobToken));
    reported(await keydesk.requestByPath(jobToken, jobToken));
    reported(await keydesk.requestByForm(jobToken, 'staging-config', { grant_type: jobToken }));
    reported(await keydesk.requestByForm(jobToken, 'staging-config', { subject_token_type: jobToken }));
    reported(await keydesk.requestByForm(jobToken, 'staging-config', { lifetime: jobToken }));
    reported(await keydesk.requestByForm(jobToken, 'staging-config', { actor_token: jobToken }));
    reported(await keydesk.call(`${keydesk.tokenUrl}/nowhere?token=${jobToken}`, { method: 'POST', body: jobToken }));
    reported(await keydesk.requestByPath(await newJobToken({}, { pipeline_id: undefined })));
    reported(await keydesk.requestByPath(await newJobToken({}, { build_number: 'x' })));
    reported(await keydesk.requestByPath(await newJobToken({}, { exp: 1 })));
    reported(await keydesk.requestByPath(await newJobToken({ build_branch: 'feature' })));
    reported(await keydesk.requestByForm(`${jobToken.slice(0, -4)}AAAA`));

    // Failures, with the secret at hand.
    keydesk.google.before = () => ({ status: 403, json: { error: { code: 403, message: 'denied' } } });
    reported(await keydesk.requestByForm(await newJobToken()));
    keydesk.google.before = () => ({
      status: 200,
      json: { accessToken: 'ya29.c.too-long-lived-token', expireTime: '2099-01-01T00:00:00Z' },
    });
    reported(await keydesk.requestByForm(await newJobToken(), 'staging-export'));
    keydesk.google.before = () => ({
      status: 200,
      json: { signedJwt: 'eyJhbGciOiJub25lIn0.eyJzZWNyZXQiOiJ4In0.c2lnbmF0dXJlLW9mLWEtYmFkLW9uZQ' },
    });
    reported(await keydesk.requestByForm(await newJobToken()));
    keydesk.google.before = undefined;
    const { ledger } = keydesk.tokenDeps;
    keydesk.tokenDeps.ledger = { ...ledger, activate: () => Promise.reject(new Error('a bug')) };
    reported(await keydesk.requestByForm(await newJobToken(), 'staging-export'));
    keydesk.tokenDeps.ledger = ledger;

    keptBefore = JSON.stringify([
      await dump(databaseOf(keydesk.project, 'ledger')),
      await dump(databaseOf(keydesk.project, '(default)')),
    ]);

    // Webhooks, bad and good, and the sweep.
    const body = keydesk.buildkite.event(job);
    reported(await keydesk.notify(`${body} `, { signature: keydesk.buildkite.signature(body) }));
    reported(await keydesk.notify(body, { signature: keydesk.buildkite.signature(body, 1) }));
    reported(
      await keydesk.notify(body, { signature: 'none', headers: { 'x-buildkite-token': WEBHOOK_TOKENS[0] as string } }),
    );
    reported(
      await keydesk.call(keydesk.webhookUrl, {
        method: 'POST',
        body,
        headers: { 'x-buildkite-token': WEBHOOK_TOKENS[0] as string },
      }),
    );
    reported(await keydesk.notify('{"event":1}'));
    await keydesk.notify(body);
    reported(await keydesk.requestByForm(jobToken));
    keydesk.clock.advance(3_600_000);
    await keydesk.sweep();
    keydesk.clock.reset();
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await keydesk.close();
  });

  it('every kind of secret was seen, so that the search is for something', () => {
    const kinds = new Set(secrets.values());
    for (const kind of [
      'a job token',
      'signature of a job token',
      'an access token',
      'a custom token',
      'an authorization header',
      'accessToken',
      'refreshToken',
      'a webhook key',
      'a webhook signature',
    ])
      expect(kinds).toContain(kind);
    expect([...secrets.keys()].some((secret) => secret.startsWith('ya29.keydesk-service.'))).toBe(true);
    expect(errors.length).toBeGreaterThan(20);
  });

  it('nothing secret is in the audit log', () => {
    expect(keydesk.lines.length).toBeGreaterThan(25);
    expectNoSecretIn(keydesk.lines.join(''));
  });

  it('no error response has a secret', () => {
    for (const { text, headers } of errors) expectNoSecretIn(`${text}${JSON.stringify([...headers])}`);
  });

  it('nothing secret was kept while grants were live', () => {
    expect(keptBefore).toContain('"state":"active"');
    expectNoSecretIn(keptBefore);
  });

  it('nothing secret is in the ledger', async () => {
    const dumped = await dump(databaseOf(keydesk.project, 'ledger'));
    expect(Object.keys(dumped).sort()).toEqual([
      'deployments',
      'grants',
      'jobs',
      'locks',
      'policies',
      'service_accounts',
    ]);
    expectNoSecretIn(JSON.stringify(dumped));
  });

  it('nothing secret is in the documents that the rules read', async () => {
    const dumped = await dump(databaseOf(keydesk.project, '(default)'));
    expect(Object.keys(dumped)).toEqual(['keydesk_grants']);
    expect(dumped.keydesk_grants?.length).toBeGreaterThan(0);
    expectNoSecretIn(JSON.stringify(dumped));
  });

  function expectNoSecretIn(text: string): void {
    expect([...secrets].flatMap(([secret, kind]) => (text.includes(secret) ? [kind] : []))).toEqual([]);
    expect(text).not.toMatch(/ya29\.[\w.-]{4}/);
  }

  async function dump(database: Firestore): Promise<Record<string, object[]>> {
    const collections = await database.listCollections();
    const dumped = await Promise.all(collections.map(async (collection) => (await collection.get()).docs));
    return Object.fromEntries(
      collections.map(({ id }, index) => [
        id,
        (dumped[index] ?? []).map((document) => ({ id: document.id, ...document.data() })),
      ]),
    );
  }
});
