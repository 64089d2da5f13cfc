// The people and machines behind a build in the sandbox: what `npm start -- --approvals` plays happens as it says. Each credential of its
// policy is issued to a job that meets the conditions of a rule, and the printed lines run an approval by hand.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { runApprovals } from '../../../sandbox/approvals/run-approvals.ts';
import { parse } from '../../../sandbox/curl.ts';
import { type Environment, openEnvironment } from '../../../sandbox/environment.ts';
import { exampleJobFor } from '../../../sandbox/example-job.ts';
import { policyLines } from '../../../sandbox/lines.ts';
import { openPlayground, type Playground } from '../../../sandbox/playground.ts';
import { type IssuedOnce, issueEach } from '../../../sandbox/policy-run.ts';
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
      ...[GRANTED, [400, 'invalid_target']],
      // Without a token of the machine, with one of another machine, and with its own.
      ...[[400, 'invalid_request'], [400, 'invalid_target'], [200], GRANTED],
      // Break-glass without a reason, and with one until the job ends.
      ...[NOT_ACCEPTED, PENDING, RECORDED, GRANTED, [200], [200, 'job_ended'], [403]],
      // The exit code of the review.
      [1],
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

  it('starts another job of a build that was approved, and unblocks its step once', async () => {
    const start = `eval "$(curl -sS -X POST -d credential=production-config -d build_number=77 ${playground.jobsUrl})"`;
    const unblock = `curl -sS -X POST -d by=bob ${playground.jobsUrl}/$JOB/unblock | sh`;
    const request = `curl -sS -X POST -H "Authorization: Bearer $JOB_TOKEN" ${environment.token.url}/token/production-config`;
    const { stdout, stderr } = await shell([start, unblock, start, unblock, request].join('\n'));
    expect(stderr).toContain('the step is unblocked already');
    expect(stdout).toMatch(/^\{"result":"build_recorded"\}.*"access_token":/s);
  });
});
