#!/usr/bin/env node
// The command `keydesk`.

import { CommanderError } from '@commander-js/extra-typings';
import { createProgram } from './program.ts';
import { EXIT, fail } from './terminal.ts';

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    // Commander has printed the message or the help.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
    else fail(EXIT.failure, error instanceof Error ? error.message : String(error));
  });
