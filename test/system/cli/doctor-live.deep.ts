// `keydesk doctor --live` as a step of a job, against the functions, the emulators and a fake Google whose disabling is slow,
// flips or never comes. Every canary grant has been released at the end, however the command ended.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { documentSchema } from '../../../cli/live/document.ts';
import { type Environment, openEnvironment } from '../../../sandbox/environment.ts';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { runStep, startStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { jsonServer } from '../../../sandbox/local-server.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { AUDIENCE, account, accounts, policyData, policyText } from '../../fixtures/policies.ts';
import { SECRET } from '../plugin/step.ts';
import { runCli } from './run-cli.ts';

const PROJECT = 'live-data';
const BUCKET = 'live-data-canary';
const scopes = ['https://www.googleapis.com/auth/cloud-platform'];
const monitoring = { environment: 'monitoring', ttl: '10m' };
const POLICY = policyText(
  policyData(PROJECT, {
    'canary-live': {
      ...monitoring,
      firestore: { database: 'data', allow: [{ path: 'canary/{document}', verbs: ['get'] }] },
    },
    'canary-live-pool': { ...monitoring, serviceAccount: { pool: accounts('canary', 8, PROJECT), scopes } },
    'canary-shared': { ...monitoring, serviceAccount: { email: account('canary-shared', PROJECT), scopes } },
    'canary-bucket': {
      ...monitoring,
      storage: {
        serviceAccount: account('canary-bucket', PROJECT),
        bucket: BUCKET,
        role: 'roles/storage.objectViewer',
      },
    },
  }),
);

let folder: string;
let environment: Environment;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-live-'));
  const policyFile = join(folder, 'policy.yaml');
  writeFileSync(policyFile, POLICY);
  const parsed = parsePolicy(POLICY, policyFile);
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', inject('firestoreHost'));
  vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', inject('authHost'));
  environment = await openEnvironment({ policy: parsed.policy, policyFile });
});
afterEach(() => {
  environment.google.propagation = undefined;
  expect(environment.google.unexpected).toEqual([]);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await environment?.close();
  rmSync(folder, { recursive: true, force: true });
});

const gate = (name = 'canary-live-pool') => ['--target', `${name}=${environment.google.url}/gate`];
const rulesTarget = () => [
  '--target',
  `canary-live=http://${environment.firestoreHost}/v1/projects/${PROJECT}/databases/(default)/documents/canary/a`,
];

/** Runs the command in a step of a new job. Its standard output goes to a file. */
function startLive(args: readonly string[], { url = environment.token.url } = {}) {
  const job = environment.buildkite.startJob();
  const file = join(folder, `${job.id}.out`);
  const quoted = ['--url', url, '--audience', environment.policy.audience, ...args].map((one) => `'${one}'`).join(' ');
  const step = startStep({
    step: {
      command: `exec '${process.execPath}' '${KEYDESK}' doctor --live ${quoted} >'${file}'`,
      plugins: [],
      env: {},
    },
    job,
    buildkite: environment.buildkite,
    plugins: {},
    checkout: folder,
  });
  const finished = step.finished.then((ran) => {
    const out = readFileSync(file, 'utf8');
    expect(ran.raw + out).not.toMatch(SECRET);
    return { ...ran, out, file, job };
  });
  return { ...step, job, finished };
}

async function live(args: readonly string[]) {
  const ran = await startLive([...args, '--json']).finished;
  return { ...ran, document: documentSchema.parse(JSON.parse(ran.out)) };
}

/** The events of a job's grants. */
function eventsOf({ id }: Job): string[] {
  const lines = environment.log.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
  return lines.map(({ event }) => event).filter((event) => event.startsWith('grant.'));
}
const RELEASED = ['grant.issued', 'grant.released', 'grant.revoked'];

describe('keydesk doctor --live', () => {
  it('measures rules on the emulator, and a pooled account at two APIs, and leaves no grant', async () => {
    const storage = `canary-live-pool=${environment.google.url}/storage/v1/b/${BUCKET}/o?maxResults=1`;
    const credentials = ['--credential', 'canary-live', '--credential', 'canary-live-pool'];
    const { exitCode, document, output, out, job } = await live([
      ...[...credentials, ...rulesTarget(), ...gate(), '--target', storage],
      ...['--rejections', '5', '--place', 'europe-west1'],
    ]);
    expect([exitCode, output]).toEqual([0, expect.any(String)]);
    expect(document).toMatchObject({
      method: { requests_per_second: 5, rejections_in_a_row: 5, bound_s: 300, ended_by: 'release' },
      runs: [{ place: 'europe-west1' }],
      results: [
        { credential: 'credential-1', api: 'firestore', revocation: 'immediate', ended: 1, flips: 0 },
        { credential: 'credential-2', api: 'other', revocation: 'propagating', ended: 1, flips: 0 },
        { credential: 'credential-2', api: 'storage', revocation: 'propagating', ended: 1, flips: 0 },
      ],
      problems: [],
    });
    expect(out).not.toMatch(/canary|live-data|monitoring|http/);
    expect(eventsOf(job)).toEqual([...RELEASED, ...RELEASED]);
  });

  it('finds a disabling that is delayed by 7 s, and one flip', async () => {
    environment.google.propagation = { delayMs: 7_000, acceptNthRejection: 3 };
    const { exitCode, document, job } = await live(['--credential', 'canary-live-pool', ...gate()]);
    const [result] = document.results;
    expect(result).toMatchObject({ trials: 1, ended: 1, flips: 1 });
    expect(result?.rejected).toBeGreaterThanOrEqual(22);
    // The accepted request after the delay was received when 7 s had passed, and two others had been rejected.
    expect(result?.from_sending_s?.min).toBeGreaterThan(6.5);
    expect(result?.observed_revocation_latency_s?.min).toBeGreaterThan(5);
    expect(exitCode).toBe(0);
    expect(eventsOf(job)).toEqual(RELEASED);
  });

  it('says plainly that a token is still accepted at the bound, exits with 1, and leaves no grant', async () => {
    environment.google.propagation = { delayMs: Number.POSITIVE_INFINITY };
    const args = ['--credential', 'canary-live-pool', ...gate(), '--bound', '6', '--rejections', '5'];
    const { exitCode, document, job, file } = await live(args);
    expect(exitCode).toBe(1);
    expect(document).toMatchObject({
      trials: [{ released: true, targets: [{ outcome: 'still_accepted', rejected: 0 }] }],
      results: [{ ended: 0, still_accepted: 1, observed_revocation_latency_s: null }],
      problems: [{ code: 'still_accepted', what: expect.stringContaining('still accepted the token') }],
    });
    expect(eventsOf(job)).toEqual(RELEASED);
    const joined = await runCli('doctor --live', ['--join', file, '--trials', '1']);
    expect(joined).toMatchObject({
      code: 1,
      out: expect.stringContaining('problem: credential-1: other still accepted'),
    });
    const logged = await runCli('doctor --live', ['--join', file, '--trials', '1', '--log']);
    expect(JSON.parse(logged.out)).toMatchObject({ event: 'observed_revocation_latency', outcome: 'still_accepted' });
  });

  it('does not measure what ends by expiry, and says why', async () => {
    const { exitCode, document, job } = await live(['--credential', 'canary-shared', ...gate('canary-shared')]);
    expect([exitCode, document.problems]).toMatchObject([1, [{ what: expect.stringContaining('end by expiry') }]]);
    expect(document.trials).toMatchObject([{ not_measured: 'ends_by_expiry', released: true, targets: [] }]);
    expect(eventsOf(job).slice(0, 2)).toEqual(['grant.issued', 'grant.released']);
  });

  it('does not measure at a URL that needs no token', async () => {
    const open = await jsonServer('open', () => ({ status: 200, json: {} }));
    const { exitCode, document, job } = await live([
      '--credential',
      'canary-live-pool',
      '--target',
      `canary-live-pool=${open.url}/`,
    ]);
    await open.close();
    expect([exitCode, document.trials[0]?.not_measured]).toEqual([1, 'open_without_token']);
    expect(eventsOf(job)).toEqual(RELEASED);
  });

  it('releases its grant when its job is cancelled', async () => {
    environment.google.propagation = { delayMs: Number.POSITIVE_INFINITY };
    const step = startLive(['--credential', 'canary-live-pool', ...gate()]);
    await step.saw('canary-live-pool is issued');
    step.cancel();
    const { exitCode, out, output } = await step.finished;
    expect({ exitCode, out }).toEqual({ exitCode: 143, out: '' });
    expect(output).toContain('No canary grant is left.');
    expect(eventsOf(step.job)).toEqual(RELEASED);
  });

  it('requests nothing that was not named, and sends no token to other hosts', async () => {
    for (const args of [
      [],
      ['--credential', 'canary-live-pool', ...gate('canary-live')],
      ['--credential', 'canary-live-pool', '--target', 'canary-live-pool=https://example.com/'],
      ['--credential', 'canary-live-pool'],
      ['--credential', 'canary-bucket'],
      ['--credential', 'not-in-the-policy'],
    ]) {
      const { exitCode, out, job } = await startLive(args).finished;
      expect([args, exitCode, out, eventsOf(job)]).toEqual([args, 2, '', []]);
    }
  });

  it('takes a job token from standard input, and says what to do without an agent', async () => {
    const args = ['--url', environment.token.url, '--credential', 'canary-live', ...rulesTarget(), '--rejections', '2'];
    const input = await environment.buildkite.jobToken(environment.buildkite.startJob());
    const given = await runCli('doctor --live', [...args, '--token', '-'], { input });
    expect([given.code, given.err]).toEqual([0, expect.stringContaining('is issued')]);
    expect(given.out).toContain('1 of 1');
    const without = await runCli('doctor --live', args, { env: { PATH: '/nonexistent' } });
    expect(without).toMatchObject({ code: 1, out: '', err: expect.stringContaining('--token -') });
  });
});

describe('the pipeline on the page', () => {
  const [trial, report] = parsePipeline(readFileSync(join(ROOT, 'examples/pipeline.live.yml'), 'utf8'));
  const inFolder = (command = '', names: Readonly<Record<string, string>> = {}) => {
    const bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'keydesk'), `#!/bin/sh\nexec '${process.execPath}' '${KEYDESK}' "$@"\n`);
    // Artifacts are in the folder already.
    const agent = `#!/bin/sh\n[ "$1" = artifact ] && exit 0\nPATH="\${PATH#*:}" exec buildkite-agent "$@"\n`;
    writeFileSync(join(bin, 'buildkite-agent'), agent);
    for (const name of ['keydesk', 'buildkite-agent']) chmodSync(join(bin, name), 0o755);
    const job = environment.buildkite.startJob({ step_key: trial?.key });
    return runStep({
      step: { command, plugins: [], env: names },
      job,
      buildkite: environment.buildkite,
      plugins: {},
      path: [bin],
      checkout: folder,
    });
  };

  it('makes a trial, and sums up ten', async () => {
    const command = trial?.command
      .replace('--url https://keydesk.acme.example', `--url ${environment.token.url} --audience ${AUDIENCE}`)
      .replace(
        /https:\/\/storage\.googleapis\.com\/storage\/v1\/b\/acme-canary(?=\/)/,
        `${environment.google.url}/storage/v1/b/${BUCKET}`,
      )
      .replace(
        '--json',
        `${rulesTarget()
          .map((one) => `'${one}'`)
          .join(' ')} --rejections 3 --json`,
      );
    const measured = await inFolder(command, { BUILDKITE_PARALLEL_JOB: '0' });
    expect([measured.exitCode, measured.exitCode === 0 ? '' : measured.output]).toEqual([0, '']);
    const first = join(folder, 'trial-0.json');
    // Each of ten jobs has a run of its own, and one run does not count twice.
    const whole = readFileSync(first, 'utf8');
    const { started_at } = (JSON.parse(whole) as { runs: [{ started_at: string }] }).runs[0];
    for (let nth = 1; nth < 10; nth += 1) {
      const later = new Date(Date.parse(started_at) + nth * 1000).toISOString();
      writeFileSync(join(folder, `trial-${nth}.json`), whole.replaceAll(started_at, later));
    }
    const summed = await inFolder(report?.command);
    expect(summed.output).toMatch(/^credential-1 +firestore +immediate +10 of 10 /m);
    expect(summed.output).toMatch(/^credential-2 +storage +propagating +10 of 10 /m);
    expect(summed.exitCode).toBe(0);
    rmSync(join(folder, 'trial-9.json'));
    expect((await inFolder(report?.command)).exitCode).toBe(1);
    const { problems } = documentSchema.parse(JSON.parse(readFileSync(join(folder, 'live.json'), 'utf8')));
    expect(problems.map(({ code }) => code)).toEqual(['too_few_trials', 'too_few_trials']);
  });

  it('has lines for a policy, in which policy check finds nothing, and whose tokens live long enough', () => {
    const page = readFileSync(join(ROOT, 'docs/OPERATIONS.md'), 'utf8');
    const part = parse(page.split('<!-- policy -->\n```yaml\n')[1]?.split('```')[0] ?? '');
    const example = parse(readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8'));
    const merged = ['environments', 'pipelines', 'credentials'].map((key) => [key, { ...example[key], ...part[key] }]);
    const whole = { ...example, ...Object.fromEntries(merged), rules: [...example.rules, ...part.rules] };
    const file = join(folder, 'merged.yaml');
    writeFileSync(file, stringify(whole));
    const ran = spawnSync(process.execPath, [KEYDESK, 'policy', 'check', '--policy', file], { encoding: 'utf8' });
    expect({ status: ran.status, stderr: ran.stderr }).toEqual({ status: 0, stderr: '' });
    expect(part.rules).toMatchObject([{ match: { step_key: trial?.key } }]);
    const named = [...(trial?.command.matchAll(/--credential (\S+)/g) ?? [])].map(([, name]) => name);
    expect(Object.keys(part.credentials)).toEqual(named);
    expect(Object.values(part.credentials)).toMatchObject(named.map(() => ({ ttl: '10m' })));
  });
});
