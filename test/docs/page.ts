// How the tests of the documents read a page: its parts, its tables, and what stands between backticks.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../sandbox/functions.ts';

/** The text of a file, by its path from the project's root. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** What stands under a heading, without it, up to the next of its rank or a higher one. Throws when there is none. */
export function partOf(page: string, heading: string): string {
  const rank = /^#+/.exec(heading)?.[0].length ?? 0;
  const lines = page.split('\n');
  const from = lines.indexOf(heading);
  if (from < 0) throw new Error(`no part begins with: ${heading}`);
  const rest = lines.slice(from + 1);
  const end = rest.findIndex((line) => new RegExp(`^#{1,${rank}} `).test(line));
  return rest.slice(0, end < 0 ? undefined : end).join('\n');
}

/** The cells of every row of the tables in a text, without the heads. */
export function rowsOf(text: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('| ---')) inTable = true;
    else if (!line.startsWith('| ')) inTable = false;
    else if (inTable) rows.push(line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '')));
  }
  return rows;
}

/** What stands between backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
}
