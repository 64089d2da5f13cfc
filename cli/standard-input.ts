// Reads a file, or standard input where its name is `-`.

import { readFileSync } from 'node:fs';
import { readText } from './policy-file.ts';
import { EXIT, fail } from './terminal.ts';

/** The text of a file that is not a policy; of standard input for `-`. */
export function readInput(file: string): string {
  if (file !== '-') return readText(file);
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    return fail(EXIT.failure, `Standard input cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
