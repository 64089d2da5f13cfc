// node scripts/install.mjs [FOLDER ...]
//
// Installs the packages of each folder, by default the repository's own, when node_modules lacks something that the lock file
// names. A relative FOLDER is relative to the repository. The packages are installed into a folder next to node_modules, which
// replaces it when it is complete: an interrupted installation changes nothing, and two processes may install at once.
//
// Plain JavaScript without packages: it runs on the Node that the machine has. Its messages go to standard error: one when an
// installation starts, one every few seconds, and one when it is done.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Followed by the id of the process that installs. */
const STAGING = '.installing-';
/** What npm reads in the folder that it installs into. */
const NPM_FILES = ['package.json', 'package-lock.json', '.npmrc'];
/** The install script of the package `node` writes it. */
const NODE_BINARY = 'node_modules/node/bin/node';
const REPORT_EVERY_MS = 5_000;

let npm;
let stoppedBy;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    stoppedBy = signal;
    npm?.kill('SIGTERM');
  });

const named = process.argv.slice(2).map((folder) => resolve(ROOT, folder));
const folders = named.length > 0 ? named : [ROOT];
try {
  for (const [index, folder] of folders.entries())
    await installIfNeeded(folder, folders.length > 1 ? ` (${index + 1} of ${folders.length})` : '');
} catch (error) {
  say(stoppedBy ? `stopped by ${stoppedBy}; nothing was changed` : error.message);
  process.exitCode = stoppedBy ? 128 + constants.signals[stoppedBy] : 1;
}

/** @param which of how many, for the messages */
async function installIfNeeded(folder, which) {
  removeAbandoned(folder);
  if (isInstalled(folder)) return;
  const staging = join(folder, `${STAGING}${process.pid}`);
  mkdirSync(staging);
  try {
    for (const file of NPM_FILES)
      if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(staging, file));
    const paths = Object.keys(readPackages(join(staging, 'package-lock.json')));
    const target = relative(process.cwd(), join(folder, 'node_modules'));
    say(`installing packages${which}: up to ${paths.length} into ${target} with npm ci, which can take minutes`);
    const startedAt = process.uptime();
    const seconds = () => Math.round(process.uptime() - startedAt);
    // biome-ignore lint/plugin: this program has no packages and no Clock
    const report = setInterval(() => {
      const count = paths.filter((path) => existsSync(join(staging, path, 'package.json'))).length;
      say(`still installing packages${which}: ${count} of up to ${paths.length} unpacked after ${seconds()} s`);
    }, REPORT_EVERY_MS);
    await npmCi(staging, target).finally(() => clearInterval(report));
    if (!isInstalled(staging))
      throw new Error(
        `npm ci succeeded, but ${target} would lack packages that the lock file names, or what their install scripts make.\n` +
          'Look for "omit" and "ignore-scripts" in "npm config list", remove them, and run the command again.',
      );
    putInPlace(staging, folder);
    say(`installed packages${which}: ${target} is ready after ${seconds()} s`);
  } finally {
    rmSync(staging, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether node_modules has what the lock file names. npm lists there what it has installed, when it has finished. */
function isInstalled(folder) {
  const wanted = readPackages(join(folder, 'package-lock.json'));
  const installed = readPackages(join(folder, 'node_modules/.package-lock.json'), {});
  if (wanted['node_modules/node'] && !existsSync(join(folder, NODE_BINARY))) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = installed[path];
    // An optional package may be one for another platform.
    return found ? found.version === version && found.integrity === integrity : optional === true;
  });
}

/** The entries of `packages` by path, without the project's own. @param otherwise the result when the file cannot be read */
function readPackages(path, otherwise) {
  try {
    const { '': project, ...packages } = JSON.parse(readFileSync(path, 'utf8')).packages;
    return packages;
  } catch (error) {
    if (otherwise) return otherwise;
    throw new Error(`${path} cannot be read: ${error.message}`);
  }
}

function npmCi(cwd, target) {
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  return new Promise((resolve, reject) => {
    npm = spawn('npm', args, { cwd, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
    npm.once('error', ({ code }) =>
      reject(new Error(`npm cannot be started (${code}): install Node.js together with npm, and put both on the PATH`)),
    );
    npm.once('close', (status, signal) => {
      if (status === 0 && !stoppedBy) return resolve();
      reject(
        new Error(
          `npm ci failed (${signal ?? `exit code ${status}`}); its message is above. ${target} has not changed.\n` +
            'npm needs its registry or a filled cache. Check the network, the proxy and "npm config get registry", and run the command again.',
        ),
      );
    });
  });
}

function putInPlace(staging, folder) {
  const target = join(folder, 'node_modules');
  for (let attempt = 1; ; attempt += 1)
    try {
      return renameSync(join(staging, 'node_modules'), target);
    } catch (error) {
      // Another process has installed them.
      if (isInstalled(folder)) return;
      if (attempt > 5 || !moveAway(target, join(staging, `replaced-${attempt}`)))
        throw new Error(`${target} cannot be replaced (${error.code}): run "npm ci" in ${folder} yourself`);
    }
}

/** Whether nothing is at `path` any more. */
function moveAway(path, to) {
  try {
    renameSync(path, to);
    return true;
  } catch ({ code }) {
    // Another process has moved it away.
    return code === 'ENOENT';
  }
}

/** Removes the folders of installations whose process was killed. */
function removeAbandoned(folder) {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(STAGING)) continue;
    const pid = Number(name.slice(STAGING.length));
    // This process has not started yet: a folder with its ID is of an earlier process.
    if (pid === process.pid || !isAlive(pid))
      rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch ({ code }) {
    return code === 'EPERM';
  }
}

function say(message) {
  for (const line of message.split('\n')) console.error(`keydesk: ${line}`);
}
