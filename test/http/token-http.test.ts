import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import {
  FORM,
  grantsOf,
  newJobToken,
  send,
  sendByPath,
  sendForm,
  TOKEN_TYPE,
  tokenForm,
  withoutRequestId,
} from './token-request.ts';

const KIB = 1024;
const PARAMETERS = ['grant_type', 'subject_token', 'subject_token_type', 'audience'] as const;

describe('the token endpoint', () => {
  let keydesk: InProcessKeydesk;
  let jobToken: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
    jobToken = await newJobToken(keydesk);
  });
  afterAll(() => keydesk.close());

  const changed = (change: (form: URLSearchParams) => void) => {
    const form = tokenForm(jobToken);
    change(form);
    return form;
  };

  describe('by form', () => {
    it('accepts the baseline', async () => {
      expect((await sendForm(keydesk, tokenForm(jobToken))).json).toMatchObject({ token_type: 'Bearer' });
    });

    it.each(PARAMETERS)('says that %s is missing, also when it is empty', async (name) => {
      for (const form of [changed((f) => f.delete(name)), changed((f) => f.set(name, ''))]) {
        const response = await sendForm(keydesk, form);
        expect(response.status).toBe(400);
        expect(response.json).toMatchObject({ error: 'invalid_request' });
        expect(response.json.error_description).toMatch(new RegExp(`^${name} is missing: send `));
        expect(response.audit).toMatchObject([{ reason: 'parameter_missing' }]);
      }
    });

    it('takes a job token of nothing but space for none', async () => {
      const response = await sendForm(
        keydesk,
        changed((f) => f.set('subject_token', ' \n')),
      );
      expect(response.json.error_description).toMatch(/^subject_token is missing/);
    });

    it.each([...PARAMETERS, 'scope', 'requested_token_type', 'lifetime', 'actor_token', 'resource'])(
      'says that %s stands more than once, even when the values are the same or empty',
      async (name) => {
        for (const value of [tokenForm(jobToken).get(name) ?? 'x', '']) {
          const form = changed((f) => {
            if (!f.has(name)) f.append(name, value);
            f.append(name, value);
          });
          const response = await sendForm(keydesk, form);
          expect(response.json).toMatchObject({
            error: 'invalid_request',
            error_description: expect.stringContaining(`${name} is repeated. Send each parameter once.`),
          });
          expect(response.audit).toMatchObject([{ reason: 'parameter_repeated' }]);
        }
      },
    );

    it('does not repeat the name of a repeated parameter when it is none of ours', async () => {
      const response = await sendForm(keydesk, `${tokenForm(jobToken)}&%3Cb%3E%0A=1&%3Cb%3E%0A=2`);
      expect(response.json.error_description).toContain('A parameter is repeated. Send each parameter once.');
    });

    it.each([
      'client_credentials',
      'token-exchange',
      'urn:ietf:params:oauth:grant-type:token-exchange ',
      'URN:IETF:PARAMS:OAUTH:GRANT-TYPE:TOKEN-EXCHANGE',
    ])('supports no other grant type: %j', async (grantType) => {
      const response = await sendForm(
        keydesk,
        changed((f) => f.set('grant_type', grantType)),
      );
      expect(response.status).toBe(400);
      expect(response.json.error).toBe('unsupported_grant_type');
      expect(response.audit).toMatchObject([{ reason: 'grant_type_not_supported' }]);
    });

    it.each<[name: string, value: string, reason: string]>([
      ['subject_token_type', `${TOKEN_TYPE}access_token`, 'parameter_invalid'],
      ['subject_token_type', `${TOKEN_TYPE}saml2`, 'parameter_invalid'],
      ['subject_token_type', 'jwt', 'parameter_invalid'],
      ['requested_token_type', `${TOKEN_TYPE}id_token`, 'parameter_invalid'],
      ['requested_token_type', `${TOKEN_TYPE}refresh_token`, 'parameter_invalid'],
      ['actor_token', 'somebody', 'parameter_missing'],
      ['actor_token_type', `${TOKEN_TYPE}jwt`, 'parameter_missing'],
      ...[
        '0',
        '59',
        '3601',
        '-60',
        '+60',
        '60.0',
        '6e1',
        '0x3c',
        ' 60',
        '60s',
        '60,',
        '99999999999999999999',
        'NaN',
        '٦٠',
      ].map((lifetime): [string, string, string] => ['lifetime', lifetime, 'parameter_invalid']),
    ])('does not take %s %j', async (name, value, reason) => {
      const response = await sendForm(
        keydesk,
        changed((f) => f.set(name, value)),
      );
      expect(response.status).toBe(400);
      expect(response.json.error).toBe('invalid_request');
      expect(response.json.error_description).toContain(name.replace('actor_token_type', 'actor_token'));
      expect(response.audit).toMatchObject([{ reason }]);
    });

    it.each([
      ["the other name for a job token's type", { subject_token_type: `${TOKEN_TYPE}id_token` }],
      ['the type of token it gives', { requested_token_type: `${TOKEN_TYPE}access_token` }],
      ['optional parameters that are empty', { scope: '', lifetime: '', requested_token_type: '', actor_token: '' }],
      [
        'parameters it does not know',
        { resource: 'https://x.example', client_id: 'a', options: '{}', constructor: 'b', '': 'c' },
      ],
      ['the shortest lifetime', { lifetime: '60' }],
      ['the longest lifetime', { lifetime: '3600' }],
    ])('takes %s', async (_, more) => {
      const form = changed((f) => {
        for (const [name, value] of Object.entries(more)) f.set(name, value);
      });
      expect((await sendForm(keydesk, form)).status).toBe(200);
    });

    it('takes a job token that was read from a file, newline and all', async () => {
      expect(
        (
          await sendForm(
            keydesk,
            changed((f) => f.set('subject_token', `${jobToken}\r\n`)),
          )
        ).status,
      ).toBe(200);
    });

    it.each(['Basic YTpi', 'Bearer something-else', 'nonsense'])(
      'ignores the Authorization header: %s',
      async (authorization) => {
        expect((await sendForm(keydesk, tokenForm(jobToken), { authorization })).status).toBe(200);
      },
    );

    it.each(['application/x-www-form-urlencoded; charset=UTF-8', 'APPLICATION/X-WWW-FORM-URLENCODED', ` ${FORM} ;q=1`])(
      'reads a form called %j',
      async (contentType) => {
        expect((await sendForm(keydesk, tokenForm(jobToken), { 'content-type': contentType })).status).toBe(200);
      },
    );

    it.each([
      'application/json',
      'text/plain',
      'multipart/form-data; boundary=x',
      `${FORM}x`,
      `x/${FORM}`,
      '',
      'text/html',
    ])('reads no body called %j', async (contentType) => {
      const response = await sendForm(keydesk, tokenForm(jobToken), { 'content-type': contentType });
      expect(response.status).toBe(415);
      expect(response.audit).toMatchObject([{ reason: 'content_type_not_supported' }]);
    });

    it('reads no body without a media type, and responds to broken JSON in JSON', async () => {
      expect((await send(keydesk, { path: '/token', body: String(tokenForm(jobToken)) })).status).toBe(415);
      const json = { path: '/token', headers: { 'content-type': 'application/json' }, body: '{"subject_token":' };
      expect((await send(keydesk, json)).status).toBe(415);
    });

    it.each(['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip'])(
      'reads no body that is encoded as %s',
      async (encoding) => {
        const body = gzipSync(String(tokenForm(jobToken)));
        const headers = { 'content-type': FORM, 'content-encoding': encoding };
        expect((await send(keydesk, { path: '/token', headers, body })).status).toBe(415);
      },
    );

    it('reads a body that is expressly not encoded', async () => {
      expect((await sendForm(keydesk, tokenForm(jobToken), { 'content-encoding': 'identity' })).status).toBe(200);
    });
  });

  describe('by path', () => {
    it('accepts the baseline with any query', async () => {
      expect((await sendByPath(keydesk, jobToken, 'staging-config')).json).toMatchObject({ token_type: 'Bearer' });
      expect((await sendByPath(keydesk, jobToken, 'staging-config?audience=production-config')).json).toMatchObject({
        credential: 'staging-config',
      });
    });

    it.each(['{}', '{', 'audience=production-config', ' '])('takes no body, not even %j', async (body) => {
      const headers = { authorization: `Bearer ${jobToken}`, 'content-type': 'application/json' };
      const response = await send(keydesk, { path: '/token/staging-config', headers, body });
      expect(response.status).toBe(400);
      expect(response.json.error).toBe('invalid_request');
      expect(response.audit).toMatchObject([{ reason: 'body_not_allowed' }]);
    });

    it.each([
      ['none', {}, 'job_token_missing'],
      ['an empty one', { authorization: '' }, 'job_token_missing'],
      ['a scheme alone', { authorization: 'Bearer' }, 'job_token_missing'],
      ['Basic', { authorization: 'Basic YTpi' }, 'job_token_missing'],
      ['another scheme that holds the token', { authorization: 'JWT eyJ.eyJ.x' }, 'job_token_missing'],
      ['no JWT', { authorization: 'Bearer abc' }, 'job_token_malformed'],
    ])('returns 401 to an Authorization header that is %s', async (_, headers, reason) => {
      const response = await send(keydesk, { path: '/token/staging-config', headers });
      expect(response.status).toBe(401);
      const challenge = reason === 'job_token_missing' ? 'Bearer' : 'Bearer error="invalid_token"';
      expect(response.headers.get('www-authenticate')).toBe(challenge);
      expect(response.json.error).toBe('invalid_token');
      expect(response.audit).toMatchObject([{ reason }]);
    });

    it('takes the scheme in any case and with more than one space', async () => {
      const path = '/token/staging-config';
      expect((await send(keydesk, { path, headers: { authorization: `bearer   ${jobToken}` } })).status).toBe(200);
    });
  });

  it('refuses every job token alike that is not one of the organization', async () => {
    const job = keydesk.buildkite.startJob();
    const overrides = { organization_slug: 'other' };
    const forged = `${jobToken.slice(0, -8)}AAAAAAAA`;
    const bad: [string, string][] = [
      ['job_token_malformed', 'not-a-jwt'],
      ['job_token_signature_invalid', forged],
      [
        'job_token_expired',
        await keydesk.buildkite.jobToken(job, { overrides, issuedAt: Math.floor(keydesk.clock.now() / 1000) - 3600 }),
      ],
      [
        'job_token_audience_wrong',
        await keydesk.buildkite.jobToken(job, { overrides, audience: 'https://buildkite.com/acme-inc' }),
      ],
      ['job_token_organization_wrong', await keydesk.buildkite.jobToken(job, { overrides })],
      ['job_token_key_unknown', await keydesk.buildkite.jobToken(job, { header: { kid: 'other' } })],
    ];
    const byForm = new Set<string>();
    const byPath = new Set<string>();
    for (const [reason, token] of bad) {
      // A key that is not known is looked up again after 30 s.
      if (reason === 'job_token_key_unknown') keydesk.clock.advance(30_000);
      const form = await sendForm(keydesk, tokenForm(token));
      if (reason === 'job_token_key_unknown') keydesk.clock.advance(30_000);
      const path = await sendByPath(keydesk, token, 'staging-config');
      expect([form, path].map(({ audit }) => audit[0]?.reason)).toEqual([reason, reason]);
      byForm.add(withoutRequestId(form));
      byPath.add(withoutRequestId(path));
    }
    expect([...byForm]).toEqual([expect.stringMatching(/^400 \{"error":"invalid_request"/)]);
    expect([...byPath]).toEqual([expect.stringMatching(/^401 \{"error":"invalid_token"/)]);
  });

  describe('sizes', () => {
    it('refuses a job token over 8 KiB on either form, and judges one of 8 KiB', async () => {
      for (const requestToken of [
        (t: string) => sendForm(keydesk, tokenForm(t)),
        (t: string) => sendByPath(keydesk, t, 'staging-config'),
      ]) {
        const large = await requestToken('a'.repeat(8 * KIB + 1));
        expect(large.status).toBe(413);
        expect(large.audit).toMatchObject([{ reason: 'request_too_large' }]);
        expect((await requestToken('a'.repeat(8 * KIB))).audit).toMatchObject([{ reason: 'job_token_malformed' }]);
      }
    });

    it('refuses a body over 16 KiB, and reads one of 16 KiB', async () => {
      const padded = `${tokenForm(jobToken)}&padding=`.padEnd(16 * KIB + 1, 'x');
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const large = await sendForm(keydesk, padded, headers);
        expect(large.status).toBe(413);
        expect(large.audit).toMatchObject([{ reason: 'request_too_large' }]);
        expect((await sendForm(keydesk, padded.slice(0, -1), headers)).status).toBe(200);
      }
    });

    it('refuses or cuts off a body of 2 MiB, and never hangs', async () => {
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const large = sendForm(keydesk, 'x'.repeat(2 * KIB * KIB), headers);
        const status = await large.then(
          (response) => response.status,
          (error: NodeJS.ErrnoException) => error.code,
        );
        expect([413, 'EPIPE', 'ECONNRESET']).toContain(status);
      }
      expect((await sendForm(keydesk, tokenForm(jobToken))).status).toBe(200);
    });

    it('waits ten seconds for the whole of a body, and then hangs up, whatever trickles in meanwhile', async () => {
      const form = String(tokenForm(jobToken));
      const before = keydesk.audit.length;
      const slow = connect(Number(new URL(keydesk.tokenUrl).port), '127.0.0.1');
      const said: Buffer[] = [];
      slow.on('data', (chunk) => said.push(chunk));
      slow.on('error', () => {});
      try {
        const head = ['POST /token HTTP/1.1', 'Host: keydesk.example', `Content-Type: ${FORM}`];
        slow.write(`${[...head, `Content-Length: ${form.length}`].join('\r\n')}\r\n\r\n`);
        await turnsUntil(() => keydesk.clock.deadlines > 0);
        for (const byte of form.slice(0, 9)) {
          slow.write(byte);
          keydesk.clock.advance(1_000);
          await setImmediate();
        }
        keydesk.clock.advance(999);
        await turnsUntil(() => slow.closed, 1_000);
        expect(slow.closed).toBe(false);
        keydesk.clock.advance(1);
        await turnsUntil(() => slow.closed);
        expect(slow.closed).toBe(true);
      } finally {
        slow.destroy();
      }
      expect(said).toEqual([]);
      expect(keydesk.audit.slice(before)).toMatchObject([{ event: 'request.timed_out', severity: 'WARNING' }]);
      expect((await sendForm(keydesk, tokenForm(jobToken))).status).toBe(200);
    });
  });

  it('gave this job one grant by all this, and never of what policy refuses', async () => {
    const grants = await grantsOf(keydesk, jobToken);
    expect(grants.map(({ credential }) => credential)).toEqual(['staging-config']);
    expect(keydesk.google.unexpected).toEqual([]);
  });
});

/** Lets the event loop turn until it is so, or this many times: while what happens in between is up to the network. */
async function turnsUntil(holds: () => boolean, most = 100_000): Promise<void> {
  for (let turn = 0; turn < most && !holds(); turn += 1) await setImmediate();
}
