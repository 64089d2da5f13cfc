// Watching processes from outside: starting a piece of the sandbox in a process of its own, and seeing what is left of it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { ROOT } from '../../../sandbox/functions.ts';

/** Node's arguments that run `code`, with `sandbox` as the folder's URL. */
export function script(code: string): string[] {
  return ['--input-type=module', '--eval', `const sandbox = ${JSON.stringify(`file://${ROOT}sandbox/`)};\n${code}`];
}

export interface Watched {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** The exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

export function watch(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Watched {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return { child, out: () => out, err: () => err, ended };
}

/** The processes whose parent, or parent's parent, or theirs, is `pid`. */
export function descendantsOf(pid: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=', '-o', 'ppid='], { encoding: 'utf8' });
  const pairs = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    pairs.flatMap(([child = 0, of]) => (of === parent ? [child, ...below(child)] : []));
  return below(pid);
}

export function lives(pid: number): boolean {
  try {
    // A process that has ended and was not waited for still has its number.
    return !/^[Z]/.test(execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  } catch {
    return false;
  }
}
