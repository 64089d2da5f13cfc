// The processes of one job: a phase at a time, each in a process group of its own, so that a cancel reaches all that it
// started. Whatever happens, nothing runs longer than it may.

import { spawn } from 'node:child_process';
import { systemClock } from '../../../shared/runtime/clock.ts';

export interface Phase {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
/** As a shell has it: 128 and the signal. */
const TERMINATED = 143;

export class ProcessGroup {
  readonly #options: {
    readonly graceMs: number;
    readonly limitMs: number;
    readonly onOutput: (chunk: string) => void;
  };
  #pid: number | undefined;
  #cancelled = false;
  #over = false;

  /** Times are in milliseconds: what runs has `graceMs` in all after a cancel, and `limitMs` for one phase. */
  constructor(options: { graceMs: number; limitMs: number; onOutput: (chunk: string) => void }) {
    this.#options = options;
  }

  /** 0 while nobody has cancelled. */
  get cancelledWith(): number {
    return this.#cancelled ? TERMINATED : 0;
  }

  /** Whether the grace is over, after which nothing may start. */
  get over(): boolean {
    return this.#over;
  }

  /** SIGTERM to what runs, and SIGKILL to whatever runs when the grace is over. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#signal('SIGTERM');
    void systemClock.sleep(this.#options.graceMs).then(() => {
      this.#over = true;
      this.#signal('SIGKILL');
    });
  }

  /** The exit code. Throws when it had to be ended by its limit. */
  run({ name, file, args, env, cwd }: Phase): Promise<number> {
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
      this.#pid = child.pid;
      let overdue = false;
      const ended = new AbortController();
      systemClock.sleep(this.#options.limitMs, ended.signal).then(
        () => {
          overdue = true;
          this.#signal('SIGKILL');
        },
        () => {},
      );
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', this.#options.onOutput);
      child.once('error', (error) => {
        ended.abort();
        reject(error);
      });
      child.once('close', (code, signal) => {
        ended.abort();
        // What it left running behind its back ends with it.
        this.#signal('SIGKILL');
        this.#pid = undefined;
        if (overdue) reject(new Error(`${name} took longer than ${this.#options.limitMs} ms`));
        else resolve(code ?? 128 + (SIGNALS[signal ?? ''] ?? 0));
      });
    });
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(-this.#pid, signal);
    } catch {
      // It ended by itself a moment ago.
    }
  }
}
