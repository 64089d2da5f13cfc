// Reads what people give to commands: a file, or standard input for `-`.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { readText } from './policy-file.ts';
import { EXIT, fail } from './terminal.ts';

/** The text of a file, or of standard input for `-`. */
export function readInput(file: string): string {
  if (file !== '-') return readText(file);
  const bytes = readFileSync(0);
  return isUtf8(bytes) ? bytes.toString('utf8') : fail(EXIT.failure, 'Standard input is not UTF-8.');
}
