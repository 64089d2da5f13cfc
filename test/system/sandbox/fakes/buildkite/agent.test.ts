import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../../../../sandbox/fakes/buildkite/job.ts';
import { ROOT } from '../../../../../sandbox/functions.ts';
import { TestClock } from '../../../../fixtures/test-clock.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
let buildkite: FakeBuildkite;
let folder: string;
beforeAll(async () => {
  buildkite = await startFakeBuildkite({
    audience: 'https://keydesk.acme.example',
    webhookToken: 'token',
    clock: new TestClock(NOW),
  });
  folder = mkdtempSync(join(tmpdir(), 'keydesk-agent-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await buildkite.close();
});

async function requestToken(job: Pick<Job, 'id' | 'agentToken'>, body: unknown = {}, init: RequestInit = {}) {
  const response = await fetch(`${buildkite.agentEndpoint}/jobs/${job.id}/oidc/tokens`, {
    method: 'POST',
    headers: { authorization: `Token ${job.agentToken}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
  const json = (await response.json()) as { token?: string; message?: string };
  return { status: response.status, message: json.message, claims: json.token ? decodeJwt(json.token) : undefined };
}

describe('the agent API of the fake Buildkite', () => {
  it('gives a running job a token with the claims of every token, and none that was not requested', async () => {
    const job = buildkite.startJob({ step_key: 'test', cluster_id: '0184990a-0000-4000-8000-000000000001' });
    const { claims } = await requestToken(job);
    expect(claims).toEqual({
      iss: buildkite.url,
      sub: 'organization:acme-inc:pipeline:app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:test',
      aud: 'https://buildkite.com/acme-inc',
      iat: NOW / 1000,
      nbf: NOW / 1000,
      exp: NOW / 1000 + 300,
      jti: expect.any(String),
      organization_slug: 'acme-inc',
      pipeline_slug: 'app',
      build_number: 42,
      build_branch: 'main',
      build_tag: null,
      build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
      step_key: 'test',
      job_id: job.id,
      agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
      build_source: 'webhook',
      runner_environment: 'self-hosted',
    });
  });

  it('adds the requested claims, audience and lifetime', async () => {
    const job = buildkite.startJob({ cluster_id: '0184990a-0000-4000-8000-000000000001', 'agent_tag:gpu': 'a100' });
    const claims = ['organization_id', 'pipeline_id', 'cluster_id', 'queue_key', 'agent_tag:queue', 'agent_tag:gpu'];
    const requested = await requestToken(job, { audience: 'https://keydesk.example', lifetime: 7200, claims });
    expect(requested.claims).toMatchObject({
      aud: 'https://keydesk.example',
      exp: NOW / 1000 + 7200,
      organization_id: buildkite.organization.id,
      pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
      cluster_id: '0184990a-0000-4000-8000-000000000001',
      queue_key: 'default',
      'agent_tag:queue': 'default',
      'agent_tag:gpu': 'a100',
    });
    expect(requested.claims).not.toHaveProperty('build_id');
  });

  it.each([
    ['a lifetime above the highest', { lifetime: 14400 }, 'Requested lifetime too high (requested: 14400 max: 7200)'],
    ['a negative lifetime', { lifetime: -1 }, 'must not be negative'],
    ['a claim that is always there', { claims: ['job_id'] }, 'Unknown claims: job_id'],
    ['a claim it does not know', { claims: ['pipeline_id', 'creator'] }, 'Unknown claims: creator'],
    ['a member it does not know', { subject: 'x' }, 'Invalid request'],
    ['a lifetime in words', { lifetime: '300' }, 'Invalid request'],
    ['what is no JSON', '{', 'Invalid request'],
  ])('refuses %s', async (_, body, message) => {
    expect(await requestToken(buildkite.startJob(), body)).toMatchObject({
      status: 422,
      message: expect.stringContaining(message),
    });
  });

  it('refuses every caller but the running job itself', async () => {
    const [job, other] = [buildkite.startJob(), buildkite.startJob()];
    expect((await requestToken({ id: job.id, agentToken: other.agentToken })).status).toBe(401);
    expect(
      (await requestToken({ id: '0184990a-0000-4000-8000-000000000000', agentToken: job.agentToken })).status,
    ).toBe(401);
    expect((await requestToken(job, {}, { headers: { 'content-type': 'application/json' } })).status).toBe(401);
    buildkite.event(job);
    expect((await requestToken(job)).status).toBe(401);
    expect((await requestToken(other)).status).toBe(200);
    expect((await requestToken(other, undefined, { method: 'GET', body: null })).status).toBe(404);
  });
});

describe('the fake buildkite-agent', () => {
  async function agent(args: string[], options: { job?: Job; env?: Record<string, string>; input?: string } = {}) {
    const { job = buildkite.startJob(), env = {}, input = '' } = options;
    const environment = {
      PATH: process.env.PATH,
      BUILDKITE_AGENT_ENDPOINT: buildkite.agentEndpoint,
      BUILDKITE_AGENT_ACCESS_TOKEN: job.agentToken,
      BUILDKITE_JOB_ID: job.id,
      ...env,
    };
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const command = [join(ROOT, 'sandbox/fakes/buildkite/agent.ts'), ...args];
      const child = execFile(process.execPath, command, { env: environment }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  }

  it('prints a job token with audience, lifetime and claims', async () => {
    const claims = ['--claim', 'pipeline_id,build_id', '--claim', 'queue_key'];
    const { stdout, code } = await agent(['oidc', 'request-token', '--audience', 'a b', '--lifetime', '60', ...claims]);
    expect(code).toBe(0);
    const { iat = 0, exp, ...payload } = decodeJwt(stdout.trim());
    expect(exp).toBe(iat + 60);
    expect(payload).toMatchObject({ aud: 'a b', build_id: expect.any(String), queue_key: 'default' });
    expect(payload).not.toHaveProperty('organization_id');
  });

  it('prints the job token in the format of Google’s libraries', async () => {
    const { stdout } = await agent(['oidc', 'request-token', '--format', 'gcp']);
    expect(JSON.parse(stdout)).toEqual({
      id_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'urn:ietf:params:oauth:token-type:jwt',
      version: 1,
      success: true,
    });
  });

  it('reads claims from the environment when no flag names one', async () => {
    const env = { BUILDKITE_OIDC_TOKEN_CLAIMS: 'build_id,queue_id' };
    const claimsOf = async (args: string[]) =>
      decodeJwt((await agent(['oidc', 'request-token', ...args], { env })).stdout);
    expect(await claimsOf([])).toMatchObject({ build_id: expect.any(String), queue_id: expect.any(String) });
    expect(await claimsOf(['--claim', 'queue_id'])).not.toHaveProperty('build_id');
  });

  it.each([
    ['a command it does not know', ['oidc', 'mint']],
    ['no command', []],
    ['a flag it does not know', ['oidc', 'request-token', '--audiences', 'x']],
    ['an argument', ['oidc', 'request-token', 'x']],
    ['a format it does not know', ['oidc', 'request-token', '--format', 'aws']],
    ['a lifetime in words', ['oidc', 'request-token', '--lifetime', '5m']],
    ['a negative lifetime', ['oidc', 'request-token', '--lifetime=-1']],
    ['a lifetime that Buildkite refuses', ['oidc', 'request-token', '--lifetime', '14400']],
    ['a flag that redaction does not know', ['redactor', 'add', '--audience', 'x']],
    ['two files', ['redactor', 'add', 'a', 'b']],
  ])('fails on %s, with a message', async (_, args) => {
    const { code, stdout, stderr } = await agent(args);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^buildkite-agent: fatal: .+\n$/);
  });

  it('fails with the message of Buildkite, and without the ID of a job', async () => {
    const job = buildkite.startJob();
    buildkite.event(job);
    expect((await agent(['oidc', 'request-token'], { job })).stderr).toContain(': 401 Invalid access token');
    const env = { BUILDKITE_JOB_ID: '' };
    expect((await agent(['oidc', 'request-token'], { env })).stderr).toContain('Missing BUILDKITE_JOB_ID');
  });

  it('reads a secret to redact from standard input or a file, and trims it', async () => {
    const redacted = join(folder, 'redacted');
    const env = { BUILDKITE_FAKE_REDACTED: redacted };
    writeFileSync(redacted, '');
    writeFileSync(join(folder, 'secret'), ' of a file\nwith two lines\n\n');
    expect((await agent(['redactor', 'add'], { env, input: '  s3cret \n' })).code).toBe(0);
    expect((await agent(['redactor', 'add', join(folder, 'secret')], { env })).code).toBe(0);
    expect((await agent(['redactor', 'add', '--format', 'json'], { env, input: '{"a":"one","b":"two"}' })).code).toBe(
      0,
    );
    expect((await agent(['redactor', 'add', '--format', 'json'], { env, input: '{"a":1}' })).code).toBe(1);
    const lines = readFileSync(redacted, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(['s3cret', 'of a file\nwith two lines', 'one', 'two']);
  });

  it('cannot redact without the Job API', async () => {
    expect(await agent(['redactor', 'add'], { input: 'x' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('failed to create Job API client'),
    });
  });
});
