// What the commands write for people, and how they end. Colour only on a terminal, and never with NO_COLOR.

import { styleText } from 'node:util';
import { hideTokens } from './hide-tokens.ts';

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

/** Ends the process, with the message on standard error. With --json, standard output has it too. A token in it is not repeated. */
export function fail(code: ExitCode, written: string): never {
  const message = hideTokens(written);
  process.stderr.write(`${paint('red', message, process.stderr)}\n`);
  printJsonError(message);
  process.exit(code);
}

/** Standard output is one JSON document: a command that has printed its result says on standard error alone what is wrong with it. */
let resultPrinted = false;

/** For a program that reads the results of --json: why there are none. */
export function printJsonError(written: string, problems: readonly ErrorPlace[] = []): void {
  const message = hideTokens(written);
  if (!resultPrinted && process.argv.slice(2).includes('--json')) printJson({ error: { message, problems } });
}

/**
 * Nothing is printed yet. Writes that fail end with one line and exit code 1. The command goes on: what it does at Google or in the ledger
 * has to be complete. A reader such as `head` may close its end early, and that is no failure.
 */
export function beginOutput(): void {
  resultPrinted = false;
  let failure: string | undefined;
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EPIPE') return;
      if (failure === undefined && stream === process.stdout) note(`The output could not be written: ${message}.`);
      failure ??= message;
    });
  process.on('exit', (code) => {
    if (code === 0 && failure !== undefined) process.exitCode = EXIT.failure;
  });
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
