#!/usr/bin/env node
// The command `keydesk`.

import { CommanderError } from '@commander-js/extra-typings';
import { createProgram } from './program.ts';
import { EXIT, fail, printJsonError, reportFailedWrites } from './terminal.ts';

reportFailedWrites();

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    // Commander has printed the message or the help.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
      if (error.exitCode !== 0) printJsonError(error.message.replace(/^error: /, ''));
    } else fail(EXIT.failure, error instanceof Error ? error.message : String(error));
  });
