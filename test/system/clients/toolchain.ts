// Builds the clients that are not for Node with the toolchain of the machine: its caches, proxies and mirrors are those of
// the person who runs the tests, and what is downloaded stays in them.

import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Command, runChild } from './child.ts';

/** Nearly all of it is for the first download and the first compilation. */
const BUILD_LIMIT_MS = 20 * 60_000;
/** For the hook that builds and starts what else the tests need. */
export const PREPARE_LIMIT_MS = BUILD_LIMIT_MS + 60_000;

/** A folder that git ignores and that outlives the tests. */
export function cacheFolder(): string {
  const folder = join(process.cwd(), 'node_modules', '.cache', 'keydesk');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Runs a command that may download. Throws with all it printed when it fails.
 * @param registry where the downloads come from, for the error
 */
export async function build(command: Omit<Command, 'env'>, registry: string): Promise<void> {
  const { exitCode, stdout, stderr } = await runChild({ ...command, env: environment() }, BUILD_LIMIT_MS);
  if (exitCode === 0) return;
  const line = [command.file, ...command.args].join(' ');
  throw new Error(`"${line}" failed. Can this machine reach ${registry}?\n${stdout}\n${stderr}`);
}

/** The test's own, but for HOME, which tests are given none of and under which the toolchains keep their settings. */
function environment(): Record<string, string> {
  const own = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return { ...Object.fromEntries(own), HOME: userInfo().homedir };
}
