// The packaged archives as the platform runs them: unpacked into a clean folder, the framework installed from the lock file
// inside, everything read-only and under a user who owns none of it, started by name and port alone.

import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { policyAccounts } from '../../../sandbox/environment.ts';
import { type FakeBuildkite, startFakeBuildkite } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import { API_TOKEN } from '../../../sandbox/fakes/buildkite/rest-api.ts';
import { type FakeGoogle, startFakeGoogle } from '../../../sandbox/fakes/google/google.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { freePort, type Running, respondsOverHttp, run, untilReady } from '../../../sandbox/process.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { cleanFolder, packageInto, TARGETS, type Target, unpack } from './archives.ts';

const WEBHOOK_TOKEN = 'package-webhook-token';
const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;
const NO_NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT/;

describe('the packaged archives, started as the platform starts them', () => {
  const folder = cleanFolder();
  const node = join(folder, 'bin', 'node');
  const started: Running[] = [];
  let buildkite: FakeBuildkite;
  let google: FakeGoogle;
  /** Why nothing can be started, if so. */
  let offline: string | undefined;
  let before: Record<Target, string>;

  beforeAll(async () => {
    const policy = examplePolicy();
    [buildkite, google] = await Promise.all([
      startFakeBuildkite({ audience: policy.audience, webhookToken: WEBHOOK_TOKEN }),
      startFakeGoogle({ accounts: policyAccounts(policy) }),
      packageInto(join(folder, 'packages')),
    ]);
    mkdirSync(dirname(node));
    cpSync(process.execPath, node);
    offline = await install();
    if (offline && process.env.CI === 'true') throw new Error(offline);
    for (const target of TARGETS) chmodSync(join(folder, target), 0o755);
    if (!offline) for (const target of TARGETS) makeReadOnly(join(folder, target));
    before = fingerprints();
  }, 180_000);
  afterAll(async () => {
    await Promise.all(started.map((running) => running.stop()));
    await Promise.all([buildkite?.close(), google?.close()]);
    spawnSync('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('installs exactly what the lock file inside says, and nothing for development', ({ skip }) => {
    if (offline) skip(offline);
    for (const target of TARGETS) {
      const read = (path: string) => JSON.parse(readFileSync(join(folder, target, path), 'utf8'));
      const { '': _, ...wanted } = read('package-lock.json').packages;
      const installed = read('node_modules/.package-lock.json').packages;
      expect(Object.keys(installed).sort()).toEqual(Object.keys(wanted).sort());
      for (const [path, { version }] of Object.entries<{ version: string }>(wanted)) {
        expect([path, read(`${path}/package.json`).version]).toEqual([path, version]);
        const tested = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'));
        expect([path, tested.version]).toEqual([path, version]);
      }
    }
  });

  it('runs under a user who cannot write a byte where the code lies', ({ skip }) => {
    if (offline) skip(offline);
    for (const target of TARGETS)
      for (const path of ['new', 'dist/new', 'package.json', `dist/${target}.cjs`]) {
        const write = `try { require('node:fs').appendFileSync(${JSON.stringify(path)}, ' ') } catch ({ code }) { console.log(code) }`;
        const [command, args] = asPlatformUser([node, '--eval', write]);
        const { stdout } = spawnSync(command, args, { cwd: join(folder, target), encoding: 'utf8' });
        expect([path, stdout]).toEqual([path, 'EACCES\n']);
      }
  });

  it('issues a grant, ends it by webhook, sweeps, and leaves its folder as it was', async ({ skip }) => {
    if (offline) skip(offline);
    const [token, webhook, sweep] = await Promise.all([start('token'), start('webhook'), start('sweep')]);
    const job = buildkite.startJob();
    const jobToken = await buildkite.jobToken(job);
    const issued = await requestToken(token.url, jobToken);
    expect(await issued.json()).toMatchObject({ credential: 'staging-admin', revocation: 'propagating' });
    const { account = '' } = google.minted.at(-1) ?? {};
    expect(google.accounts.get(account)).toEqual(expect.objectContaining({ disabled: false }));
    const body = buildkite.event(job);
    const headers = { 'x-buildkite-signature': buildkite.signature(body) };
    const ended = await fetch(`${webhook.url}/`, { method: 'POST', headers, body });
    expect(await ended.json()).toMatchObject({ result: 'job_ended', revoked: 1 });
    expect(google.accounts.get(account)).toEqual(expect.objectContaining({ disabled: true }));
    const swept = await fetch(`${sweep.url}/`, { method: 'POST' });
    expect(await swept.json()).toMatchObject({ failed: 0, has_backlog: false });
    expect((await requestToken(token.url, jobToken)).status).toBe(400);
    expect(google.unexpected).toEqual([]);
    const codes = await Promise.all([token, webhook, sweep].map(({ running }) => running.stop()));
    expect(codes).toEqual([0, 0, 0]);
    expect(fingerprints()).toEqual(before);
  });

  it('finishes what is in flight at SIGTERM, and then ends with 0', async ({ skip }) => {
    if (offline) skip(offline);
    const token = await start('token');
    const jobToken = await buildkite.jobToken(buildkite.startJob());
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const arrived = new Promise<void>((resolve) => {
      google.before = async () => {
        resolve();
        await held;
        return undefined;
      };
    });
    const requested = requestToken(token.url, jobToken);
    await arrived;
    google.before = undefined;
    const stopped = token.running.stop();
    // The listener is closed when new connections are refused; only then is the work let go on.
    await expect.poll(() => refusesConnections(token.url)).toBe(true);
    release();
    expect((await requested).status).toBe(200);
    expect(await stopped).toBe(0);
  });

  it('names the lines of the sources in a stack trace when Node uses source maps', ({ skip }) => {
    if (offline) skip(offline);
    // The first thing that the bundle does with standard error fails.
    const broken = `process.stderr.write = () => { throw new Error('broken') }; require('./dist/webhook.cjs')`;
    const [command, args] = asPlatformUser([node, '--enable-source-maps', '--eval', broken]);
    const { stdout, stderr } = spawnSync(command, args, { cwd: join(folder, 'webhook'), env: {}, encoding: 'utf8' });
    expect(stdout + stderr).toContain(
      `at exitOnProblems (${join(folder, 'webhook', 'functions/runtime/bootstrap.ts')}:`,
    );
  });

  it.for(TARGETS)('uses for %s the code that the build has compiled as another user', async (target, { skip }) => {
    if (offline) skip(offline);
    const port = await freePort();
    const running = spawnFunction(target, { ...settingsOf(target), NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }, port);
    await untilReady(target, running, () => respondsOverHttp(`http://127.0.0.1:${port}/health`), 20_000);
    await running.stop();
    expect(running.output()).toMatch(new RegExp(`dist/${target}\\.cjs was accepted`));
    expect(running.output()).not.toMatch(/dist\/[a-z-]+\.cjs was rejected/);
  });

  it('is built, and starts, although its code cannot be compiled before', async ({ skip }) => {
    if (offline) skip(offline);
    const broken = join(folder, 'broken');
    cpSync(join(folder, 'token'), broken, { recursive: true, verbatimSymlinks: true });
    spawnSync('chmod', ['-R', 'u+w', broken]);
    rmSync(join(broken, 'dist/compile-cache'), { recursive: true });
    const load = `console.log(typeof require('./dist/index.cjs').token)`;
    const settings = { GOOGLE_CLOUD_PROJECT: 'package-test', PATH: process.env.PATH };
    const loaded = spawnSync(node, ['--eval', `${load}; process.exit()`], {
      cwd: broken,
      env: settings,
      encoding: 'utf8',
    });
    expect(loaded.stdout).toBe('function\n');
    rmSync(join(broken, 'policy.yaml'));
    expect(spawnSync(node, ['dist/fill-compile-cache.cjs'], { cwd: broken, env: {} }).status).toBe(0);
    rmSync(join(broken, 'dist/token.cjs'));
    expect(spawnSync(node, ['dist/fill-compile-cache.cjs'], { cwd: broken, env: {} }).status).toBe(0);
  });

  /** Runs `npm ci` and the build's script in each unpacked archive; resolves with why it could not, if the registry was out of reach. */
  async function install(): Promise<string | undefined> {
    const args = ['ci', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1'];
    const { NODE_OPTIONS: _, ...environment } = process.env;
    const env = {
      ...environment,
      PATH: [dirname(node), process.env.PATH].join(delimiter),
      npm_config_cache: process.env.npm_config_cache ?? join(folder, 'npm-cache'),
    };
    for (const target of TARGETS) {
      mkdirSync(join(folder, target));
      unpack(join(folder, 'packages', `${target}.zip`), join(folder, target));
      try {
        await promisify(execFile)('npm', args, { cwd: join(folder, target), env, timeout: 100_000 });
        await promisify(execFile)('npm', ['run', 'gcp-build'], { cwd: join(folder, target), env, timeout: 100_000 });
      } catch (error) {
        const { stderr = '', killed } = error as { stderr?: string; killed?: boolean };
        if (killed || NO_NETWORK.test(stderr)) return `npm's registry is out of reach: ${stderr.slice(0, 500)}`;
        throw error;
      }
    }
    return undefined;
  }

  function settingsOf(target: Target): Record<string, string> {
    const own: Record<Target, Record<string, string>> = {
      token: {},
      webhook: { KEYDESK_WEBHOOK_TOKENS: WEBHOOK_TOKEN },
      sweep: { KEYDESK_BUILDKITE_API_TOKEN: API_TOKEN },
      reader: { KEYDESK_OPERATOR_AUDIENCES: 'https://reader.example' },
      admin: { KEYDESK_OPERATOR_AUDIENCES: 'https://admin.example' },
    };
    return {
      GOOGLE_CLOUD_PROJECT: 'package-test',
      KEYDESK_DATABASE: 'ledger',
      KEYDESK_ISSUER: buildkite.url,
      KEYDESK_BUILDKITE_API_URL: buildkite.url,
      KEYDESK_IAMCREDENTIALS_URL: google.url,
      KEYDESK_IAM_URL: google.url,
      KEYDESK_STS_URL: google.url,
      KEYDESK_IDENTITYTOOLKIT_URL: `http://${inject('authHost')}/identitytoolkit.googleapis.com`,
      FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
      GCE_METADATA_HOST: google.metadataHosts[target],
      ...own[target],
    };
  }

  /** As the platform's own start command: the framework from the archive's packages, everything else by environment. */
  function spawnFunction(target: Target, settings: Record<string, string>, port: number): Running {
    const [command, args] = asPlatformUser(['node_modules/.bin/functions-framework']);
    const running = run(command, args, {
      cwd: join(folder, target),
      env: {
        PATH: [dirname(node), process.env.PATH].join(delimiter),
        HOME: '/nonexistent',
        NODE_ENV: 'production',
        FUNCTION_TARGET: target,
        PORT: String(port),
        ...settings,
      },
    });
    started.push(running);
    return running;
  }

  async function start(target: Target): Promise<{ url: string; running: Running }> {
    const port = await freePort();
    const running = spawnFunction(target, settingsOf(target), port);
    const url = `http://127.0.0.1:${port}`;
    await untilReady(`the packaged ${target} function`, running, () => respondsOverHttp(`${url}/health`), 20_000);
    return { url, running };
  }

  async function requestToken(url: string, jobToken: string): Promise<Response> {
    return fetch(`${url}/token/staging-admin`, { method: 'POST', headers: { authorization: `Bearer ${jobToken}` } });
  }

  function fingerprints(): Record<Target, string> {
    const of = (target: Target) => fingerprint(join(folder, target));
    return {
      token: of('token'),
      webhook: of('webhook'),
      sweep: of('sweep'),
      reader: of('reader'),
      admin: of('admin'),
    };
  }
});

/** Root may write whatever modes say: then another user runs the command. */
function asPlatformUser(command: readonly [string, ...string[]]): [string, string[]] {
  const [file, ...args] = command;
  if (!asRoot) return [file, args];
  const become = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', [...become, file, ...args]];
}

function makeReadOnly(folder: string): void {
  const { status, stderr } = spawnSync('chmod', ['-R', 'a+rX,a-w', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** A hash over the names, kinds, modes and contents of everything in a folder. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(folder, name);
    const status = lstatSync(path);
    hash.update(`${name}\0${status.mode}\0`);
    if (status.isSymbolicLink()) hash.update(readlinkSync(path));
    else if (status.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

function examplePolicy() {
  const loaded = parsePolicy(readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8'), 'examples/policy.yaml');
  if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
  return loaded.policy;
}

function refusesConnections(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(url, { agent: false }, (response) => {
      response.resume();
      resolve(false);
    });
    probe.on('error', () => resolve(true));
    probe.end();
  });
}
