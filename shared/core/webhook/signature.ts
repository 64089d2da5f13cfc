// Checks the signature of a Buildkite webhook: HMAC-SHA256 over "timestamp.body", hex, in X-Buildkite-Signature.
// Source: https://buildkite.com/docs/apis/webhooks (webhook signature). The bytes are those that arrived.
// There is no other way in: the plain token of X-Buildkite-Token is never looked at.

import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto';

/** Seconds a signature's timestamp may lie before or after now. */
export const SIGNATURE_WINDOW = 300;

/** Why a header is refused, before the body is read. Anybody can send such a header: none of them reveals anything about a key. */
export type SignatureHeaderRefusal =
  | 'signature_missing'
  | 'signature_malformed'
  | 'signature_too_old'
  | 'signature_in_future';

export interface SignatureHeader {
  /** Seconds since the epoch, as the sender wrote them: these characters are signed. */
  readonly timestamp: string;
  readonly signature: Buffer;
}

/**
 * @param header the header as received; undefined when there was none
 * @param now seconds since the epoch
 */
export function parseSignatureHeader(
  header: string | undefined,
  now: number,
): SignatureHeader | SignatureHeaderRefusal {
  if (header === undefined) return 'signature_missing';
  const parsed = parseFields(header);
  if (!parsed) return 'signature_malformed';
  if (Number(parsed.timestamp) < now - SIGNATURE_WINDOW) return 'signature_too_old';
  if (Number(parsed.timestamp) > now + SIGNATURE_WINDOW) return 'signature_in_future';
  return parsed;
}

/** Computes, while a body arrives, what each key would have signed. */
export class WebhookSignature {
  readonly #expected: Buffer;
  readonly #hmacs: readonly Hmac[];

  /** @param webhookTokens the keys that are live: two during a rotation */
  constructor({ timestamp, signature }: SignatureHeader, webhookTokens: readonly string[]) {
    this.#expected = signature;
    this.#hmacs = webhookTokens.map((webhookToken) => createHmac('sha256', webhookToken).update(`${timestamp}.`));
  }

  update(bytes: Uint8Array): void {
    for (const hmac of this.#hmacs) hmac.update(bytes);
  }

  /** Call once, after the whole body. Returns the number of the key that signed it, from 1; undefined when none did. */
  signedByKey(): number | undefined {
    // Every key is compared, so that the time taken does not reveal which one matched.
    const signed = this.#hmacs.map((hmac) => timingSafeEqual(hmac.digest(), this.#expected)).indexOf(true);
    return signed < 0 ? undefined : signed + 1;
  }
}

function parseFields(header: string): SignatureHeader | undefined {
  const fields = new Map<string, string>();
  for (const part of header.split(',')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0)).trim();
    if (equals < 0 || fields.has(name)) return undefined;
    fields.set(name, part.slice(equals + 1).trim());
  }
  const timestamp = fields.get('timestamp') ?? '';
  const signature = fields.get('signature') ?? '';
  if (fields.size !== 2 || !/^[0-9]{1,12}$/.test(timestamp) || !/^[0-9a-f]{64}$/.test(signature)) return undefined;
  return { timestamp, signature: Buffer.from(signature, 'hex') };
}
