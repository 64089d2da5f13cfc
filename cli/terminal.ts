// What the commands write for people, and how they end. Colour only on a terminal, and never with NO_COLOR.

import { styleText } from 'node:util';

/** Exit codes: something was found or failed; the command line is wrong; two things differ. Success is 0. */
export const EXIT = { failure: 1, usage: 2, differs: 3 } as const;

/** What each exit code means, in the words of the help. */
export const EXIT_CODES = {
  0: 'success',
  1: 'findings or failure',
  2: 'usage',
  3: 'differs',
} as const satisfies Record<0 | (typeof EXIT)[keyof typeof EXIT], string>;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function paint(format: 'red' | 'yellow', text: string, stream: NodeJS.WriteStream): string {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(format, text, { validateStream: false }) : text;
}

/** Ends the process, with the message on standard error. */
export function fail(code: ExitCode, message: string): never {
  process.stderr.write(`${paint('red', message, process.stderr)}\n`);
  process.exit(code);
}

export function warn(message: string): void {
  process.stderr.write(`${paint('yellow', message, process.stderr)}\n`);
}

/** A line on standard error, where standard output is for a program. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}
