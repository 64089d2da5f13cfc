// Asks before something that cannot be undone.

import { createInterface } from 'node:readline/promises';
import { EXIT, fail } from './terminal.ts';

/** Whether the person writes "yes". Without a terminal nobody can, and the command ends: --yes says it beforehand. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return fail(EXIT.usage, 'Nobody can be asked here. Add --yes if you mean it.');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await reader.question(`${question} Write "yes": `)).trim() === 'yes';
  } finally {
    reader.close();
  }
}
