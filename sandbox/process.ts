// Starts and ends child processes. Each is ended by its own process ID, and waited for. None outlives this process, unless this
// process is killed with SIGKILL.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemClock } from '../shared/runtime/clock.ts';
import { withAbortableTimeout } from '../shared/runtime/errors.ts';

export interface Running {
  readonly process: ChildProcess;
  /** Everything that it has written. */
  readonly output: () => string;
  /** SIGTERM, then SIGKILL after `graceMs`, by default five seconds; resolves with the exit code. */
  stop(graceMs?: number): Promise<number | null>;
}

const alive = new Set<Running>();
let stopping = false;
process.once('exit', () => {
  for (const running of alive) running.process.kill('SIGTERM');
});

/** Ends every child. After that none can start. */
export async function stopAll(): Promise<void> {
  stopping = true;
  await Promise.all([...alive].map((running) => running.stop()));
}

export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly onLine?: (line: string) => void } = {},
): Running {
  const { cwd, env = process.env, onLine } = options;
  if (stopping) throw new Error(`${command} is not started, because everything is being stopped`);
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let rest = '';
  const take = (chunk: Buffer) => {
    output += chunk;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine?.(line);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  const running: Running = {
    process: child,
    output: () => output,
    stop: async (graceMs = 5_000) => {
      if (hasEnded(child)) return child.exitCode;
      child.kill('SIGTERM');
      const ended = new AbortController();
      systemClock.sleep(graceMs, ended.signal).then(
        () => child.kill('SIGKILL'),
        () => {},
      );
      const code = await exited;
      ended.abort();
      return code;
    },
  };
  alive.add(running);
  void exited.then(() => alive.delete(running));
  return running;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Waits until `ready`. Throws when the process ends before, or after `milliseconds`. */
export async function untilReady(
  name: string,
  running: Running,
  ready: () => Promise<boolean>,
  milliseconds = 600_000,
): Promise<void> {
  const until = systemClock.now() + milliseconds;
  while (systemClock.now() < until) {
    if (hasEnded(running.process) || running.process.pid === undefined)
      throw new Error(`${name} ended before it was ready:\n${running.output().slice(-2000)}`);
    if (await ready().catch(() => false)) return;
    await systemClock.sleep(50);
  }
  await running.stop();
  throw new Error(`${name} was not ready within ${milliseconds} ms:\n${running.output().slice(-2000)}`);
}

/** Whether something responds at `url`, with any status. */
export async function respondsOverHttp(url: string): Promise<boolean> {
  await headersOf(new Request(url));
  return true;
}

/** The headers of a response that arrives within two seconds. */
export async function headersOf(request: Request): Promise<Headers> {
  const limit = { clock: systemClock, milliseconds: 2_000, dependency: request.url };
  const { headers } = await withAbortableTimeout(limit, (signal) => fetch(request, { signal }));
  return headers;
}

/** Below the ports that systems choose themselves: 32768 and up on Linux, 49152 and up on macOS. */
const PORTS = { from: 20_000, count: 12_000 };

/** A port of loopback on which nothing listens. The system never chooses it itself, so no other server gets it by chance. */
export async function freePort(): Promise<number> {
  for (let triesLeft = 100; triesLeft > 0; triesLeft -= 1) {
    const port = PORTS.from + Math.floor(systemClock.random() * PORTS.count);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no port from ${PORTS.from} to ${PORTS.from + PORTS.count - 1} is free`);
}
