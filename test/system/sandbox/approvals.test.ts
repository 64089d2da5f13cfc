// The people and machines behind a build in the sandbox: what `npm start -- --approvals` plays happens as it says. Each credential of its
// policy is issued to a job that meets the conditions of a rule, and the printed lines run an approval by hand.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { runApprovals } from '../../../sandbox/approvals/run-approvals.ts';
import { parse } from '../../../sandbox/curl.ts';
import { type Environment, openEnvironment } from '../../../sandbox/environment.ts';
import { exampleJobFor } from '../../../sandbox/example-job.ts';
import { policyLines } from '../../../sandbox/lines.ts';
import { openPlayground, type Playground } from '../../../sandbox/playground.ts';
import { type IssuedOnce, issueEach } from '../../../sandbox/policy-run.ts';
import { writeShellCommands } from '../../../sandbox/shell-commands.ts';
import type { Step } from '../../../sandbox/steps.ts';
import { writePlaysPolicy } from '../../fixtures/plays-policy.ts';

const PENDING = [400, 'authorization_pending'];
const NOT_ACCEPTED = [400, 'access_denied'];
const RECORDED = [200, 'build_recorded'];
const GRANTED = [200, 'issued'];

describe('the sandbox with approvals', () => {
  let policy: ReturnType<typeof writePlaysPolicy>;
  let environment: Environment;
  let playground: Playground;
  beforeAll(async () => {
    policy = writePlaysPolicy();
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', inject('firestoreHost'));
    vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', inject('authHost'));
    environment = await openEnvironment(policy);
    playground = await openPlayground(environment, exampleJobFor(environment.policy, 'production-config'));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await playground?.close();
    await environment?.close();
    policy?.remove();
  });

  /** What became of a step, in the words of the response. */
  const outcomeOf = ({ status, body }: Step) => {
    const { error, result, access_token } = parse(body);
    const words = [error, result, access_token === undefined ? undefined : 'issued'];
    return [status, ...words.filter((word) => typeof word === 'string')];
  };

  it('plays each scene to its expected end', async () => {
    const steps: Step[] = [];
    const succeeded = await runApprovals(environment, (step) => steps.push(step));
    expect(steps.flatMap(({ problem }) => problem ?? [])).toEqual([]);
    expect(succeeded).toBe(true);
    expect(steps.map(outcomeOf)).toEqual([
      ...[PENDING, RECORDED, GRANTED],
      // By the person who started the build, and by somebody of no team.
      ...[NOT_ACCEPTED, NOT_ACCEPTED],
      // The webhook is lost, and the sweep finds the approval.
      ...[PENDING, [200], GRANTED],
      // Of the team, and of no team.
      ...[GRANTED, NOT_ACCEPTED],
      // Without a token of the machine, with one of another machine, and with its own.
      ...[[400, 'invalid_request'], NOT_ACCEPTED, [200], GRANTED],
      // Break-glass without a reason, and with one until the job ends.
      ...[NOT_ACCEPTED, PENDING, RECORDED, GRANTED, [200], [200, 'job_ended'], [403]],
      // The exit code of the review.
      ['exit 1'],
    ]);
    expect(environment.google.unexpected).toEqual([]);
    const inLog = (event: string) => environment.log.filter((line) => line.includes(`"event":"${event}"`));
    expect(inLog('grant.break_glass')).toHaveLength(1);
  });

  it('issues each credential, to a job that meets the conditions of its rule', async () => {
    const results: IssuedOnce[] = [];
    expect(await issueEach(environment, (result) => results.push(result))).toBe(true);
    expect(results.map(({ credential, outcome }) => [credential, outcome])).toEqual([
      ['production-config', 'issued'],
      ['staging-config', 'issued'],
      ['staging-users', 'issued'],
      ['production-repair', 'issued'],
    ]);
  });

  const shell = (script: string) => promisify(execFile)('bash', ['-c', script]);

  it('has lines that run an approval by hand', async () => {
    const { stdout } = await shell(policyLines(environment, playground.jobsUrl).join('\n'));
    const shown = ['authorization_pending', '{"result":"build_recorded"}', '"active":true', '{"result":"job_ended"'];
    const places = shown.map((text) => stdout.indexOf(text));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((left, right) => left - right));
  });

  it('has lines for a rule that demands a token of the machine', async () => {
    const { policy: all } = environment;
    const credentials = { 'staging-users': all.credentials['staging-users'] };
    const lines = policyLines({ ...environment, policy: { ...all, credentials } as typeof all }, playground.jobsUrl);
    const { stdout } = await shell(lines.join('\n'));
    expect(stdout).toContain('"active":true');
  });

  it.each([
    ['a person who is not there', 'credential=production-config', 'by=dora', 'is one of alice, bob, carol'],
    ['another parameter', 'credential=production-config', 'step=other', 'only by can be chosen'],
    ['a job that waits for nobody', 'credential=staging-config', 'by=bob', 'the job waits for no approval'],
  ])('refuses to unblock by %s', async (_, job, by, message) => {
    const { stdout, stderr } = await shell(
      `eval "$(curl -sS -X POST -d ${job} ${playground.jobsUrl})"; curl -sS -X POST -d ${by} ${playground.jobsUrl}/$JOB/unblock | sh`,
    );
    expect(stdout).toBe('');
    expect(stderr).toContain(`sandbox: `);
    expect(stderr).toContain(message);
  });

  it.each([
    ['the one that is chosen', "reason='INC-7: orders are stuck'", 'INC-7: orders are stuck'],
    ['one of its own', 'lifetime=600', 'INC-1042: orders are stuck, I set them free by hand'],
    ['none', 'reason=', undefined],
  ])('has builds for emergencies that state %s', async (_, chosen, reason) => {
    await shell(`curl -sS -X POST -d credential=production-repair -d ${chosen} ${playground.jobsUrl}`);
    expect(environment.buildkite.builds.all.at(-1)?.metaData).toEqual(
      (reason && { 'break-glass-reason': reason }) || {},
    );
  });

  it('states a reason in no other build, and takes none for a job without a build', async () => {
    const start = (data: string) => shell(`curl -sS -X POST -d credential=${data} ${playground.jobsUrl}`);
    await start('production-config');
    expect(environment.buildkite.builds.all.at(-1)?.metaData).toEqual({});
    expect((await start('staging-config -d reason=x')).stdout).toContain('asks nothing about its build');
  });

  it('says in one line why a step is not unblocked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keydesk-shell-commands-'));
    mkdirSync(join(folder, 'settings'));
    writeShellCommands(folder, environment, playground);
    const run = (command: string) => shell(`PATH=${join(folder, 'bin')}:$PATH; ${command}`);
    try {
      const { stdout, stderr } = await run(
        'start-job credential=production-config > /dev/null; unblock; echo "exit $?"; unblock; echo "exit $?"',
      );
      expect(stdout).toBe('{"result":"build_recorded"}\nexit 0\nexit 1\n');
      expect(stderr).toBe('sandbox: the step is unblocked already: start another job\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('starts another job of a build that was approved, and unblocks its step once', async () => {
    const start = `eval "$(curl -sS -X POST -d credential=production-config -d build_number=77 ${playground.jobsUrl})"`;
    const unblock = `curl -sS -X POST -d by=bob ${playground.jobsUrl}/$JOB/unblock | sh`;
    const request = `curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN" ${environment.token.url}/token/production-config`;
    const { stdout, stderr } = await shell([start, unblock, start, unblock, request].join('\n'));
    expect(stderr).toContain('the step is unblocked already');
    expect(stdout).toMatch(/^\{"result":"build_recorded"\}.*"access_token":/s);
  });
});
