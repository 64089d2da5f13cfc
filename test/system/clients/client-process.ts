// A client in a process of its own that goes on running between what a test asks of it, as a job's program does while the
// world around it changes. Asks and answers are lines of JSON.

import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Command, endGroup, LIMIT_MS, start } from './child.ts';

/** What came of an operation. */
export type Outcome =
  | { readonly value: unknown }
  | { readonly error: { readonly message: string; readonly code?: unknown; readonly causes?: readonly string[] } };

export interface ClientProcess {
  call(operation: string, ...args: readonly unknown[]): Promise<Outcome>;
  close(): Promise<void>;
}

/** @param script of a client on Node */
export function startClient(script: URL, env: Readonly<Record<string, string>>): ClientProcess {
  return startCommand({ file: process.execPath, args: [fileURLToPath(script)], env });
}

export function startCommand(command: Command): ClientProcess {
  const name = [command.file, ...command.args].join(' ');
  const child: ChildProcess = start(command, 'pipe');
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    complaints += chunk;
  });
  child.stdin?.on('error', () => {});
  const lines = linesOf(child)[Symbol.asyncIterator]();
  return {
    call: async (operation, ...args) => {
      const limit = setTimeout(() => endGroup(child), LIMIT_MS);
      child.stdin?.write(`${JSON.stringify([operation, ...args])}\n`);
      const { value, done } = await lines.next();
      clearTimeout(limit);
      if (done) throw new Error(`${name} ended at ${operation}, or took longer than ${LIMIT_MS} ms:\n${complaints}`);
      return JSON.parse(value) as Outcome;
    },
    close: async () => {
      child.stdin?.end();
      const limit = setTimeout(() => endGroup(child), 3_000);
      await closed;
      clearTimeout(limit);
    },
  };
}

function linesOf(child: ChildProcess): Interface {
  if (!child.stdout) throw new Error('the client has no standard output');
  return createInterface({ input: child.stdout });
}

/** What came of an operation, or whatever else was said, with every id of a request blotted out. */
export function withoutRequestId<T>(said: T): T {
  return JSON.parse(
    JSON.stringify(said).replaceAll(/Request id: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'Request id: ID'),
  );
}
