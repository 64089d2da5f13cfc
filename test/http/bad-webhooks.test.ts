import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk, WEBHOOK_TOKENS } from '../fixtures/in-process-keydesk.ts';
import { callRaw } from '../fixtures/raw-request.ts';
import { ENDED, hmac, KEY, readRecords, sign, UNTOUCHED, type ValidWebhook, validWebhook } from './valid-webhook.ts';

const HEADER = 'x-buildkite-signature';
/** The one answer to everything that is not verified, but for its request id. */
const NOT_VERIFIED =
  '{"error":"unauthorized","request_id":"ID","error_description":"The webhook was not accepted. The audit log has the reason, under this request id."}';

type Change = (valid: ValidWebhook) => {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
};
type Bad = readonly [title: string, reason: string, change: Change];

const header = (value: string | readonly string[]) => ({ headers: { [HEADER]: value } });
/** The signature is right for the very text of the timestamp, so that only the timestamp's form is at fault. */
const stamped =
  (timestampOf: (valid: ValidWebhook) => string): Change =>
  (valid) =>
    header(sign(timestampOf(valid), valid.body));
const withSignature =
  (signatureOf: (valid: ValidWebhook) => string): Change =>
  (valid) =>
    header(`timestamp=${valid.timestamp},signature=${signatureOf(valid)}`);
const over =
  (messageOf: (valid: ValidWebhook) => string): Change =>
  (valid) =>
    withSignature(() => hmac(messageOf(valid)))(valid);
const withKey =
  (key: string): Change =>
  (valid) =>
    header(sign(valid.timestamp, valid.body, key));
const withBody =
  (bodyOf: (valid: ValidWebhook) => string | Buffer): Change =>
  (valid) => ({ ...header(sign(valid.timestamp, valid.body)), body: bodyOf(valid) });

const HEADERS: Bad[] = [
  ['has no signature', 'signature_missing', () => ({ headers: {} })],
  ['has an empty signature header', 'signature_malformed', () => header('')],
  [
    'has a good signature header twice',
    'signature_malformed',
    ({ timestamp, body }) => header([sign(timestamp, body), sign(timestamp, body)]),
  ],
  [
    'has a good signature header and then a forged one',
    'signature_malformed',
    ({ timestamp, body }) => header([sign(timestamp, body), sign(timestamp, body, 'forged')]),
  ],
  [
    'has a forged signature header and then a good one',
    'signature_malformed',
    ({ timestamp, body }) => header([sign(timestamp, body, 'forged'), sign(timestamp, body)]),
  ],
  [
    'has the key in clear instead of a signature',
    'unsigned_token_mode',
    () => ({ headers: { 'x-buildkite-token': KEY } }),
  ],
  [
    'has another key in clear instead of a signature',
    'unsigned_token_mode',
    () => ({ headers: { 'x-buildkite-token': 'guess' } }),
  ],
  [
    'has an empty signature header and the key in clear',
    'signature_malformed',
    () => ({ headers: { [HEADER]: '', 'x-buildkite-token': KEY } }),
  ],
  [
    'has a wrong signature and the key in clear',
    'signature_wrong',
    ({ timestamp, body }) => ({ headers: { [HEADER]: sign(timestamp, body, 'guess'), 'x-buildkite-token': KEY } }),
  ],
  [
    'has its signature in the header of another service',
    'signature_missing',
    ({ timestamp, body }) => ({ headers: { 'x-hub-signature-256': sign(timestamp, body) } }),
  ],
  [
    'has an unknown field in its header',
    'signature_malformed',
    ({ timestamp, body }) => header(`${sign(timestamp, body)},version=1`),
  ],
  [
    'has a field without a value in its header',
    'signature_malformed',
    ({ timestamp, body }) => header(`${sign(timestamp, body)},v1`),
  ],
  ['has a comma too many', 'signature_malformed', ({ timestamp, body }) => header(`${sign(timestamp, body)},`)],
  [
    'has its timestamp twice',
    'signature_malformed',
    ({ timestamp, body }) => header(`timestamp=${timestamp},${sign(timestamp, body)}`),
  ],
  [
    'has its signature twice',
    'signature_malformed',
    ({ timestamp, body, signature }) => header(`${sign(timestamp, body)},signature=${signature}`),
  ],
  [
    'separates its fields by a semicolon',
    'signature_malformed',
    ({ timestamp, body }) => header(sign(timestamp, body).replace(',', ';')),
  ],
  [
    'names its fields in capitals',
    'signature_malformed',
    ({ timestamp, signature }) => header(`Timestamp=${timestamp},Signature=${signature}`),
  ],
];

const TIMESTAMPS: Bad[] = [
  ['has no timestamp', 'signature_malformed', ({ signature }) => header(`signature=${signature}`)],
  ['has an empty timestamp', 'signature_malformed', stamped(() => '')],
  ['has a negative timestamp', 'signature_malformed', stamped(({ timestamp }) => `-${timestamp}`)],
  ['has a timestamp with a sign', 'signature_malformed', stamped(({ timestamp }) => `+${timestamp}`)],
  ['has a timestamp with a fraction', 'signature_malformed', stamped(({ timestamp }) => `${timestamp}.0`)],
  ['has a hexadecimal timestamp', 'signature_malformed', stamped(({ timestamp }) => `0x${timestamp.toString(16)}`)],
  ['has a timestamp with an exponent', 'signature_malformed', stamped(({ timestamp }) => `${timestamp / 10}e1`)],
  ['has a timestamp in milliseconds', 'signature_malformed', stamped(({ timestamp }) => `${timestamp * 1000}`)],
  [
    'has a timestamp of 13 digits that are seconds',
    'signature_malformed',
    stamped(({ timestamp }) => `000${timestamp}`),
  ],
  [
    'has a timestamp as a date',
    'signature_malformed',
    stamped(({ timestamp }) => new Date(timestamp * 1000).toISOString()),
  ],
  ['has a timestamp with a dot behind it', 'signature_malformed', stamped(({ timestamp }) => `${timestamp}.`)],
  ['has a timestamp that is no number', 'signature_malformed', stamped(() => 'NaN')],
  ['is too old by a second', 'signature_too_old', stamped(({ timestamp }) => `${timestamp - 301}`)],
  ['is too far in the future by a second', 'signature_in_future', stamped(({ timestamp }) => `${timestamp + 301}`)],
  ['is from the beginning of time', 'signature_too_old', stamped(() => '0')],
  [
    'was freshened by a second without its key',
    'signature_wrong',
    ({ timestamp, signature }) => header(`timestamp=${timestamp + 1},signature=${signature}`),
  ],
];

const SIGNATURES: Bad[] = [
  ['has a timestamp alone', 'signature_malformed', ({ timestamp }) => header(`timestamp=${timestamp}`)],
  ['has a signature of no characters', 'signature_malformed', withSignature(() => '')],
  ['has a signature in capitals', 'signature_malformed', withSignature(({ signature }) => signature.toUpperCase())],
  ['has a signature one character short', 'signature_malformed', withSignature(({ signature }) => signature.slice(1))],
  ['has a signature one character long', 'signature_malformed', withSignature(({ signature }) => `${signature}0`)],
  [
    'has a signature that is not hexadecimal',
    'signature_malformed',
    withSignature(({ signature }) => `g${signature.slice(1)}`),
  ],
  ['has a signature in quotes', 'signature_malformed', withSignature(({ signature }) => `"${signature}"`)],
  [
    'has a signature with the name of its algorithm',
    'signature_malformed',
    withSignature(({ signature }) => `sha256=${signature}`),
  ],
  [
    'has a signature in base64',
    'signature_malformed',
    withSignature(({ signature }) => Buffer.from(signature, 'hex').toString('base64')),
  ],
  [
    'is signed with SHA-1',
    'signature_malformed',
    withSignature(({ timestamp, body }) => hmac(`${timestamp}.${body}`, { algorithm: 'sha1' })),
  ],
  [
    'is signed with SHA-512',
    'signature_malformed',
    withSignature(({ timestamp, body }) => hmac(`${timestamp}.${body}`, { algorithm: 'sha512' })),
  ],
  [
    'has a signature whose last digit differs',
    'signature_wrong',
    withSignature(({ signature }) => signature.slice(0, 63) + (signature.endsWith('0') ? '1' : '0')),
  ],
  ['has a signature of zeros', 'signature_wrong', withSignature(() => '0'.repeat(64))],
  ['has the signature of another body', 'signature_wrong', over(({ timestamp }) => `${timestamp}.{"event":"ping"}`)],
  ['has the signature of another second', 'signature_wrong', over(({ timestamp, body }) => `${timestamp - 1}.${body}`)],
  ['has a signature over the body alone', 'signature_wrong', over(({ body }) => body)],
  [
    'has a signature over timestamp and body without the dot',
    'signature_wrong',
    over(({ timestamp, body }) => `${timestamp}${body}`),
  ],
  ['is signed with another key', 'signature_wrong', withKey('another-webhook-token')],
  ['is signed with no key', 'signature_wrong', withKey('')],
  ['is signed with the key and a newline', 'signature_wrong', withKey(`${KEY}\n`)],
  ['is signed with the key in capitals', 'signature_wrong', withKey(KEY.toUpperCase())],
  ['is signed with both keys as one', 'signature_wrong', withKey(WEBHOOK_TOKENS.join(','))],
];

const BODIES: Bad[] = [
  [
    'names another job than was signed',
    'signature_wrong',
    withBody(({ body, job }) =>
      body.replace(
        job.id,
        job.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      ),
    ),
  ],
  ['has a newline at the end of its body', 'signature_wrong', withBody(({ body }) => `${body}\n`)],
  ['has its body written again', 'signature_wrong', withBody(({ body }) => JSON.stringify(JSON.parse(body), null, 1))],
  ['has a byte order mark before its body', 'signature_wrong', withBody(({ body }) => `\ufeff${body}`)],
  ['has no body', 'signature_wrong', withBody(() => '')],
  [
    'is compressed after it was signed',
    'signature_wrong',
    (valid) => ({
      headers: { [HEADER]: sign(valid.timestamp, valid.body), 'content-encoding': 'gzip' },
      body: gzipSync(valid.body),
    }),
  ],
];

describe('webhooks', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  const send = (headers: Readonly<Record<string, string | readonly string[]>>, body: string | Buffer) =>
    callRaw(keydesk, keydesk.webhookUrl, { headers: { 'content-type': 'application/json', ...headers }, body });

  it('end the job when nothing in them was changed', async () => {
    const valid = await validWebhook(keydesk);
    const response = await send({ [HEADER]: sign(valid.timestamp, valid.body) }, valid.body);
    expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1 });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  describe.each([
    ['header', HEADERS],
    ['timestamp', TIMESTAMPS],
    ['signature', SIGNATURES],
    ['body', BODIES],
  ])('with a bad %s are refused and change nothing', (_, cases) => {
    let untouched: ValidWebhook | undefined;
    it.each(cases)('a webhook that %s: %s', async (_title, reason, change) => {
      const valid = untouched ?? (await validWebhook(keydesk));
      untouched = undefined;
      const { headers, body = valid.body } = change(valid);
      const response = await send(headers, body);
      expect(response.audit.map(({ event, reason }) => ({ event, reason }))).toEqual([
        { event: 'webhook.refused', reason },
      ]);
      expect(response.status).toBe(401);
      expect(response.text.replace(response.headers.get('x-request-id') ?? '', 'ID')).toBe(NOT_VERIFIED);
      expect(response.headers.get('www-authenticate')).toBe('Buildkite-Signature');
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
      untouched = valid;
    });
  });

  const unread = [...HEADERS, ...TIMESTAMPS, ...SIGNATURES].filter(([, reason]) => reason !== 'signature_wrong');
  it.each(unread)('are refused before their body has come when theirs %s: %s', async (_title, reason, change) => {
    const valid = await validWebhook(keydesk);
    const { headers } = change(valid);
    const response = await callRaw(keydesk, keydesk.webhookUrl, { headers, unsent: 1_000_000 });
    expect(response.audit).toMatchObject([{ event: 'webhook.refused', reason }]);
    expect(response.status).toBe(401);
    expect(response.text.replace(response.headers.get('x-request-id') ?? '', 'ID')).toBe(NOT_VERIFIED);
    expect(response.headers.get('connection')).toBe('close');
  });

  it.each([
    ['at another path', { path: '/webhook' }, 404, 'not_found'],
    ['by another method', { method: 'PUT' }, 405, 'method_not_allowed'],
  ])(
    'are refused before their body has come, and before their signature is judged, %s',
    async (_, change, status, reason) => {
      const response = await callRaw(keydesk, keydesk.webhookUrl, { ...change, unsent: 1_000_000 });
      expect(response.status).toBe(status);
      expect(response.audit).toMatchObject([{ event: 'webhook.refused', reason }]);
    },
  );

  it('with a signature of one form are judged only when all of their body has come', async () => {
    const valid = await validWebhook(keydesk);
    const right = { [HEADER]: sign(valid.timestamp, valid.body) };
    const wrong = { [HEADER]: sign(valid.timestamp, valid.body, 'guess') };
    for (const headers of [wrong, right]) {
      const before = keydesk.audit.length;
      const answered = callRaw(keydesk, keydesk.webhookUrl, { headers, unsent: 1_000_000 });
      await expect.poll(() => keydesk.clock.deadlines).toBeGreaterThan(0);
      keydesk.clock.advance(10_000);
      await expect(answered).rejects.toThrow('socket hang up');
      // The body is missing, so the line is the same whether the signature is right or not.
      expect(keydesk.audit.slice(before)).toMatchObject([
        { event: 'webhook.refused', reason: 'body_too_slow', severity: 'WARNING', httpRequest: { status: 408 } },
      ]);
    }
    expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
  });

  it.each([
    ['five minutes old', (now: number) => now - 300],
    ['five minutes ahead', (now: number) => now + 300],
  ])('are accepted when they are %s to the second', async (_, timestampOf) => {
    const valid = await validWebhook(keydesk);
    expect((await send({ [HEADER]: sign(timestampOf(valid.timestamp), valid.body) }, valid.body)).status).toBe(200);
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });

  it('that were caught are of no use five minutes later', async () => {
    const valid = await validWebhook(keydesk);
    keydesk.clock.set((valid.timestamp + 300) * 1000 + 1);
    const response = await send({ [HEADER]: sign(valid.timestamp, valid.body) }, valid.body);
    expect(response.status).toBe(401);
    expect(response.audit).toMatchObject([{ reason: 'signature_too_old' }]);
  });

  it('are accepted by their signature, with any plain token in the request', async () => {
    for (const plain of [KEY, 'guess']) {
      const valid = await validWebhook(keydesk);
      const response = await send(
        { [HEADER]: sign(valid.timestamp, valid.body), 'x-buildkite-token': plain },
        valid.body,
      );
      expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1 });
    }
  });

  it.each([1, 2])('are accepted in the name of key %d when that signed them', async (number) => {
    const key = WEBHOOK_TOKENS[number - 1] as string;
    const valid = await validWebhook(keydesk);
    for (const body of ['{"event":"ping"}', '{"event":"build.running"}', valid.body]) {
      const response = await send({ [HEADER]: sign(valid.timestamp, body, key) }, body);
      expect(response.audit[0]).toMatchObject({ event: 'webhook.accepted', signed_by_key: number });
    }
  });

  it('are accepted under the second key while keys are changed', async () => {
    const valid = await validWebhook(keydesk);
    const header = sign(valid.timestamp, valid.body, WEBHOOK_TOKENS[1] as string);
    expect((await send({ [HEADER]: header }, valid.body)).json).toMatchObject({ result: 'job_ended', revoked: 1 });
    expect(await readRecords(keydesk, valid)).toEqual(ENDED);
  });
});
