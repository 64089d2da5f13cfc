// What every function does when its instance starts: report all wrong settings at once and stop, or take over the
// framework's server. Only the files in this folder read the environment; only this one knows standard output.

import { config } from 'zod/v4/core';
import { auditEvent } from '../../shared/audit/events.ts';
import { type AuditLogger, createAuditLogger } from '../../shared/audit/logger.ts';
import type { Settings } from '../../shared/core/settings.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { withBackground } from './background.ts';
import { replaceFrameworkHandler } from './framework.ts';
import { createRequestListener, type ErrorResponses, type Handlers } from './http-server.ts';

// Compiling validators pays after thousands of values; a cold instance sees a dozen.
config({ jitless: true });

/** The audit log on standard output. */
export function createStdoutLogger(project: string): AuditLogger {
  return createAuditLogger({ project, write: (line) => process.stdout.write(line) });
}

/** The value, or the end of the process with every problem on standard error, and in one audit line that an alert can see. */
export function exitOnProblems<T extends object>(result: T | { readonly problems: readonly string[] }): T {
  if (!('problems' in result)) return result;
  const { problems } = result;
  process.stderr.write(`keydesk cannot start:\n${problems.map((problem) => `  ${problem}`).join('\n')}\n`);
  createStdoutLogger('')(auditEvent('startup.failed', { problems }));
  process.exit(1);
}

/** Serves the handler in place of the framework; returns what to export as the framework's target. */
export function serve(
  deps: Handlers & {
    readonly errorResponses: ErrorResponses;
    readonly bodyLimit: number;
    readonly settings: Settings;
    /** Gets ready what the first request will need, when none was waiting for the server. */
    readonly warmUp: () => void;
    /** Runs after each response, and when no request was waiting for the server. */
    readonly background: () => void;
  },
) {
  const { settings, warmUp } = deps;
  const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);
  const trustedProxies = settings.KEYDESK_TRUSTED_PROXIES;
  const requests = createRequestListener({ ...deps, trustedProxies, audit, clock: systemClock });
  const { listener, runIfIdle } = withBackground(requests, deps.background);
  const onIdle = () => {
    warmUp();
    runIfIdle();
  };
  replaceFrameworkHandler(listener, onIdle, systemClock);
  return listener;
}
