// Tells when the sandbox must end: on a signal, when nobody reads its output any more, or when its parent process has ended.
// Ends nothing itself.

import { execFileSync } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const POLL_EVERY_MS = 500;

/** Resolves when the sandbox must end. From the call on, a signal or a closed standard output does not end the process. */
export function waitForShutdown(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve());
    process.stdout.on('error', () => resolve());
    process.stderr.on('error', () => {});
    const parent = process.ppid;
    const grandparent = npmBehindShell(parent);
    // biome-ignore lint/plugin: it must not keep the process alive, and a sleep of the clock does
    const poll = setInterval(() => {
      if (process.ppid === parent && (grandparent === undefined || isAlive(grandparent))) return;
      clearInterval(poll);
      resolve();
    }, POLL_EVERY_MS);
    poll.unref();
  });
}

/** npm runs a script in a shell, which continues when npm is killed with SIGKILL. */
function npmBehindShell(parent: number): number | undefined {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  try {
    const output = execFileSync('ps', ['-o', 'ppid=', '-o', 'comm=', '-p', String(parent)], { encoding: 'utf8' });
    const [, pid] = /^\s*(\d+)\s+\S*sh\s*$/.exec(output) ?? [];
    return pid === undefined || Number(pid) <= 1 ? undefined : Number(pid);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
