// The built artefact, started exactly as the platform starts it: functions-framework, the target's name and the
// documented settings. What the framework would do to a request or a shutdown must not reach a client.

import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import { type FakeGoogle, startFakeGoogle } from '../../sandbox/fakes/google/google.ts';
import { functionEnvironment, ROOT, type RunningFunction, startFunction } from '../../sandbox/functions.ts';
import { run } from '../../sandbox/process.ts';
import { keyFingerprint } from '../../shared/core/webhook/key-fingerprint.ts';
import { createDeploymentLedger } from '../../shared/ledger/deployments.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { VERSION } from '../../shared/version.ts';
import { restOpener } from '../fixtures/emulator-databases.ts';

const WEBHOOK_TOKEN = 'artefact-webhook-token';
const AUDIENCE = 'https://keydesk.acme.example';

describe('the built artefact under functions-framework', () => {
  let buildkite: FakeBuildkite;
  let google: FakeGoogle;
  let settings: Record<string, string>;
  const started: RunningFunction[] = [];

  beforeAll(async () => {
    buildkite = await startFakeBuildkite({ audience: AUDIENCE, webhookToken: WEBHOOK_TOKEN });
    google = await startFakeGoogle({ accounts: ['export@acme-staging.iam.gserviceaccount.com'] });
    settings = {
      KEYDESK_POLICY: 'examples/policy.yaml',
      GOOGLE_CLOUD_PROJECT: 'artefact-test',
      KEYDESK_DATABASE: 'ledger',
      KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN,
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
      GCE_METADATA_HOST: google.metadataHost,
      K_REVISION: 'keydesk-00001-abc',
    };
  });
  afterAll(async () => {
    await Promise.all([...started.map(({ running }) => running.stop()), buildkite.close(), google.close()]);
  });

  async function start(target: 'token' | 'webhook' | 'sweep'): Promise<RunningFunction> {
    const running = await startFunction(target, settings);
    started.push(running);
    return running;
  }

  async function requestToken(url: string, jobToken: string): Promise<Response> {
    return fetch(`${url}/token/staging-export`, { method: 'POST', headers: { authorization: `Bearer ${jobToken}` } });
  }

  it('issues, ends and sweeps with nothing but the documented settings', async () => {
    const [token, webhook, sweep] = await Promise.all([start('token'), start('webhook'), start('sweep')]);
    const job = buildkite.startJob();
    const jobToken = await buildkite.jobToken(job);
    const issued = await requestToken(token.url, jobToken);
    expect(await issued.json()).toMatchObject({ credential: 'staging-export', revocation: 'expiry' });
    const body = buildkite.event(job);
    const headers = { 'x-buildkite-signature': buildkite.signature(body) };
    const ended = await fetch(`${webhook.url}/`, { method: 'POST', headers, body });
    expect(await ended.json()).toMatchObject({ result: 'job_ended', not_renewed: 1 });
    const swept = await fetch(`${sweep.url}/`, { method: 'POST' });
    expect(await swept.json()).toMatchObject({ failed: 0, has_backlog: false });
    expect((await requestToken(token.url, jobToken)).status).toBe(400);
    expect(google.unexpected).toEqual([]);
  });

  it('records what it runs once it has started, without a request', async () => {
    process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
    const project = `artefact-${randomBytes(4).toString('hex')}`;
    const own = { ...settings, GOOGLE_CLOUD_PROJECT: project };
    for (const target of ['token', 'webhook', 'sweep'] as const) started.push(await startFunction(target, own));
    const ledger = createDeploymentLedger(
      restOpener(inject('firestoreHost'))({ project, database: 'ledger' }),
      systemClock,
    );
    const common = { version: VERSION, revision: 'keydesk-00001-abc' };
    const text = readFileSync(`${ROOT}/examples/policy.yaml`, 'utf8');
    const policy_sha256 = createHash('sha256').update(text).digest('hex');
    await expect
      .poll(async () => (await ledger.deployments()).deployments)
      .toMatchObject([
        { function: 'sweep', ...common, last_sweep_at: null },
        { function: 'token', ...common, policy_sha256 },
        {
          ...{ function: 'webhook', ...common, last_accepted_at: null },
          keys: [{ fingerprint: keyFingerprint(WEBHOOK_TOKEN), last_accepted_at: null }],
        },
      ]);
    expect(await ledger.policy(policy_sha256)).toMatchObject({ text });
  });

  it('never lets a client see the framework: no HTML, no stack, JSON for malformed JSON, no inflated bodies', async () => {
    const [token, webhook] = await Promise.all([start('token'), start('webhook')]);
    const json = { 'content-type': 'application/json' };
    const responses = await Promise.all([
      fetch(`${token.url}/token`, { method: 'POST', headers: json, body: '{"broken' }),
      fetch(`${token.url}/token`, { method: 'POST', headers: json, body: '"text"' }),
      fetch(`${token.url}/favicon.ico`),
      fetch(`${token.url}/robots.txt`),
      fetch(`${token.url}/token/%zz`, { method: 'POST' }),
      fetch(`${webhook.url}/`, { method: 'POST', headers: json, body: '{"broken' }),
      fetch(`${webhook.url}/`, { method: 'POST' }),
      fetch(`${webhook.url}/`, {
        method: 'POST',
        headers: { ...json, 'content-encoding': 'gzip' },
        body: gzipSync('{"event":"ping"}'),
      }),
    ]);
    for (const response of responses) {
      const text = await response.text();
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(JSON.parse(text)).toMatchObject({ error: expect.any(String), request_id: expect.any(String) });
      expect(text).not.toMatch(/<html|<pre|node_modules|at .*\(/i);
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
    expect(responses.map(({ status }) => status)).toEqual([415, 415, 404, 404, 401, 401, 401, 401]);
  });

  it('checks a signature over the bytes as received, also of a body that is no JSON', async () => {
    const webhook = await start('webhook');
    for (const body of ['{"event":"ping"}', '{"event":  "ping"}\n', '{"event":"ping","x":"\\u00e4ä"}']) {
      const response = await fetch(`${webhook.url}/`, {
        method: 'POST',
        headers: { 'x-buildkite-signature': buildkite.signature(body) },
        body,
      });
      expect([response.status, await response.json()]).toEqual([200, { result: 'pong' }]);
    }
  });

  it('writes how many requests were about unknown tokens when the platform stops it', async () => {
    const token = await start('token');
    for (let nth = 0; nth < 3; nth += 1)
      await fetch(`${token.url}/revoke`, { method: 'POST', body: new URLSearchParams({ token: 'nonsense' }) });
    expect(await token.running.stop()).toBe(0);
    const lines = token.running
      .output()
      .split('\n')
      .filter((line) => line.includes('"event":"token.unknown"'));
    expect(lines.map((line) => JSON.parse(line).requests)).toEqual([1, 2]);
  });

  it('finishes what is in flight when the platform stops it, and then ends with 0', async () => {
    const token = await start('token');
    const jobTokens = await Promise.all([1, 2, 3].map(async () => buildkite.jobToken(buildkite.startJob())));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = 0;
    const allArrived = new Promise<void>((resolve) => {
      google.before = async () => {
        arrived += 1;
        if (arrived === jobTokens.length) resolve();
        await held;
        return undefined;
      };
    });
    const requested = jobTokens.map((jobToken) => requestToken(token.url, jobToken));
    await allArrived;
    google.before = undefined;
    const stopped = token.running.stop(60_000);
    // The listener is closed when new connections are refused; only then is the work let go on.
    await expect.poll(() => refusesConnections(token.url)).toBe(true);
    release();
    const responses = await Promise.all(requested);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await stopped).toBe(0);
    expect(token.running.output().match(/"grant.issued"/g)?.length).toBeGreaterThanOrEqual(3);
  });

  it('reports all wrong settings and policy problems at once, by name and never by value', async () => {
    const wrong = {
      KEYDESK_POLICY: 'package.json',
      KEYDESK_DATABASE: 'Not A Database',
      KEYDESK_ISSUER: 'http://issuer.example',
      KEYDESK_STS_URL: 'https://user:hunter2@sts.example',
      KEYDESK_WEBHOOK_TOKENS: 'hunter3,hunter4,hunter5',
    };
    const { code, output } = await startWith('token', wrong);
    expect(code).toBe(1);
    for (const name of [
      'GOOGLE_CLOUD_PROJECT',
      'KEYDESK_DATABASE',
      'KEYDESK_ISSUER',
      'KEYDESK_STS_URL',
      'KEYDESK_WEBHOOK_TOKENS',
    ])
      expect(output).toContain(name);
    expect(output).toMatch(/package\.json:\d+:\d+/);
    expect(output).not.toMatch(/hunter|Not A Database|issuer\.example|(?:^|\\n)\s+at .*\(/m);
  });

  it('does not start a token function with an API key that is to-be-created, but with the emulator', async () => {
    const policy = join(mkdtempSync(join(tmpdir(), 'artefact-')), 'policy.yaml');
    writeFileSync(
      policy,
      readFileSync('examples/policy.yaml', 'utf8').replace(/apiKey: \w+Staging/, 'apiKey: to-be-created'),
    );
    const deployed: Record<string, string> = { ...settings, KEYDESK_POLICY: policy };
    const { FIRESTORE_EMULATOR_HOST: _, ...withoutEmulator } = deployed;
    const { code, output } = await startWith('token', withoutEmulator);
    expect(code).toBe(1);
    expect(output).toContain('staging-config has the apiKey to-be-created');
    expect(output).not.toContain('production-config');
    const emulated = await startFunction('token', deployed);
    started.push(emulated);
    expect((await fetch(`${emulated.url}/health`)).status).toBe(200);
  });

  it('does not start a webhook function without a key, nor with a policy needed', async () => {
    const { KEYDESK_WEBHOOK_TOKENS: _, KEYDESK_POLICY: __, ...rest } = settings;
    const { code, output } = await startWith('webhook', rest);
    expect(code).toBe(1);
    expect(output).toContain('KEYDESK_WEBHOOK_TOKENS is not set');
    expect(output).not.toContain('KEYDESK_POLICY');
  });

  it('keeps Google’s libraries out of what every start loads', () => {
    // The policy's parser is most of token. When an instance records what it runs, and its events, are 2,400 bytes of it, and checks of tokens that other functions share 200. Conditions of rules and tokens of machines are 35,000.
    for (const name of ['token', 'webhook', 'sweep', 'reader', 'admin'])
      expect(readFileSync(`${ROOT}/dist/${name}.cjs`).length).toBeLessThan(500_000);
  });

  async function startWith(target: string, environment: Record<string, string>) {
    const running = run(`${ROOT}/node_modules/.bin/functions-framework`, [`--target=${target}`, '--port=0'], {
      cwd: ROOT,
      env: functionEnvironment(environment),
    });
    const code = await new Promise((resolve) => running.process.once('close', resolve));
    return { code, output: running.output() };
  }
});

function refusesConnections(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = httpRequest(url, { agent: false }, (response) => {
      response.resume();
      resolve(false);
    });
    probe.on('error', () => resolve(true));
    probe.end();
  });
}
