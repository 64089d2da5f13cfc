// The real Firestore and Firebase Auth emulators. The Firestore emulator is the first of: FIRESTORE_EMULATOR_HOST, an
// installed gcloud with its Firestore emulator, firebase-tools. The Auth emulator is FIREBASE_AUTH_EMULATOR_HOST or comes from
// firebase-tools.
// firebase-tools is installed into tools/emulators when it is first needed, and downloads its own Firestore emulator.
// Sources: cloud.google.com/sdk/gcloud (emulators), firebase.google.com/docs/emulator-suite.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DependencyError } from '../shared/runtime/errors.ts';
import { startAuthFront } from './auth-front.ts';
import { freePort, type Running, respondsOverHttp, run, untilReady } from './process.ts';

const INSTALL = fileURLToPath(new URL('../scripts/install.mjs', import.meta.url));
const TOOLS = fileURLToPath(new URL('../tools/emulators', import.meta.url));
const FIREBASE = join(TOOLS, 'node_modules/.bin/firebase');
const MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore';
/** For a short life and little memory: without them Java spends more time on compiling the emulator than on running it. */
const JAVA_OPTIONS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** The Java that each way of starting the Firestore emulator needs: firebase-tools refuses less than 21. */
const FIREBASE_JAVA = 21;
const GCLOUD_JAVA = 11;

export interface Emulator {
  /** host:port */
  readonly host: string;
  readonly startedBy: string;
  stop(): Promise<void>;
}

/** What the machine lacks, in a sentence for the user. */
export class CannotStart extends Error {}

export async function startFirestore(): Promise<Emulator> {
  return (await chooseFirestore())();
}

/** Finds the emulator and checks what it needs. Throws CannotStart before anything is started. */
export async function chooseFirestore(): Promise<() => Promise<Emulator>> {
  const configured = await configuredEmulator('FIRESTORE_EMULATOR_HOST');
  if (configured) return async () => configured;
  const jar = jarOfGcloud();
  const least = jar ? GCLOUD_JAVA : FIREBASE_JAVA;
  const found = await javaVersion();
  if (found === undefined || found < least)
    throw new CannotStart(
      `The Firestore emulator needs Java ${least} or newer, and "java -version" ${found === undefined ? 'finds none' : `says ${found}`}: install one, or set FIRESTORE_EMULATOR_HOST to an emulator that runs.`,
    );
  return jar ? () => onFreePorts(() => startJar(jar)) : () => startFirebase('firestore');
}

/** The emulator that runs where the variable says; undefined when it says nothing. Throws CannotStart when nothing responds there. */
async function configuredEmulator(
  variable: 'FIRESTORE_EMULATOR_HOST' | 'FIREBASE_AUTH_EMULATOR_HOST',
): Promise<Emulator | undefined> {
  const host = process.env[variable];
  if (!host) return undefined;
  if (!(await respondsInTime(host)))
    throw new CannotStart(`${variable} is ${host}, but nothing responds there. Start it, or unset the variable.`);
  return { host, startedBy: variable, stop: async () => {} };
}

/** Says at once that a connection is refused. A busy machine gets more time than one request has. */
async function respondsInTime(host: string): Promise<boolean> {
  for (let triesLeft = 30; triesLeft > 0; triesLeft -= 1)
    try {
      return await respondsOverHttp(`http://${host}/`);
    } catch (error) {
      if (!(DependencyError.is(error) && error.code === 'timed_out')) return false;
    }
  return false;
}

async function startJar(jar: string): Promise<Emulator> {
  const port = await freePort();
  const running = run('java', [...JAVA_OPTIONS, '-cp', jar, MAIN_CLASS, 'start', '--host=127.0.0.1', `--port=${port}`]);
  await untilReady('the Firestore emulator', running, () => respondsOverHttp(`http://127.0.0.1:${port}/`));
  return { host: `127.0.0.1:${port}`, startedBy: 'gcloud', stop: async () => void (await running.stop()) };
}

/** The major version; undefined when there is none that runs. */
function javaVersion(): Promise<number | undefined> {
  return new Promise((resolve) => {
    execFile('java', ['-version'], { timeout: 20_000 }, (error, out, err) => {
      // Java 8 and earlier print 1.8.
      const version = /version "(?:1\.)?(\d+)/.exec(out + err)?.[1];
      resolve(error ? undefined : Number(version ?? Number.POSITIVE_INFINITY));
    });
  });
}

/** The emulator behind a proxy: see auth-front.ts. Throws CannotStart. */
export async function startAuth(): Promise<Emulator> {
  const emulator = (await configuredEmulator('FIREBASE_AUTH_EMULATOR_HOST')) ?? (await startFirebase('auth'));
  const front = await startAuthFront(emulator.host);
  const stop = async () => {
    await Promise.all([front.close(), emulator.stop()]);
  };
  return { ...emulator, host: front.url.replace('http://', ''), stop };
}

/** The emulator does not compile the rules. */
export class RulesRefused extends Error {}

/** Loads the security rules of one database into the Firestore emulator. Throws RulesRefused. */
export async function putRules(host: string, project: string, database: string, rules: string): Promise<void> {
  const at = database === '(default)' ? '' : `/databases/${database}`;
  const response = await fetch(`http://${host}/emulator/v1/projects/${project}${at}:securityRules`, {
    method: 'PUT',
    headers: { authorization: 'Bearer owner', 'content-type': 'application/json' },
    body: JSON.stringify({ rules: { files: [{ name: 'firestore.rules', content: rules }] } }),
  });
  if (!response.ok) throw new RulesRefused(`the Firestore emulator refused the rules: ${await response.text()}`);
  await response.body?.cancel();
}

function onPath(command: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, command)).find((path) => existsSync(path));
}

function jarOfGcloud(): string | undefined {
  const gcloud = onPath('gcloud');
  const roots = [process.env.CLOUDSDK_ROOT_DIR, gcloud && dirname(dirname(realpathSync(gcloud)))];
  return roots
    .map((root) => root && join(root, 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar'))
    .find((path): path is string => Boolean(path) && existsSync(path as string));
}

let installing: Promise<void> | undefined;

/** Installs firebase-tools unless it is there. Its progress goes to standard error. Throws CannotStart when npm fails. */
function installFirebase(): Promise<void> {
  installing ??= runInstall().catch((error: unknown) => {
    installing = undefined;
    throw error;
  });
  return installing;
}

async function runInstall(): Promise<void> {
  const { process: child } = run(process.execPath, [INSTALL, TOOLS], {
    onLine: (line) => process.stderr.write(`${line}\n`),
  });
  const [code] = await once(child, 'close');
  if (code !== 0)
    throw new CannotStart(
      'The Auth emulator needs firebase-tools, and its installation failed. The reason is in the lines above.',
    );
}

/** Another process may take a port between its choice and its use; then others are tried. */
async function onFreePorts(start: () => Promise<Emulator>): Promise<Emulator> {
  for (let triesLeft = 4; ; triesLeft -= 1)
    try {
      return await start();
    } catch (error) {
      if (triesLeft === 0 || !/port taken|is not open on|address already in use/i.test(String(error))) throw error;
    }
}

async function startFirebase(only: 'auth' | 'firestore'): Promise<Emulator> {
  await installFirebase();
  return onFreePorts(() => startFirebaseOnce(only));
}

async function startFirebaseOnce(only: 'auth' | 'firestore'): Promise<Emulator> {
  const [port, hub, logging, websocket] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-emulator-'));
  const config = {
    emulators: {
      [only]: { host: '127.0.0.1', port, ...(only === 'firestore' ? { websocketPort: websocket } : {}) },
      hub: { host: '127.0.0.1', port: hub },
      logging: { host: '127.0.0.1', port: logging },
      ui: { enabled: false },
      singleProjectMode: false,
    },
  };
  writeFileSync(join(folder, 'firebase.json'), JSON.stringify(config));
  let running: Running | undefined;
  const stop = async () => {
    await running?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    running = run(FIREBASE, ['emulators:start', '--only', only, '--project', 'demo-keydesk'], { cwd: folder });
    await untilReady(`the Firebase ${only} emulator`, running, () => respondsOverHttp(`http://127.0.0.1:${port}/`));
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: `127.0.0.1:${port}`, startedBy: 'firebase-tools', stop };
}
