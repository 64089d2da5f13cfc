#!/usr/bin/env node
// The command `keydesk`.

import { CommanderError } from '@commander-js/extra-typings';
import { createProgram } from './program.ts';
import { EXIT, fail, printJsonError } from './terminal.ts';

// A reader such as `head` may close its end early. The kill switch still has to finish.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

createProgram()
  .parseAsync()
  .catch((error: unknown) => {
    // Commander has printed the message or the help.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
      if (error.exitCode !== 0) printJsonError(error.message.replace(/^error: /, ''));
    } else fail(EXIT.failure, error instanceof Error ? error.message : String(error));
  });
