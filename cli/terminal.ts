// What the commands write for people, and how they end. Colour only on a terminal, and never with NO_COLOR.

import { styleText } from 'node:util';

/** Exit codes: something was found or failed; the command line is wrong; two things differ. Success is 0. */
export const EXIT = { failure: 1, usage: 2, differs: 3 } as const;

/** What each exit code means, in the words of the help. */
export const EXIT_CODES = {
  0: 'success',
  1: 'problem or failure',
  2: 'wrong command line',
  3: 'wider, different or unknown',
} as const satisfies Record<0 | (typeof EXIT)[keyof typeof EXIT], string>;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function paint(format: 'red' | 'yellow', text: string, stream: NodeJS.WriteStream): string {
  return stream.isTTY && !process.env.NO_COLOR ? styleText(format, text, { validateStream: false }) : text;
}

/** What is wrong in a file, where it is known. */
export interface ErrorPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The part of the file, in words. */
  readonly where: string;
  readonly message: string;
}

/** Ends the process, with the message on standard error. With --json, standard output has it too. */
export function fail(code: ExitCode, message: string): never {
  process.stderr.write(`${paint('red', message, process.stderr)}\n`);
  printJsonError(message);
  process.exit(code);
}

/** Standard output is one JSON document: a command that has printed its result says on standard error alone what is wrong with it. */
let resultPrinted = false;

/** For a program that reads the results of --json: why there are none. */
export function printJsonError(message: string, problems: readonly ErrorPlace[] = []): void {
  if (!resultPrinted && process.argv.slice(2).includes('--json')) printJson({ error: { message, problems } });
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
  resultPrinted = true;
  print(JSON.stringify(value, null, 2));
}
