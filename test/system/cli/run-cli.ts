// Runs one of the commands as its npm script does, with an environment of its own.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../../sandbox/functions.ts';

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @param command the file's name in cli/ */
export function runCli(command: string, args: readonly string[], { cwd = ROOT, env = {} } = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { PATH: process.env.PATH, ...env } };
    const child = execFile(process.execPath, [join(ROOT, 'cli', command), ...args], options, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}
