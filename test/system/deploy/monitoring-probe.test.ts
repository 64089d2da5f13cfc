// The probe as a step of a pipeline, run by the fake agent: it passes against a service that works, and its exit code says
// what is wrong with one that does not.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { runStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { AUDIENCE } from '../../fixtures/policies.ts';
import { SECRET } from '../plugin/step.ts';
import { openWatchedKeydesk, type WatchedKeydesk } from './log-filter-keydesk.ts';

const PROBE = 'deploy/monitoring/probe.sh';
const readme = readFileSync(join(ROOT, 'deploy/monitoring/README.md'), 'utf8');
const yamlOf = (name: string) => readme.split(`<!-- ${name} -->\n\`\`\`yaml\n`)[1]?.split('```')[0] ?? '';
const [step] = parsePipeline(yamlOf('step'));

let watched: WatchedKeydesk;
afterEach(() => watched?.keydesk.close());

async function probe(environment: Record<string, string> = {}) {
  const { keydesk } = watched;
  // The step's own process reads the real clock.
  keydesk.clock.reset();
  if (!step) throw new Error('the README has no step');
  const job = keydesk.buildkite.startJob({ step_key: step.key, build_branch: 'main' });
  const env = { ...step.env, KEYDESK_URL: keydesk.tokenUrl, KEYDESK_AUDIENCE: AUDIENCE, ...environment };
  const ran = await runStep({
    step: { ...step, env },
    job,
    buildkite: keydesk.buildkite,
    plugins: {},
    path: [join(ROOT, 'node_modules/.bin')],
    checkout: ROOT,
    limitMs: 60_000,
  });
  expect(ran.raw).not.toMatch(SECRET);
  expect(ran.leftBehind).toEqual([]);
  return { ...ran, logged: keydesk.audit.map(({ event, reason, credential }) => [event, reason ?? credential]) };
}

it('requests the canary, releases it, and is refused what it must be', async () => {
  watched = await openWatchedKeydesk();
  const { exitCode, logged, output } = await probe();
  expect([exitCode, output.includes('ISSUED')]).toEqual([0, false]);
  expect(output).toContain('released, and ended');
  expect(logged).toEqual([
    ['grant.refused', 'job_token_signature_invalid'],
    ['grant.issued', 'canary'],
    ['grant.released', undefined],
    ['grant.revoked', 'canary'],
    ['grant.refused', 'no_matching_rule'],
  ]);
});

it('reports that the canary is not issued', async () => {
  watched = await openWatchedKeydesk('[live]');
  const { exitCode, output } = await probe();
  expect(exitCode).toBe(1);
  expect(output).toContain('probe: not issued: canary (status 400, error invalid_target, request id ');
});

it('reports that a credential is issued that must be refused', async () => {
  watched = await openWatchedKeydesk('[canary, canary-denied]');
  const { exitCode, output } = await probe();
  expect(exitCode).toBe(2);
  expect(output).toContain('probe: ISSUED: canary-denied (status 200');
});

it('reports that a forged job token is accepted', async () => {
  watched = await openWatchedKeydesk();
  const { tokenDeps } = watched.keydesk;
  const { verifyJobToken } = tokenDeps;
  tokenDeps.verifyJobToken = async (jobToken, now) => {
    const verified = await verifyJobToken(jobToken, now);
    const [signed, signature = ''] = jobToken.split(/\.(?=[^.]*$)/);
    return 'refusal' in verified ? verifyJobToken(`${signed}.${unscrambled(signature)}`, now) : verified;
  };
  const { exitCode, output } = await probe();
  expect(exitCode).toBe(2);
  expect(output).toContain('probe: ISSUED: a forged job token (status 200');
});

/** What the probe did to the signature, which undoes itself. */
function unscrambled(signature: string): string {
  const order = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.repeat(2);
  return signature.replaceAll(/[A-Za-z0-9]/g, (character) => {
    if (/[0-9]/.test(character)) return String((Number(character) + 5) % 10);
    const turned = order[order.indexOf(character.toUpperCase()) + 13] ?? '';
    return character === character.toUpperCase() ? turned : turned.toLowerCase();
  });
}

it('reports that a released token is still accepted', async () => {
  watched = await openWatchedKeydesk();
  const { sweepDeps } = watched.keydesk;
  sweepDeps.ledger = { ...sweepDeps.ledger, endGrant: async () => undefined };
  const { exitCode, output } = await probe();
  expect(exitCode).toBe(2);
  expect(output).toContain('probe: STILL ACCEPTED after its release (status 200');
});

it('does not take a failure for a refusal', async () => {
  watched = await openWatchedKeydesk();
  watched.keydesk.tokenDeps.verifyJobToken = () =>
    Promise.reject(new DependencyError('issuer keys', 'call_failed', 'the test broke it'));
  const { exitCode, output } = await probe();
  expect(exitCode).toBe(1);
  expect(output).toContain('not refused as expected, with 401 invalid_token: a forged job token (status 503');
});

it.each([
  ['nothing responds', { KEYDESK_URL: 'http://127.0.0.1:9' }, 1, 'status 000'],
  ['KEYDESK_URL is empty', { KEYDESK_URL: '' }, 3, 'KEYDESK_URL must be'],
  ['the agent gives no job token', { BUILDKITE_AGENT_ACCESS_TOKEN: 'wrong' }, 3, 'gave no job token'],
])('reports when %s', async (_, environment, code, words) => {
  watched = await openWatchedKeydesk();
  const { exitCode, output } = await probe(environment);
  expect([exitCode, output]).toEqual([code, expect.stringContaining(words)]);
});

it('says what it needs, and takes no arguments', async () => {
  const run = (argument: string) => spawnSync('bash', [join(ROOT, PROBE), argument], { encoding: 'utf8' });
  expect(run('--help')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('KEYDESK_URL ') });
  expect(run('--halp')).toMatchObject({ status: 3, stdout: '', stderr: expect.stringContaining('usage: probe.sh') });
});

it('has time for all its requests, should each take as long as it may', () => {
  const text = readFileSync(join(ROOT, PROBE), 'utf8');
  const seconds = Number(/--max-time (\d+)/.exec(text)?.[1]);
  const minutes = Number(/timeout_in_minutes: (\d+)/.exec(yamlOf('step'))?.[1]);
  expect(seconds * 5).toBeLessThan(minutes * 60);
  expect(text).toContain(`five requests of ${seconds} seconds`);
});

it('has lines for a policy, and policy check finds nothing in an example that has them', () => {
  const part = parse(yamlOf('policy'));
  const example = parse(readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8'));
  const merge = (key: string) => ({ [key]: { ...example[key], ...part[key] } });
  const whole = {
    ...example,
    ...merge('environments'),
    ...merge('pipelines'),
    ...merge('credentials'),
    rules: [...example.rules, ...part.rules],
  };
  const folder = mkdtempSync(join(tmpdir(), 'canary-'));
  writeFileSync(join(folder, 'policy.yaml'), stringify(whole));
  const ran = spawnSync(process.execPath, [KEYDESK, 'policy', 'check'], {
    cwd: folder,
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  expect({ status: ran.status, stderr: ran.stderr }, ran.stdout).toEqual({ status: 0, stderr: '' });
  expect(Object.keys(part.credentials)).toEqual(['canary', 'canary-denied']);
  expect(JSON.stringify(part.rules)).not.toContain('denied');
});

const missing = spawnSync('shellcheck', ['--version']).error !== undefined && process.env.CI !== 'true';
it.skipIf(missing)('passes shellcheck', async () => {
  const ran = await promisify(execFile)('shellcheck', [PROBE], { cwd: ROOT }).catch((error) => error);
  expect(ran).toMatchObject({ stdout: '', stderr: '' });
});
