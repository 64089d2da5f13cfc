// Builds programs on Google's libraries for Go.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, cacheFolder } from './toolchain.ts';

const SOURCE = fileURLToPath(new URL('go', import.meta.url));

/** @returns the path of the program */
export function buildGoClient(): Promise<string> {
  return buildGo('go-client', '.');
}

/** Builds a program with the libraries of the client. @param source the absolute path of its file */
export function buildGoExample(source: string): Promise<string> {
  return buildGo('go-example', source);
}

async function buildGo(name: string, source: string): Promise<string> {
  const program = join(cacheFolder(), name);
  // It runs for seconds: a first compilation without optimization takes about a third less.
  const flags = ['-buildvcs=false', '-gcflags=all=-N -l', '-ldflags=-s -w'];
  const args = ['build', ...flags, '-o', program, source];
  await build({ file: 'go', args, cwd: SOURCE }, 'the Go module proxy that "go env GOPROXY" names');
  return program;
}
