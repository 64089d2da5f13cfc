// Runs `keydesk` with an environment of its own.

import { ROOT } from '../../../sandbox/functions.ts';
import { type Ended, runKeydesk } from '../../fixtures/run-keydesk.ts';

/** @param command the words that name it, such as `rules write` */
export function runCli(
  command: string,
  args: readonly string[] = [],
  { cwd = ROOT, env = {}, input = '' } = {},
): Promise<Ended> {
  const words = [...command.split(' ').filter(Boolean), ...args];
  return runKeydesk(words, { cwd, env: { PATH: process.env.PATH, ...env }, input });
}
