// The sandbox as a person uses it: it starts, runs the demo, its lines are pasted into a shell, jobs are started with
// different claims, and in the end no process is left.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { descendantsOf, lives, script, type Watched, watch } from './processes.ts';

const LIVE = script(
  `const { runSandbox } = await import(sandbox + 'run.ts');
  const { readDeployablePolicy } = await import(sandbox + '../cli/policy-file.ts');
  const policyFile = ${JSON.stringify(join(ROOT, 'examples/policy.yaml'))};
  const { policy } = readDeployablePolicy(policyFile);
  process.exit(await runSandbox({ policy, policyFile, play: 'demo', once: false, shell: false }));`,
);
const { FIRESTORE_EMULATOR_HOST: _, FIREBASE_AUTH_EMULATOR_HOST: __, ...ENVIRONMENT } = process.env;

/** `web-release` in examples/policy.yaml. */
const RELEASE = 'pipeline_id=0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';

describe('the sandbox', () => {
  let sandbox: Watched;
  let logFile = '';
  let lines: string[];
  let jobs: string;

  beforeAll(async () => {
    sandbox = watch(process.execPath, LIVE, ENVIRONMENT);
    const isUp = () => expect(sandbox.out() + sandbox.err()).toMatch(/-d pipeline_id=\)"\n$/);
    await vi.waitFor(isUp, { timeout: 280_000, interval: 100 });
    logFile = /tail -f (\S+)\n/.exec(sandbox.out())?.[1] ?? '';
    lines = sandbox.out().split('one by one:\n\n')[1]?.trimEnd().split('\n') ?? [];
    jobs = /http:\S+\/jobs/.exec(lines.join('\n'))?.[0] ?? '';
  });
  afterAll(async () => {
    sandbox.child.kill('SIGTERM');
    await sandbox.ended;
    if (logFile) rmSync(dirname(logFile), { recursive: true, force: true });
  });

  const shell = (commands: string) => promisify(execFile)('bash', ['-c', commands]);
  /** Starts a job with the claims and requests the credential. @returns what was printed */
  const requestToken = async (credential: string, ...claims: string[]) => {
    const start = `eval "$(curl -sS -X POST ${jobs} ${claims.map((claim) => `-d '${claim}'`).join(' ')})"`;
    const take = lines.find((line) => line.includes('/token/staging-config'))?.replace('staging-config', credential);
    const { stdout } = await shell(`${start}\n${take}\necho "$ACCESS_TOKEN"`);
    return stdout;
  };
  const logged = (reason: string) => expect.poll(() => readFileSync(logFile, 'utf8')).toContain(`"${reason}"`);

  it('runs the demo, and prints how to stop and last of all what to paste', () => {
    const out = sandbox.out();
    expect(sandbox.err()).toBe('');
    expect(out).toContain('All steps passed.');
    expect(out.split('\n')[1]).toBe(`To stop: Ctrl-C, or kill ${sandbox.child.pid}.`);
    expect(out).toContain('the log: refused: no_matching_rule');
    expect(out).not.toContain('"severity"');
    expect(lines.at(-1)).toMatch(/^eval /);
  });

  it('prints the steps that the README shows', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, shown = ''] = /<!-- npm start -->\n```text\n([\s\S]*?)```/.exec(readme) ?? [];
    const steps = shown.trimEnd().split('\n');
    expect(steps).toHaveLength(4);
    expect(sandbox.out().split('\n')).toEqual(expect.arrayContaining(steps));
  });

  it('writes the log of the functions to the file that it names, and starts without a warning', () => {
    const log = readFileSync(logFile, 'utf8').trimEnd().split('\n');
    const entries = log.map((line) => JSON.parse(line) as { severity: string; event: string; reason?: string });
    expect(entries.length).toBeGreaterThan(10);
    expect(entries[0]).toMatchObject({ severity: 'INFO', event: 'webhook.accepted' });
    expect(entries.filter(({ reason }) => reason === 'not_found')).toEqual([]);
  });

  it('prints lines for any shell: comments of harmless characters, and curl that shows the response', () => {
    for (const line of lines) {
      if (line.startsWith('#')) expect(line).toMatch(/^# [\w ,.:/-]+$/);
      else expect(line).toContain('curl -sS --fail-with-body ');
    }
  });

  it('prints lines for people on call, which run as they are', async () => {
    const printed = sandbox.out().split('\n');
    const at = printed.findIndex((line) => line.startsWith('export KEYDESK_READER_URL='));
    const pasted = printed.slice(at, printed.indexOf('', at));
    expect(pasted.filter((line) => line.startsWith('npm run -s keydesk -- '))).toHaveLength(3);
    const { stdout } = await shell([`cd ${ROOT}`, ...pasted, 'true'].join('\n'));
    for (const shown of ['last sweep', 'ACCEPTED UNTIL', 'Would end']) expect(stdout).toContain(shown);
  });

  it('runs a job from start to end by pasting, and shows the refusals', async () => {
    const { stdout } = await shell(lines.join('\n'));
    for (const answered of [
      '"integerValue": "5"',
      '"account":"ci-',
      '"active":true',
      '"name":"warm/page"',
      '{"result":"job_ended","revoked":2,"not_renewed":1,',
      'ACCOUNT_STATE_INVALID',
      '"cooling_down":3',
    ])
      expect(stdout).toContain(answered);
    expect(stdout.match(/PERMISSION_DENIED/g)).toHaveLength(2);
  });

  it('starts a job that a rule grants a credential', async () => {
    expect(await requestToken('production-config', 'credential=production-config')).toMatch(/^eyJ/);
    expect(await requestToken('production-config', 'credential=production-config', 'step_key=test')).toContain(
      'invalid_target',
    );
  });

  it('starts one job after another', async () => {
    const responses = [
      await requestToken('staging-config'),
      await requestToken('staging-config'),
      await requestToken('staging-config'),
    ];
    expect(responses.map((response) => /^eyJ\S+\n$/.test(response))).toEqual([true, true, true]);
    expect(
      await requestToken('production-config', RELEASE, 'build_branch=v1', 'build_tag=v1', 'step_key=deploy-production'),
    ).toMatch(/^eyJ/);
  });

  it.each([
    ['the wrong audience', ['audience=https://other.example'], 'invalid_token', 'job_token_audience_wrong'],
    ['the wrong branch', ['build_branch=feature/x'], 'invalid_target', 'no_matching_rule'],
    ['a tag that is called like a branch', ['build_tag=main'], 'invalid_target', 'tag_not_allowed'],
    [
      'the wrong step',
      [RELEASE, 'build_branch=v1', 'build_tag=v1', 'step_key=test'],
      'invalid_target',
      'no_matching_rule',
    ],
    ['a claim that was not requested', ['pipeline_id='], '--claim pipeline_id', 'claims_missing'],
    ['a token for too long', ['lifetime=7200'], 'invalid_token', 'job_token_lifetime_too_long'],
  ])('lets a user try %s, and shows the response', async (_, claims, response, reason) => {
    expect(
      await requestToken(reason === 'no_matching_rule' ? 'production-config' : 'staging-config', ...claims),
    ).toContain(response);
    await logged(reason);
  });

  it('finishes a job by the line that came with it, and shows the webhook, also with quotes in it', async () => {
    const { stdout } = await shell(
      `eval "$(curl -sS -X POST ${jobs} -d "build_branch=it's")"\neval "$FINISH"\necho\ncurl -sS -X POST ${jobs}/$JOB/finish`,
    );
    expect(stdout).toContain('{"result":"job_ended",');
    expect(stdout).toContain('X-Buildkite-Signature: timestamp=');
    expect(stdout).toContain('valid for five minutes');
  });

  it.each([
    ['an unknown claim', '-d build_brunch=main', 'build_brunch cannot be chosen, only audience, lifetime, credential,'],
    ['an ID', '-d job_id=x', 'job_id cannot be chosen'],
    ['a credential that no rule grants', '-d credential=none', 'credential: no rule of the policy grants none'],
    ['a lifetime that is none', '-d lifetime=long', 'lifetime must be a number of seconds'],
  ])('refuses to choose %s, with text that is harmless in eval', async (_, data, message) => {
    const { stdout, stderr } = await shell(`eval "$(curl -sS -X POST ${jobs} ${data})"; echo "[$JOB]"`);
    expect(stdout).toBe('[]\n');
    expect(stderr).toContain(`sandbox: ${message}`);
  });

  it('leaves no process behind when it is stopped, and exits with 0', async () => {
    const pids = descendantsOf(sandbox.child.pid ?? -1);
    expect(pids.length).toBeGreaterThanOrEqual(5);
    sandbox.child.kill('SIGHUP');
    expect(await sandbox.ended).toBe(0);
    await expect.poll(() => pids.filter(lives)).toEqual([]);
    expect(sandbox.out().trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^Stopped\\..* ${RegExp.escape(logFile)}$`));
    expect(existsSync(logFile)).toBe(true);
  });

  it('leaves none behind when it is stopped while it starts', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'keydesk-live-'));
    const started = watch(process.execPath, LIVE, { ...ENVIRONMENT, TMPDIR: temporary });
    const below = () => descendantsOf(started.child.pid ?? -1);
    await expect.poll(() => below().length).toBeGreaterThan(1);
    const pids = below();
    started.child.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    await expect.poll(() => pids.filter(lives)).toEqual([]);
    expect(started.err()).toBe('');
    expect(readdirSync(temporary).filter((name) => name.startsWith('keydesk-'))).toEqual([]);
    rmSync(temporary, { recursive: true });
  });
});
