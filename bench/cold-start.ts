// Process start to first response and to first issued token: the archive of `token` as the platform's build leaves it, with its
// packages and its compiled code. Compared with the same archive without compiled code, with an empty handler under the same
// framework, and with the same code unbundled.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { functionEnvironment, ROOT } from '../sandbox/functions.ts';
import { freePort, type Running, run } from '../sandbox/process.ts';
import { inTurn, row, type Surroundings, title } from './measure.ts';

const ROUNDS = 11;
const FRAMEWORK = 'node_modules/.bin/functions-framework';

/** @param built the folder of the archive, as the platform's build leaves it */
export async function benchColdStart({ buildkite, settings }: Surroundings, built: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-bench-'));
  try {
    const plain = variantOf(built, join(folder, 'plain'), 'dist/token.cjs');
    const empty = variantOf(built, join(folder, 'empty'), 'empty.cjs');
    writeFileSync(join(empty, 'empty.cjs'), "exports.token = (request, response) => response.send('ok');");
    const unbundled = await unbundledFunction(folder);
    const firstResponse = (source: string) => timeFirstResponse(source, settings);
    const firstIssue = (source: string) =>
      timeFirstIssue(source, settings, () => buildkite.jobToken(buildkite.startJob()));

    title('Cold start, process start to first response (median)');
    const first = await inTurn(ROUNDS, {
      empty: () => firstResponse(empty),
      built: () => firstResponse(built),
      plain: () => firstResponse(plain),
      unbundled: () => firstResponse(unbundled),
    });
    row('empty functions-framework handler', first.empty, 'ms');
    row('archive of token, as built', first.built, 'ms');
    row('archive of token, as built, to an empty handler', first.built / first.empty, '×', '', { aim: 1.3 });
    row('archive of token, without compiled code', first.plain, 'ms', `${ratio(first.plain, first.built)} × built`);
    row('the same code unbundled', first.unbundled, 'ms', `${ratio(first.unbundled, first.built)} × built`);

    title('Cold start, process start to first issued token (median)');
    const completed = await inTurn(ROUNDS, {
      built: () => firstIssue(built),
      plain: () => firstIssue(plain),
      unbundled: () => firstIssue(unbundled),
    });
    row('archive of token, as built', completed.built, 'ms');
    row('archive of token, as built, to unbundled', completed.built / completed.unbundled, '×', '', { aim: 0.5 });
    row(
      'archive of token, without compiled code',
      completed.plain,
      'ms',
      `${ratio(completed.plain, completed.built)} × built`,
    );
    row('the same code unbundled', completed.unbundled, 'ms');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const ratio = (part: number, whole: number) => (part / whole).toFixed(2);

/** The same files, with another entry. */
function variantOf(built: string, at: string, main: string): string {
  cpSync(built, at, { recursive: true, verbatimSymlinks: true });
  const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  writeFileSync(join(at, 'package.json'), JSON.stringify({ ...manifest, main }));
  return at;
}

/** Imports name the files as they are called once they are JavaScript. */
const importsOfJavaScript: Plugin = {
  name: 'imports-of-javascript',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/((?:from|import\() ?'\.[^']+)\.ts'/g, "$1.js'"),
      loader: 'ts',
    }));
  },
};

/** The same sources, file by file, with the packages where npm puts them. */
async function unbundledFunction(folder: string): Promise<string> {
  const at = join(folder, 'unbundled');
  mkdirSync(at);
  await build({
    entryPoints: [join(ROOT, 'functions/**/*.ts'), join(ROOT, 'shared/**/*.ts')],
    outbase: ROOT,
    outdir: at,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    plugins: [importsOfJavaScript],
    logLevel: 'error',
  });
  writeFileSync(join(at, 'package.json'), '{"main":"index.mjs","type":"module"}');
  writeFileSync(join(at, 'index.mjs'), "export { token } from './functions/token/index.js';");
  symlinkSync(join(ROOT, 'node_modules'), join(at, 'node_modules'));
  symlinkSync(join(ROOT, 'examples'), join(at, 'examples'));
  return at;
}

async function withStarted<T>(
  source: string,
  settings: Surroundings['settings'],
  work: (port: number, startedAt: number, running: Running) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const startedAt = performance.now();
  const running = run(FRAMEWORK, ['--target=token', `--port=${port}`], {
    cwd: source,
    env: functionEnvironment(settings),
  });
  try {
    return await work(port, startedAt, running);
  } finally {
    await running.stop();
  }
}

function timeFirstResponse(source: string, settings: Surroundings['settings']): Promise<number> {
  return withStarted(source, settings, async (port, startedAt, running) => {
    await untilResponse(port, running);
    return performance.now() - startedAt;
  });
}

function timeFirstIssue(
  source: string,
  settings: Surroundings['settings'],
  jobToken: () => Promise<string>,
): Promise<number> {
  return withStarted(source, settings, async (port, startedAt, running) => {
    const authorization = `Bearer ${await jobToken()}`;
    await untilListening(port, running);
    const response = await fetch(`http://127.0.0.1:${port}/token/staging-export`, {
      method: 'POST',
      headers: { authorization },
    });
    if (response.status !== 200)
      throw new Error(`the first token request failed: ${await response.text()}\n${running.output()}`);
    await response.text();
    return performance.now() - startedAt;
  });
}

async function untilResponse(port: number, running: Running): Promise<void> {
  for (;;) {
    if (await responds(port)) return;
    if (running.process.exitCode !== null) throw new Error(`ended before it responded:\n${running.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** As the platform does it: the port is open, then the waiting request is let in. */
async function untilListening(port: number, running: Running): Promise<void> {
  const { connect } = await import('node:net');
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    if (running.process.exitCode !== null) throw new Error(`ended before it listened:\n${running.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function responds(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
