#!/usr/bin/env node
// The command `keydesk`.

import { CommanderError } from '@commander-js/extra-typings';
import { createProgram } from './program.ts';
import { beginOutput, EXIT, fail, printJsonError } from './terminal.ts';

const program = createProgram();

/** Runs the command line of `process`. A process of its own does it once; the tests do it many times. */
export async function runCommandLine(): Promise<void> {
  beginOutput();
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) fail(EXIT.failure, error instanceof Error ? error.message : String(error));
    // Commander has printed the message or the help.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
    if (error.exitCode !== 0) printJsonError(error.message.replace(/^error: /, ''));
  }
}

export const ended = runCommandLine();
