import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExchangeRequest } from '../../../../shared/core/oauth/exchange-request.ts';
import { parseWebhookEvent } from '../../../../shared/core/webhook/event.ts';
import { WebhookScan } from '../../../../shared/core/webhook/scan.ts';
import { parseSignatureHeader, WebhookSignature } from '../../../../shared/core/webhook/signature.ts';

// Our own vector, from the documented scheme: facts/buildkite.md B4.
const KEY = 'test-webhook-token';
const TIMESTAMP = 1_790_000_000;
const BODY = '{"event":"ping"}';
const SIGNATURE = 'aad36b54705da47cc4429246214daa07b83c94247eeca5c7fbef513f428c2e48';

interface Signed {
  readonly header?: string | undefined;
  readonly body?: string | Uint8Array;
  readonly keys?: readonly string[];
  readonly now?: number;
  /** Bytes that arrive at once. */
  readonly pieces?: number;
}

/** The number of the key that signed, or why it is refused. */
function verify(parts: Signed) {
  const written = 'header' in parts ? parts.header : `timestamp=${TIMESTAMP},signature=${SIGNATURE}`;
  const header = parseSignatureHeader(written, parts.now ?? TIMESTAMP);
  if (typeof header === 'string') return header;
  const signature = new WebhookSignature(header, parts.keys ?? [KEY]);
  const body = Buffer.from(parts.body ?? BODY);
  const size = parts.pieces ?? 1_000_000;
  for (let start = 0; start < body.length; start += size) signature.update(body.subarray(start, start + size));
  return signature.signedByKey() ?? 'signature_wrong';
}

function eventOf(body: string) {
  const scan = new WebhookScan();
  scan.update(Buffer.from(body));
  return parseWebhookEvent(scan.finish());
}

describe('the signature of a webhook', () => {
  it('is accepted as the published scheme computes it', () => {
    expect(verify({})).toBe(1);
  });

  it('is accepted whatever the order of the fields and the space around them', () => {
    expect(verify({ header: `signature=${SIGNATURE},timestamp=${TIMESTAMP}` })).toBe(1);
    expect(verify({ header: ` timestamp = ${TIMESTAMP} , signature = ${SIGNATURE} ` })).toBe(1);
  });

  it('is accepted under either of two keys, says under which, and is refused when both are others', () => {
    expect(verify({ keys: ['another', KEY] })).toBe(2);
    expect(verify({ keys: [KEY, 'another'] })).toBe(1);
    expect(verify({ keys: ['another', 'third'] })).toBe('signature_wrong');
    expect(verify({ keys: [] })).toBe('signature_wrong');
  });

  it('is over bytes, so bytes that are no text are judged like any other', () => {
    const body = Uint8Array.from([0xff, 0x00, 0xc3, 0x28]);
    const hex = createHmac('sha256', KEY).update(`${TIMESTAMP}.`).update(body).digest('hex');
    for (const pieces of [1, 3, 4])
      expect(verify({ body, pieces, header: `timestamp=${TIMESTAMP},signature=${hex}` })).toBe(1);
    const replaced = Buffer.from(Buffer.from(body).toString('utf8'));
    expect(verify({ body: replaced, header: `timestamp=${TIMESTAMP},signature=${hex}` })).toBe('signature_wrong');
  });

  it.each([
    [-300.001, 'signature_in_future'],
    [-300, 1],
    [300, 1],
    [300.001, 'signature_too_old'],
  ])('is fresh for five minutes to either side: %d s later is %s', (later, expected) => {
    expect(verify({ now: TIMESTAMP + later })).toBe(expected);
  });

  it('that is too old is called old before a byte of the body is looked at', () => {
    expect(verify({ body: '{}', now: TIMESTAMP + 1000 })).toBe('signature_too_old');
    expect(verify({ body: '{}', now: TIMESTAMP - 1000 })).toBe('signature_in_future');
  });

  it('that is missing has another reason than one that cannot be read', () => {
    expect(verify({ header: undefined })).toBe('signature_missing');
    expect(verify({ header: '' })).toBe('signature_malformed');
  });

  const [time, signed] = [`timestamp=${TIMESTAMP}`, `signature=${SIGNATURE}`];
  it.each([
    ['one field alone', time],
    ['the other alone', signed],
    ['a third field', `${time},${signed},version=1`],
    ['a third field without a name', `${time},${signed},=`],
    ['a third field without a value', `${time},${signed},version`],
    ['a field twice', `${time},${time},${signed}`],
    ['a signature twice', `${time},${signed},signature=${'0'.repeat(64)}`],
    ['another name in place of one', `${time},sig=${SIGNATURE}`],
    ['a time with a sign', `timestamp=+${TIMESTAMP},${signed}`],
    ['a time with a fraction', `timestamp=${TIMESTAMP}.0,${signed}`],
    ['a time of more digits than any time has', `timestamp=${'0'.repeat(13)},${signed}`],
    ['a signature in capitals', `${time},signature=${SIGNATURE.toUpperCase()}`],
    ['a signature that is shorter', `${time},signature=${SIGNATURE.slice(2)}`],
    ['a signature that is longer', `${time},${signed}00`],
    ['text before the signature', `${time},signature=sha256:${SIGNATURE}`],
  ])('is malformed with %s', (_, header) => {
    expect(verify({ header })).toBe('signature_malformed');
  });
});

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json());
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const likeAHeader = fc
  .tuple(fc.oneof(fc.nat().map(String), fc.constant(String(TIMESTAMP)), fc.string()), fc.oneof(hex(64), fc.string()))
  .map(([timestamp, signature]) => `timestamp=${timestamp},signature=${signature}`);
const shuffled = fc
  .array(fc.constantFrom('timestamp', 'signature', '=', ',', ' ', SIGNATURE, String(TIMESTAMP), '\n', '\0'))
  .map((parts) => parts.join(''));

describe('whatever arrives', () => {
  it('no header and body that were not signed are accepted, and none make it throw', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, likeAHeader, shuffled), fc.uint8Array(), (header, body) => {
        expect(verify({ header, body })).toMatch(/^signature_(malformed|wrong|too_old|in_future)$/);
      }),
      { numRuns: 2000 },
    );
  });

  it('no change to a signed body is accepted', () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => text !== BODY),
        (body) => {
          expect(verify({ body })).toBe('signature_wrong');
        },
      ),
    );
  });

  it('a body is an event or is not, and never makes the reader throw', () => {
    const likeAnEvent = fc
      .record({
        event: fc.oneof(fc.constantFrom('ping', 'job.finished', 'job.started'), fc.jsonValue()),
        job: fc.oneof(fc.record({ id: fc.oneof(fc.uuid(), fc.jsonValue()), type: fc.jsonValue() }), fc.jsonValue()),
        pipeline: fc.oneof(fc.record({ id: fc.oneof(fc.uuid(), fc.jsonValue()) }), fc.jsonValue()),
      })
      .map((event) => JSON.stringify(event));
    fc.assert(
      fc.property(fc.oneof(anyText, likeAnEvent), (body) => {
        const event = eventOf(body);
        expect([undefined, 'ping', 'ignored', 'job_ended']).toContain(event?.kind);
        if (event?.kind === 'job_ended') expect(event.job_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      }),
      { numRuns: 2000 },
    );
    expect(eventOf('['.repeat(500_000))).toBeUndefined();
    expect(eventOf('{"event":'.repeat(100_000))).toBeUndefined();
    expect(eventOf('{"__proto__":{"event":"ping"}}')).toBeUndefined();
  });

  it('a form is a request or is refused with a reason, and never makes the reader throw or repeat a value', () => {
    const names = ['grant_type', 'subject_token', 'subject_token_type', 'audience', 'scope', 'lifetime', 'actor_token'];
    const value = fc.oneof(
      fc.constant('urn:ietf:params:oauth:grant-type:token-exchange'),
      fc.string(),
      fc.constant('S3CRET'),
    );
    const likeAForm = fc
      .array(fc.tuple(fc.oneof(fc.constantFrom(...names), fc.string({ unit: 'binary' })), value))
      .map((pairs) => pairs.map(([name, text]) => `${name}=${text}`).join('&'));
    fc.assert(
      fc.property(fc.oneof(anyText, likeAForm), (form) => {
        const parsed = parseExchangeRequest(form);
        if ('request' in parsed) expect(parsed.request.jobToken).not.toBe('');
        else expect(JSON.stringify(parsed.refusal)).not.toContain('S3CRET');
      }),
      { numRuns: 2000 },
    );
  });
});
