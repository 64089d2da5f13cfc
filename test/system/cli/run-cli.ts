// Runs `keydesk` with an environment of its own.

import { execFile } from 'node:child_process';
import { ROOT } from '../../../sandbox/functions.ts';
import { KEYDESK } from '../../fixtures/command.ts';

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @param command the words that name it, such as `rules write` */
export function runCli(
  command: string,
  args: readonly string[] = [],
  { cwd = ROOT, env = {}, input = '' } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { PATH: process.env.PATH, ...env } };
    const child = execFile(
      process.execPath,
      [KEYDESK, ...command.split(' ').filter(Boolean), ...args],
      options,
      (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
    child.stdin?.on('error', () => undefined).end(input);
  });
}
