import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KEYDESK } from '../../fixtures/command.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE, everyKindPolicyText } from '../../fixtures/policies.ts';
import { type Front, openFront } from './front.ts';
import { grantEvents, runAStep, SECRET, startAStep } from './step.ts';

let keydesk: InProcessKeydesk;
let front: Front;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
  front = await openFront(keydesk.tokenUrl);
});
afterAll(async () => {
  await front.close();
  await keydesk.close();
});
afterEach(() => {
  front.instead = () => undefined;
  front.seen.length = 0;
  keydesk.google.before = undefined;
});

/** What the log reports under a refusal. */
function reportIn(output: string) {
  const of = (label: string) => new RegExp(`^  ${label}: (.*)$`, 'm').exec(output)?.[1];
  return { message: of('Message'), requestId: of('Request ID'), toDo: of('What to do') };
}

describe('a refusal fails the step before its command, with Keydesk’s message', () => {
  it.each([
    [
      'that no rule grants the credential',
      { credentials: 'production-config' },
      {},
      'invalid_target',
      'check the name',
    ],
    [
      'that there is no such credential',
      { credentials: 'no-such-thing' },
      {},
      'invalid_target',
      'ask the owners of the policy',
    ],
    [
      'that the audience is wrong',
      { audience: 'https://other.example' },
      {},
      'invalid_token',
      '"https://other.example"',
    ],
    ['that a claim is missing', { claims: ['pipeline_id'] }, {}, 'invalid_request', 'add the missing claims'],
    ['to a job of another pipeline', {}, { pipeline_id: '0184990a-0000-4000-8000-000000000000' }, 'invalid_target', ''],
  ])('%s', async (_, use, claims, error, toDo) => {
    const ran = await runAStep(keydesk, {
      uses: [use],
      job: keydesk.buildkite.startJob(claims),
      command: 'echo "it ran"',
    });
    expect(ran.exitCode).toBe(1);
    expect(ran.output).not.toContain('it ran');
    expect(ran.output).toContain(`^^^ +++\nKeydesk: ${keydesk.tokenUrl} did not issue `);
    expect(ran.output).toContain(` ${error}).`);
    const { message, requestId, toDo: advice } = reportIn(ran.output);
    const line = keydesk.auditOf(requestId);
    expect(line.event).toBe('grant.refused');
    expect(message?.length).toBeGreaterThan(20);
    expect(advice).toContain(toDo);
    expect(ran.leftBehind).toEqual([]);
  });

  it('with the claims of the job, and a command that explains the decision as it was made', async () => {
    const build_branch = "feature/it's-$(id)";
    const job = keydesk.buildkite.startJob({ build_branch });
    const { output, raw } = await runAStep(keydesk, { uses: [{ credentials: 'production-config' }], job });
    expect(output).toContain(`\n    build_branch=${build_branch}\n`);
    expect(raw).not.toMatch(SECRET);
    const [, command = ''] = /^ {4}(keydesk policy explain .*)$/m.exec(output) ?? [];
    const at = mkdtempSync(join(tmpdir(), 'keydesk-refusal-'));
    writeFileSync(join(at, 'policy.yaml'), everyKindPolicyText(keydesk.project));
    const script = `keydesk() { node '${KEYDESK}' "$@"; }; ${command}`;
    const ran = spawnSync('bash', ['-c', script], { cwd: at, encoding: 'utf8' });
    rmSync(at, { recursive: true });
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toContain('production-config');
  });

  it('with the setting that adds the missing claims, which then suffices', async () => {
    const { output } = await runAStep(keydesk, { uses: [{ claims: ['organization_id'] }] });
    const [, list = ''] = /^ {4}claims: \[(.*)\]$/m.exec(output) ?? [];
    expect(list).toMatch(/^organization_id, /);
    expect((await runAStep(keydesk, { uses: [{ claims: list.split(', ') }] })).exitCode).toBe(0);
  });

  it('also when the job has ended, with the same words', async () => {
    const job = keydesk.buildkite.startJob();
    await keydesk.notify(keydesk.buildkite.event(job));
    // Its agent has not noticed yet.
    job.state = 'running';
    const { output } = await runAStep(keydesk, { job });
    const { error_description, request_id } = (await keydesk.requestByPath(await keydesk.buildkite.jobToken(job))).json;
    expect(reportIn(output).message).toBe(error_description.replace(` Request id: ${request_id}`, ''));
    expect(reportIn(output).toDo).toMatch(/^follow the message/);
  });

  it('and releases what was already issued', async () => {
    const uses = [{ credentials: ['staging-config', { name: 'production-config', token: 'PRODUCTION_TOKEN' }] }];
    const { output, job, environment, leftBehind } = await runAStep(keydesk, { uses });
    expect(output).toContain('did not issue production-config');
    expect(output).toContain('staging-config: released');
    expect(grantEvents(keydesk, job).slice(-1)).toEqual(['grant.revoked staging-config']);
    expect(environment).not.toHaveProperty('KEYDESK_DIR');
    expect(leftBehind).toEqual([]);
  });

  it('and does not release what an earlier use received, which pre-exit releases', async () => {
    const uses = [
      {},
      {
        credentials: [
          { name: 'staging-export', token: 'A_TOKEN' },
          { name: 'nonsense', token: 'B_TOKEN' },
        ],
      },
    ];
    const { output, phases, leftBehind } = await runAStep(keydesk, { uses });
    const [, atTheRefusal = '', ending = ''] = /^([\s\S]*)releasing credentials([\s\S]*)$/.exec(output) ?? [];
    expect(atTheRefusal).toContain('staging-export: will not be renewed');
    expect(atTheRefusal).not.toContain('staging-config: released');
    expect(ending).toContain('staging-config: released');
    expect(phases.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 1, 0, 0]);
    expect(leftBehind).toEqual([]);
  });

  it('even when a proxy sends it as a page', async () => {
    const body = '<html>\u001b[31mForbidden\n--- Your client does not have permission</html>';
    front.instead = () => ({ status: 403, body });
    const { output, raw } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(output).toContain(`Keydesk: ${front.url} did not issue staging-config (403).`);
    expect(reportIn(output)).toEqual({
      message: undefined,
      requestId: undefined,
      toDo: expect.stringMatching(/^check url, and whether/),
    });
    expect(raw).not.toContain('Forbidden');
  });

  it('without characters that move a cursor or open a log group', async () => {
    const body =
      '{"error":"in\u001b[2Jvalid","error_description":"first\u001b[31m\n+++ second\u0007","request_id":"x"}';
    front.instead = () => ({ status: 400, headers: { 'x-request-id': 'id-1$(id)\u00e9' }, body });
    const { raw } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    const lines = raw.slice(raw.indexOf('did not issue')).split('\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f]/);
    expect(lines.filter((line) => line.startsWith('+++'))).toEqual([]);
    expect(raw).toContain('Request ID: id-1id');
  });

  it.each([
    ['a redirect', { status: 302, headers: { location: 'https://elsewhere.example/' } }, '(302)'],
    ['a page in place of a token', { status: 200, body: '<html>Sign in</html>' }, 'returned no access token'],
    ['nothing in place of a token', { status: 200, body: '' }, 'returned no access token'],
  ])('also when the response is %s', async (_, instead, said) => {
    front.instead = () => instead;
    const { output, exitCode } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(exitCode).toBe(1);
    expect(output).toContain(said);
    expect(front.seen).toEqual(['POST /token/staging-config']);
  });
});

describe('the plugin retries when Keydesk is busy or unavailable', () => {
  it('when Google failed once', async () => {
    let calls = 0;
    keydesk.google.before = () => {
      calls += 1;
      return calls === 1 ? { status: 500, json: {} } : undefined;
    };
    const { exitCode, job } = await runAStep(keydesk);
    expect(exitCode).toBe(0);
    expect(keydesk.audit.some(({ reason }) => reason === 'dependency_unavailable')).toBe(true);
    expect(grantEvents(keydesk, job)).toContain('grant.issued staging-config');
  });

  it.each([
    ['503 with Retry-After', { status: 503, headers: { 'retry-after': '2' } }, 2000],
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '2' } }, 2000],
    [
      '500 with a Retry-After that is a date',
      { status: 500, headers: { 'retry-after': 'Fri, 31 Dec 2027 23:59:59 GMT' } },
      900,
    ],
    ['a connection that is cut', 'cut' as const, 900],
  ])('after %s', async (_, instead, wait) => {
    const at: number[] = [];
    front.instead = (request) => {
      if (request.endsWith('/revoke')) return undefined;
      at.push(Date.now());
      return at.length === 1 ? instead : undefined;
    };
    const { exitCode, output } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(exitCode).toBe(0);
    expect(output).toContain('staging-config: in GOOGLE_APPLICATION_CREDENTIALS');
    expect(at).toHaveLength(2);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(wait);
  });

  it('but not when Keydesk names a longer wait than timeout', async () => {
    front.instead = () => ({
      status: 503,
      headers: { 'retry-after': '400', 'x-request-id': 'of-keydesk' },
      body: '{"error":"temporarily_unavailable","error_description":"All service accounts of the pool are in use.","request_id":"of-keydesk","retry_after":400}',
    });
    const { exitCode, output } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(exitCode).toBe(1);
    expect(front.seen).toHaveLength(1);
    expect(output).toContain('(503 temporarily_unavailable)');
    expect(reportIn(output)).toMatchObject({
      message: 'All service accounts of the pool are in use.',
      requestId: 'of-keydesk',
      toDo: expect.stringMatching(/^retry the job after \d\d:\d\d UTC \(in 7 min\)\. .*timeout, which is 300 s/),
    });
  });

  it('but not when the failure is permanent, which is reported at once with what to do', async () => {
    front.instead = () => ({
      status: 503,
      headers: { 'retry-after': '1', 'x-request-id': 'of-keydesk' },
      body: '{"error":"temporarily_unavailable","request_id":"of-keydesk","error_description":"Google refuses to sign: the API \\"IAM\\" is off. Stop, and contact #platform.","permanent":true,"retry_after":300}',
    });
    const { exitCode, output } = await runAStep(keydesk, { uses: [{ url: front.url }] });
    expect(exitCode).toBe(1);
    expect(front.seen).toEqual(['POST /token/staging-config']);
    expect(output).toContain('did not issue staging-config (503 temporarily_unavailable).');
    expect(reportIn(output)).toEqual({
      message: 'Google refuses to sign: the API "IAM" is off. Stop, and contact #platform.',
      requestId: 'of-keydesk',
      toDo: expect.stringMatching(/^do not retry the job/),
    });
  });

  it('but never with timeout: 0', async () => {
    front.instead = () => ({ status: 503 });
    expect((await runAStep(keydesk, { uses: [{ url: front.url, timeout: 0 }] })).exitCode).toBe(1);
    expect(front.seen).toHaveLength(1);
  });
});

describe('Keydesk that cannot be reached', () => {
  it('is reported with curl’s message', async () => {
    const gone = await openFront(keydesk.tokenUrl);
    await gone.close();
    const { exitCode, output, leftBehind } = await runAStep(keydesk, { uses: [{ url: gone.url, timeout: 1 }] });
    expect(exitCode).toBe(1);
    expect(output).toMatch(/did not issue staging-config \(curl: \(7\) .*[Cc]onnect/);
    expect(reportIn(output).toDo).toMatch(/^check url, and whether the network/);
    expect(leftBehind).toEqual([]);
  });

  it('is reported when its host is unknown', async () => {
    const { output } = await runAStep(keydesk, { uses: [{ url: 'https://keydesk.invalid', timeout: 0 }] });
    expect(output).toMatch(/\(curl: \((6|5)\) /);
  });
});

describe('an agent that fails', () => {
  it('fails the step when it returns no job token', async () => {
    const job = keydesk.buildkite.startJob();
    const environment = { BUILDKITE_AGENT_ACCESS_TOKEN: 'bkaj_of-another-job' };
    const { exitCode, output, leftBehind } = await runAStep(keydesk, { job, environment });
    expect(exitCode).toBe(1);
    expect(output).toContain('401 Invalid access token');
    expect(output).toContain('Keydesk: buildkite-agent oidc request-token returned no job token.');
    expect(leftBehind).toEqual([]);
  });

  it('fails the step when it cannot redact, and the grant is released', async () => {
    const { exitCode, output, job } = await runAStep(keydesk, { environment: { BUILDKITE_FAKE_REDACTED: '' } });
    expect(exitCode).toBe(1);
    expect(output).toContain("Keydesk: the token of staging-config could not be redacted from the job's log");
    expect(output).toContain('start the agent with its Job API');
    expect(output).toContain('BUILDKITE_AGENT_JOB_API_SOCKET');
    expect(output).not.toMatch(SECRET);
    expect(grantEvents(keydesk, job).slice(-1)).toEqual(['grant.revoked staging-config']);
  });
});

it('a cancel during a request releases what was issued', async () => {
  front.instead = (request) =>
    request.endsWith('/staging-export') ? { status: 503, headers: { 'retry-after': '60' } } : undefined;
  const credentials = [
    { name: 'staging-config', token: 'A_TOKEN' },
    { name: 'staging-export', token: 'B_TOKEN' },
  ];
  const running = startAStep(keydesk, { uses: [{ url: front.url, audience: AUDIENCE, credentials }] });
  await running.saw('staging-export: the request failed (503)');
  running.cancel();
  const { exitCode, output, phases, leftBehind } = await running.finished;
  expect(exitCode).toBe(143);
  expect(output).toContain('staging-config: released');
  expect(phases.map(({ name }) => name)).not.toContain('commands');
  expect(grantEvents(keydesk, running.job).slice(-1)).toEqual(['grant.revoked staging-config']);
  expect(leftBehind).toEqual([]);
});
