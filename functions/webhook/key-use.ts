// When each key last signed a webhook that this instance accepted, and whether that is to be recorded: at most once a minute.

import type { WebhookKey } from '../../shared/core/deployment/deployment.ts';
import { keyFingerprint } from '../../shared/core/webhook/key-fingerprint.ts';
import type { Clock } from '../../shared/runtime/clock.ts';

const RECORD_EVERY_MS = 60_000;

interface Use {
  readonly fingerprint: string;
  acceptedAt: number | null;
  /** Of what was recorded, or tried to be. */
  recordedAt: number | null;
  triedAt: number;
}

export class KeyUse {
  readonly #clock: Clock;
  readonly #uses: readonly Use[];

  constructor(webhookTokens: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.#uses = webhookTokens.map((webhookToken) => ({
      fingerprint: keyFingerprint(webhookToken),
      ...{ acceptedAt: null, recordedAt: null, triedAt: Number.NEGATIVE_INFINITY },
    }));
  }

  /** @param key its number, from 1 */
  readonly accepted = (key: number): void => {
    const use = this.#uses[key - 1];
    if (use) use.acceptedAt = this.#clock.now();
  };

  readonly hasNews = (): boolean =>
    this.#uses.some((use) => isNew(use) && this.#clock.now() - use.triedAt >= RECORD_EVERY_MS);

  /** What is to be recorded now. */
  take(): WebhookKey[] {
    for (const use of this.#uses.filter(isNew)) {
      use.recordedAt = use.acceptedAt;
      use.triedAt = this.#clock.now();
    }
    return this.#uses.map(({ fingerprint, acceptedAt }) => ({ fingerprint, last_accepted_at: acceptedAt }));
  }
}

function isNew({ acceptedAt, recordedAt }: Use): boolean {
  return acceptedAt !== recordedAt;
}
