// Runs a client as a job would: a process of its own with nothing but the environment it is given. Each is bounded in time
// and ended by its own id, together with what it started.

import { type ChildProcess, spawn } from 'node:child_process';

/** Nothing is decided by it: a program that hangs ends here. */
export const LIMIT_MS = 240_000;

export interface Ran {
  /** As a shell has it; undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder it runs in; the tests' own by default. */
  readonly cwd?: string;
}

/** Runs a command to its end. Throws when it takes longer than `limitMs`. */
export function runChild(command: Command, limitMs = LIMIT_MS): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = start(command, 'ignore');
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const limit = setTimeout(() => {
      endGroup(child);
      reject(new Error(`${command.args.join(' ')} took longer than ${limitMs} ms:\n${stdout}\n${stderr}`));
    }, limitMs);
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ exitCode: code ?? undefined, stdout, stderr });
    });
  });
}

/** A process group of its own, because what a shell started would outlive the shell. */
export function start({ file, args, env, cwd }: Command, stdin: 'ignore' | 'pipe'): ChildProcess {
  return spawn(file, args, { env, cwd, detached: true, stdio: [stdin, 'pipe', 'pipe'] });
}

export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself a moment ago.
  }
}
