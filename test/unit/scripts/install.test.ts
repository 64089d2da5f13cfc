// scripts/install.mjs in real folders, with a program called npm that does what the test says.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const INSTALL = fileURLToPath(new URL('../../../scripts/install.mjs', import.meta.url));
/** Installs what the lock file of its folder names: marks what it made with its process id, and lists it last. */
const INSTALLS = `
mkdir -p node_modules/a
echo $$ > node_modules/a/made-by
cp package-lock.json node_modules/.package-lock.json`;
/** Says that it has begun, and goes on when the file `go` is there. */
const WAITS = `
echo begun >&2
while [ ! -e "$BIN/go" ]; do sleep 0.02; done`;

const A = { version: '1.0.0', integrity: 'sha512-a' };
const B = { version: '2.0.0', integrity: 'sha512-b' };

let folder: string;
let bin: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'keydesk-install-')));
  bin = realpathSync(mkdtempSync(join(tmpdir(), 'keydesk-npm-')));
  writeFileSync(join(folder, 'package.json'), '{}');
  lock({ 'node_modules/a': A });
});
afterEach(() => {
  for (const path of [folder, bin]) rmSync(path, { recursive: true, force: true });
});

function lock(packages: object): void {
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...packages } }));
}

/** What npm says it has installed; `old` is a file of it. */
function installed(packages: object): void {
  mkdirSync(join(folder, 'node_modules/a'), { recursive: true });
  writeFileSync(join(folder, 'node_modules/a/old'), '');
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), JSON.stringify({ packages }));
}

/** Puts a program called npm on the PATH. It notes each call and its folder in `calls`. */
function npm(commands: string): void {
  // Not into the file that a shell may be reading.
  rmSync(join(bin, 'npm'), { force: true });
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho "$PWD $*" >> "$BIN/calls"\n${commands}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
}

const environment = () => ({ PATH: `${bin}:${process.env.PATH}`, BIN: bin });
const calls = () =>
  existsSync(join(bin, 'calls')) ? readFileSync(join(bin, 'calls'), 'utf8').trimEnd().split('\n') : [];
const content = () => readdirSync(folder).sort();
const COMPLETE = ['node_modules', 'package-lock.json', 'package.json'];

function install(env: NodeJS.ProcessEnv = environment()) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [INSTALL, folder], { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Starts an installation whose npm WAITS; resolves when that has begun. */
async function begin() {
  const child = spawn(process.execPath, [INSTALL, folder], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  let stderr = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (stderr.includes('begun\n')) resolve();
    });
    child.once('close', () => reject(new Error(stderr)));
  });
  return { child, ended, stderr: () => stderr };
}

describe('the choice whether to install', () => {
  it('installs when node_modules is missing, and says so on standard error only', () => {
    npm(INSTALLS);
    const { status, stdout, stderr } = install();
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('installing packages: up to 1 into');
    expect(existsSync(join(folder, 'node_modules/a/made-by'))).toBe(true);
    expect(content()).toEqual(COMPLETE);
  });

  it('runs npm ci with development packages, in a folder next to node_modules', () => {
    npm(INSTALLS);
    install();
    expect(calls()).toEqual([
      expect.stringMatching(/\/\.installing-\d+ ci --include=dev --no-audit --no-fund --loglevel=error$/),
    ]);
    expect(dirname(calls()[0]?.split(' ')[0] ?? '')).toBe(folder);
  });

  it('starts no npm and says nothing when node_modules holds what the lock file names', () => {
    npm(INSTALLS);
    install();
    expect(install()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(calls()).toHaveLength(1);
  });

  it('accepts that an optional package for another platform is absent', () => {
    npm(INSTALLS);
    lock({ 'node_modules/a': A, 'node_modules/b': { ...B, optional: true } });
    installed({ 'node_modules/a': A });
    expect(install().status).toBe(0);
    expect(calls()).toEqual([]);
  });

  it.each([
    ['another version', { 'node_modules/a': { ...A, version: '1.0.1' } }],
    ['another integrity', { 'node_modules/a': { ...A, integrity: 'sha512-other' } }],
    ['one package more', { 'node_modules/a': A, 'node_modules/b': B }],
    ['another version of an optional package', { 'node_modules/a': { ...A, version: '1.0.1', optional: true } }],
  ])('replaces all of node_modules when the lock file names %s', (_, packages) => {
    npm(INSTALLS);
    installed({ 'node_modules/a': A });
    lock(packages);
    expect(install().status).toBe(0);
    expect(readdirSync(join(folder, 'node_modules/a'))).toEqual(['made-by']);
    expect(content()).toEqual(COMPLETE);
  });

  it.each(['', '{"packages":'])('installs when the list of what is installed is %j', (list) => {
    npm(INSTALLS);
    installed({});
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), list);
    expect(install().status).toBe(0);
    expect(readdirSync(join(folder, 'node_modules/a'))).toEqual(['made-by']);
  });

  it('installs when the package node is there without the program that its install script makes', () => {
    npm(`${INSTALLS}\nmkdir -p node_modules/node/bin && touch node_modules/node/bin/node`);
    lock({ 'node_modules/node': A });
    installed({ 'node_modules/node': A });
    expect(install().status).toBe(0);
    expect(install().stderr).toBe('');
    expect(calls()).toHaveLength(1);
  });

  it("gives npm the folder's .npmrc", () => {
    npm(`${INSTALLS}\ncp .npmrc node_modules/seen`);
    writeFileSync(join(folder, '.npmrc'), 'ignore-scripts=true\n');
    expect(install().status).toBe(0);
    expect(readFileSync(join(folder, 'node_modules/seen'), 'utf8')).toBe('ignore-scripts=true\n');
  });
});

describe('an installation that fails', () => {
  /** node_modules as it was, and nothing next to it. */
  const unchanged = () => {
    expect(readdirSync(join(folder, 'node_modules/a'))).toEqual(['old']);
    expect(content()).toEqual(COMPLETE);
  };
  beforeEach(() => installed({ 'node_modules/a': B }));

  it("exits with 1, shows npm's message, and leaves node_modules as it was", () => {
    npm(`${INSTALLS}\necho "npm error code ENOTFOUND" >&2\nexit 7`);
    const { status, stderr } = install();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^npm error code ENOTFOUND$/m);
    expect(stderr).toContain('exit code 7');
    unchanged();
  });

  it('exits with 1 and names npm when there is none', () => {
    const { status, stderr } = install({ PATH: bin });
    expect(status).toBe(1);
    expect(stderr).toContain('npm cannot be started (ENOENT)');
    unchanged();
  });

  it('takes nothing from an npm that succeeds without having installed all', () => {
    npm('mkdir -p node_modules/a');
    expect(install().status).toBe(1);
    unchanged();
  });

  it('starts no npm for a lock file that cannot be read', () => {
    npm(INSTALLS);
    writeFileSync(join(folder, 'package-lock.json'), '{');
    const { status, stderr } = install();
    expect(status).toBe(1);
    expect(stderr).toContain(join(folder, 'package-lock.json'));
    expect(calls()).toEqual([]);
    unchanged();
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('on %s ends npm, removes what it made, and exits with %i', async (signal, code) => {
    npm(`echo $$ > "$BIN/pid"${WAITS}${INSTALLS}`);
    const { child, ended } = await begin();
    child.kill(signal);
    expect((await ended)[0]).toBe(code);
    const pid = Number(readFileSync(join(bin, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    unchanged();
  });
});

describe('two installations at once', () => {
  it.each([
    ['nothing', () => {}],
    ['another version', () => installed({ 'node_modules/a': B })],
  ])('both succeed where there was %s, and leave one complete node_modules', async (_, before) => {
    before();
    npm(`${WAITS}${INSTALLS}`);
    const both = [await begin(), await begin()];
    writeFileSync(join(bin, 'go'), '');
    for (const { ended, stderr } of both) expect((await ended)[0], stderr()).toBe(0);
    expect(calls()).toHaveLength(2);
    expect(readdirSync(join(folder, 'node_modules/a'))).toEqual(['made-by']);
    expect(content()).toEqual(COMPLETE);
    expect(install()).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('lets the later one keep what the earlier one has put in place', async () => {
    npm(`${WAITS}${INSTALLS}`);
    const late = await begin();
    npm(INSTALLS);
    expect(install().status).toBe(0);
    const madeBy = readFileSync(join(folder, 'node_modules/a/made-by'), 'utf8');
    writeFileSync(join(bin, 'go'), '');
    expect((await late.ended)[0]).toBe(0);
    expect(readFileSync(join(folder, 'node_modules/a/made-by'), 'utf8')).toBe(madeBy);
    expect(content()).toEqual(COMPLETE);
  });
});

describe('what an earlier installation left', () => {
  const leave = (pid: number) => mkdirSync(join(folder, `.installing-${pid}/node_modules/a`), { recursive: true });

  it('is removed when its process is gone, though nothing has to be installed', () => {
    installed({ 'node_modules/a': A });
    leave(spawnSync('true').pid);
    expect(install()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(content()).toEqual(COMPLETE);
  });

  it('is removed when its process had the same id', () => {
    npm(INSTALLS);
    const command = 'mkdir ".installing-$$" && touch ".installing-$$/package.json" && exec "$@"';
    const args = ['-c', command, 'sh', process.execPath, INSTALL, folder];
    const { status, stderr } = spawnSync('sh', args, { cwd: folder, env: environment(), encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(content()).toEqual(COMPLETE);
  });

  it('stays when its process still runs', () => {
    installed({ 'node_modules/a': A });
    leave(process.pid);
    expect(install().status).toBe(0);
    expect(content()).toEqual([`.installing-${process.pid}`, ...COMPLETE]);
  });
});
