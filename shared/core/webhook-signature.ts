// Checks the signature of a Buildkite webhook: HMAC-SHA256 over "timestamp.body", hex, in X-Buildkite-Signature.
// Source: https://buildkite.com/docs/apis/webhooks (webhook signature). The bytes are those that arrived.
// There is no other way in: the plain token of X-Buildkite-Token is never looked at.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** Seconds a signature's timestamp may lie before or after now. */
const SIGNATURE_WINDOW = 300;

export type SignatureRefusal =
  | 'signature_missing'
  | 'signature_malformed'
  | 'signature_wrong'
  | 'signature_too_old'
  | 'signature_in_future';

/**
 * @param input.header the header as received; undefined when there was none
 * @param input.body the body's bytes as received
 * @param input.webhookTokens the keys that are live: two during a rotation
 * @param input.now seconds since the epoch
 * @returns undefined when the body is Buildkite's and fresh, else why not
 */
export function verifyWebhookSignature(input: {
  readonly header: string | undefined;
  readonly body: Uint8Array;
  readonly webhookTokens: readonly string[];
  readonly now: number;
}): SignatureRefusal | undefined {
  if (input.header === undefined) return 'signature_missing';
  const parsed = parseHeader(input.header);
  if (!parsed) return 'signature_malformed';
  const { timestamp, signature } = parsed;
  let genuine = false;
  for (const webhookToken of input.webhookTokens) {
    const expected = createHmac('sha256', webhookToken).update(`${timestamp}.`).update(input.body).digest();
    genuine = timingSafeEqual(expected, signature) || genuine;
  }
  if (!genuine) return 'signature_wrong';
  if (Number(timestamp) < input.now - SIGNATURE_WINDOW) return 'signature_too_old';
  if (Number(timestamp) > input.now + SIGNATURE_WINDOW) return 'signature_in_future';
  return undefined;
}

function parseHeader(header: string): { timestamp: string; signature: Buffer } | undefined {
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
