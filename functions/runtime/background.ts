// What an instance records about itself while no request waits for it: after a response, or when it is idle. A request never waits
// for it and never sees that it failed.

import type { RequestListener } from 'node:http';
import { auditEvent } from '../../shared/audit/events.ts';
import type { AuditLogger } from '../../shared/audit/logger.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { toFailure } from '../../shared/runtime/errors.ts';

/** Milliseconds after which an attempt that came to nothing no longer keeps the next one waiting. */
const ATTEMPT_MS = 60_000;

export class BackgroundRecord {
  readonly #deps: ConstructorParameters<typeof BackgroundRecord>[0];
  /** For the record of the start: one try, and one more. */
  #triesLeft = 2;
  #attempt: { readonly begun: number } | undefined;

  constructor(deps: {
    readonly record: () => Promise<void>;
    /** Whether there is more to record than the start. */
    readonly hasNews?: () => boolean;
    readonly audit: AuditLogger;
    readonly clock: Clock;
  }) {
    this.#deps = deps;
  }

  /**
   * Begins an attempt if there is something to record. Never throws. No timer ends an attempt: between requests an instance may have
   * no CPU, and then an attempt comes to its end with a later request.
   */
  readonly run = (): void => {
    const { record, hasNews, audit, clock } = this.#deps;
    if (this.#attempt && clock.now() < this.#attempt.begun + ATTEMPT_MS) return;
    if (this.#triesLeft === 0 && !hasNews?.()) return;
    if (this.#triesLeft > 0) this.#triesLeft -= 1;
    const attempt = { begun: clock.now() };
    this.#attempt = attempt;
    const finish = () => {
      if (this.#attempt === attempt) this.#attempt = undefined;
    };
    record().then(
      () => {
        this.#triesLeft = 0;
        finish();
      },
      (error: unknown) => {
        finish();
        if (this.#triesLeft === 0)
          audit(auditEvent('deployment.unrecorded', { dependency: 'keydesk', ...toFailure(error) }));
      },
    );
  };

  /** The start was recorded by something else. */
  skipStart(): void {
    this.#triesLeft = 0;
  }
}

/** The same listener, after whose responses `work` runs. `runIfIdle` runs it unless a request is being handled. */
export function withBackground(listener: RequestListener, work: () => void) {
  let handled = 0;
  const wrapped: RequestListener = (message, response) => {
    handled += 1;
    response.once('close', () => {
      handled -= 1;
      work();
    });
    listener(message, response);
  };
  const runIfIdle = () => {
    if (handled === 0) work();
  };
  return { listener: wrapped, runIfIdle };
}
