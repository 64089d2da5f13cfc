// What every function does when its instance starts: report all wrong settings at once and stop, or take over the
// framework's server. Only the files beside this one read the environment; only this one knows standard output.

import { config } from 'zod/v4/core';
import { type Audit, createAudit } from '../../shared/audit/logger.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { takeOver } from './framework.ts';
import { type Failures, type Handling, listen } from './http-server.ts';

// Compiling validators pays after thousands of values; a cold instance sees a dozen.
config({ jitless: true });

/** The audit log on standard output. */
export function auditLog(project: string): Audit {
  return createAudit({ project, write: (line) => process.stdout.write(line) });
}

/** The value, or the end of the process with every problem on standard error, and in one audit line that an alert can see. */
export function orStop<T extends object>(result: T | { readonly problems: readonly string[] }): T {
  if (!('problems' in result)) return result;
  const { problems } = result;
  process.stderr.write(`keydesk cannot start:\n${problems.map((problem) => `  ${problem}`).join('\n')}\n`);
  auditLog('')({
    event: 'startup.failed',
    severity: 'CRITICAL',
    message: `cannot start: ${problems.join('; ')}`,
    problems,
  });
  process.exit(1);
}

/** Serves the handler in place of the framework; returns what to export as the framework's target. */
export function start(
  parts: Handling & {
    readonly failures: Failures;
    readonly bodyLimit: number;
    readonly project: string;
    /** Gets ready what the first request will need, when none was waiting for the server. */
    readonly warm: () => void;
  },
) {
  const { project, warm } = parts;
  const audit = auditLog(project);
  const listener = listen({ ...parts, audit, clock: systemClock });
  takeOver(listener, warm, systemClock);
  return listener;
}
