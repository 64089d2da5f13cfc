// Builds the client on Google's libraries for Go.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, cacheFolder } from './toolchain.ts';

const SOURCE = fileURLToPath(new URL('go', import.meta.url));

/** @returns the path of the program */
export async function buildGoClient(): Promise<string> {
  const program = join(cacheFolder(), 'go-client');
  // It runs for seconds: a first compilation without optimization takes about a third less.
  const flags = ['-buildvcs=false', '-gcflags=all=-N -l', '-ldflags=-s -w'];
  const args = ['build', ...flags, '-o', program, '.'];
  await build({ file: 'go', args, cwd: SOURCE }, 'the Go module proxy that "go env GOPROXY" names');
  return program;
}
