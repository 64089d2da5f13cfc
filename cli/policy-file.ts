// How the commands read files and end. Knows nothing about what the files hold.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { type LoadedPolicy, parsePolicy } from '../shared/core/policy/parse-yaml.ts';

/** The policy in a file and the file's text, or the end of the process with every problem in it. */
export function readPolicy(file: string): LoadedPolicy & { readonly text: string } {
  const text = readText(file);
  const result = parsePolicy(text, file);
  return 'problems' in result ? fail(1, result.problems.join('\n')) : { ...result, text };
}

export function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    return isUtf8(bytes) ? bytes.toString('utf8') : fail(1, `${file} is not UTF-8`);
  } catch (error) {
    return fail(1, `${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** Ends the process: 1 when something is wrong with a file, 2 with the command line. */
export function fail(code: 1 | 2, message: string): never {
  console.error(message);
  process.exit(code);
}
