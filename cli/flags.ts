// How the commands read their command line.

import { fail } from './policy-file.ts';

/** The option that every command has. */
export const HELP = { type: 'boolean', short: 'h', default: false } as const;

/**
 * The values that `read` finds. With --help: the usage, and exit 0.
 * @param read throws an Error that says what is wrong: then that and the usage, and exit 2
 */
export function readFlags<T extends { readonly help: boolean }>(usage: string, read: () => T): T {
  try {
    const values = read();
    if (!values.help) return values;
  } catch (error) {
    return fail(2, `${error instanceof Error ? error.message : error}\n${usage}`);
  }
  console.log(usage);
  process.exit(0);
}
