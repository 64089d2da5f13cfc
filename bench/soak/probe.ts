// Uses tokens where they are good for something, and reads whether they are on record. Goes to the emulator directly, past the
// proxy that injects faults.

import { systemClock } from '../../shared/runtime/clock.ts';
import { type Database, fieldsOf, type RawDocument, readDocument, urlOf } from './check/firestore-export.ts';
import type { Issued } from './keydesk-client.ts';
import { DATA, LEDGER } from './policy.ts';
import type { Recorder } from './recorder.ts';

export const PROBED_DOCUMENT = 'config/web';

export class Prober {
  readonly #recorder: Recorder;
  readonly #googleUrl: string;
  readonly #ledger: Database;
  readonly #data: Database;

  constructor(options: { readonly recorder: Recorder; readonly googleUrl: string; readonly firestoreHost: string }) {
    const { recorder, googleUrl, firestoreHost: host } = options;
    this.#recorder = recorder;
    this.#googleUrl = googleUrl;
    this.#ledger = { host, ...LEDGER };
    this.#data = { host, ...DATA };
  }

  /** Reads the grant's record, because a token of it has just arrived. */
  async record({ grant, token }: Issued): Promise<void> {
    const at = systemClock.now();
    const document = await readDocument(this.#ledger, `grants/${grant}`);
    const tokens = document ? tokensOf(document) : [];
    const found = tokens.find(({ sha256 }) => sha256 === token);
    const facts = { found: found !== undefined, ...(found ? { expires_at: found.expires_at } : {}) };
    this.#recorder.write({ type: 'record', at, grant, token, ...facts });
  }

  /** Reads a document with a Firestore token, or calls an API of Google with an access token. */
  async use({ accessToken, token, grant, job, revocation }: Issued): Promise<void> {
    const url = revocation === 'immediate' ? `${urlOf(this.#data)}/${PROBED_DOCUMENT}` : `${this.#googleUrl}/gate`;
    const sent = systemClock.now();
    const response = await fetch(url, { headers: { authorization: `Bearer ${accessToken}` } });
    await response.body?.cancel();
    const facts = { ended: systemClock.now(), token, grant, job, accepted: response.status === 200 };
    this.#recorder.write({ type: 'probe', sent, ...facts });
  }
}

function tokensOf(document: RawDocument): { readonly sha256: string; readonly expires_at: number }[] {
  return (fieldsOf(document).tokens ?? []) as unknown as { sha256: string; expires_at: number }[];
}
