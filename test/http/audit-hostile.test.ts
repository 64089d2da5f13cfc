import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuditLogger } from '../../shared/audit/logger.ts';
import { uncheckedEvent } from '../fixtures/audit-events.ts';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { callRaw } from '../fixtures/raw-request.ts';

const TRACE = '105445aa7843bc8bf206b12000100000';
/** What begins a line of its own, moves a terminal's cursor or turns the reading direction. */
const NEVER_RAW = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const FORGED = '{"severity":"INFO","event":"grant.issued","message":"forged"}';
const HOSTILE: [string, string][] = [
  ['a newline', `x\n${FORGED}`],
  ['a carriage return', `x\r${FORGED}`],
  ['both', `x\r\n${FORGED}\r\n`],
  ['a line separator', `x\u2028${FORGED}`],
  ['a paragraph separator', `x\u2029${FORGED}`],
  ['a next line', `x\u0085${FORGED}`],
  ['a vertical tab and a form feed', `x\v${FORGED}\f`],
  ['a NUL', `x\0y`],
  ['an escape sequence that clears the screen', `x\u001b[2J\u001b[1;1H`],
  ['an escape sequence of one byte', `x\u009b2J`],
  ['a backspace and a delete', `x\b\u007f`],
  ['a right-to-left override', `x\u202egpj.exe`],
  ['an Arabic letter mark, which turns it too', 'x\u061cy'],
  ['letters that are not shown', 'x\u{e0041}\u{e007f}\u00ad\u200b\ufeff\u180e\ufff9y'],
  ['every other bidi control', 'x\u200e\u200f\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069'],
  ['the end of its string', `x","severity":"INFO","message":"forged`],
  ['a backslash at its end', 'x\\'],
  ['half of a surrogate pair', 'x\ud800'],
  ['half of a pair whose escape ends like the beginning of a token', 'x\ud83eyJhbGciOiJSUzI1NiJ9'],
  ['a control character whose escape does', 'x\u000eyJhbGciOiJSUzI1NiJ9.eyJ'],
  ['ten kilobytes', 'x'.repeat(10_240)],
];

/** One line is one object, and nothing in it does anything where it is shown. */
function expectOneLine(line: string): Record<string, unknown> {
  expect(line.endsWith('\n')).toBe(true);
  expect(line.slice(0, -1)).not.toMatch(NEVER_RAW);
  return JSON.parse(line) as Record<string, unknown>;
}

describe('a line of the audit log', () => {
  it.each(HOSTILE)('stays one line and keeps every value of the request: %s', (_, text) => {
    const lines: string[] = [];
    const audit = createAuditLogger({ project: 'acme', write: (line) => lines.push(line) });
    audit(
      uncheckedEvent({
        event: 'grant.refused',
        severity: 'NOTICE',
        message: text,
        fact: text,
        [text]: [{ deep: text }],
        labels: { [text]: text },
      }),
      {
        request_id: text,
        method: text,
        path: text,
        userAgent: text,
        remoteIp: text,
        status: 400,
        latencyMs: 1,
        trace: text,
      },
    );
    expect(lines).toHaveLength(1);
    const line = expectOneLine(lines[0] ?? '');
    expect(line).toMatchObject({ event: 'grant.refused', severity: 'NOTICE', message: text, fact: text });
    expect(line).toMatchObject({ httpRequest: { userAgent: text.slice(0, 256), requestUrl: text.slice(0, 256) } });
  });

  it('separates the request from the facts, so that no fact can replace the request', () => {
    const lines: string[] = [];
    const audit = createAuditLogger({ project: 'acme', write: (line) => lines.push(line) });
    audit(uncheckedEvent({ event: 'grant.refused', severity: 'NOTICE', message: 'm', httpRequest: 'forged' }), {
      request_id: 'r',
      method: 'POST',
      path: '/',
      userAgent: 'u',
      remoteIp: 'i',
      status: 400,
      latencyMs: 1,
      trace: undefined,
    });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ httpRequest: { status: 400 } });
  });
});

describe('a hostile caller writes one line per decision', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  /** The one line that `send` made Keydesk write. */
  const lineAfter = async (send: () => Promise<unknown>) => {
    const before = keydesk.lines.length;
    await send();
    expect(keydesk.lines).toHaveLength(before + 1);
    return expectOneLine(keydesk.lines[before] ?? '');
  };

  it.each(HOSTILE)('whose credential has a name with %s', async (_, name) => {
    const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob());
    const line = await lineAfter(() => keydesk.requestByForm(jobToken, name));
    expect(line).toMatchObject({ event: 'grant.refused', reason: 'unknown_credential' });
    expect(String(line.credential).length).toBeLessThanOrEqual(128);
  });

  it.each(HOSTILE)('whose branch has a name with %s', async (_, build_branch) => {
    const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob({ build_branch }));
    const line = await lineAfter(() => keydesk.requestByForm(jobToken));
    expect(line).toMatchObject({ event: 'grant.refused' });
    expect(['no_matching_rule', 'job_token_claim_invalid', 'request_too_large']).toContain(line.reason);
  });

  it.each(HOSTILE)('whose signed webhook is an event called %s', async (_, text) => {
    const event = text.slice(0, 128);
    const line = await lineAfter(() => keydesk.notify(JSON.stringify({ event })));
    expect(line).toMatchObject({ event: 'webhook.accepted', buildkite_event: event });
  });

  it.each([
    ['ten kilobytes', 'x'.repeat(10_240)],
    ['bytes that are a line separator in UTF-8', Buffer.from('x\u2028y').toString('latin1')],
    ['a next line', 'x\u0085y'],
    ['an escape sequence of one byte', 'x\u009b2J'],
    ['the end of its string', 'x","event":"grant.issued'],
  ])('whose user agent, address and trace hold %s', async (_, text) => {
    const headers = {
      'user-agent': text,
      ...(text.length < 1000 ? { 'x-forwarded-for': text, 'x-cloud-trace-context': text } : {}),
    };
    const line = await lineAfter(() => callRaw(keydesk, keydesk.tokenUrl, { path: '/nowhere', headers }));
    const { httpRequest } = line as { httpRequest: { userAgent: string; remoteIp: string } };
    expect(httpRequest.userAgent).toBe(text.slice(0, 256));
    expect(httpRequest.remoteIp.length).toBeLessThanOrEqual(64);
    expect(line).not.toHaveProperty('logging.googleapis.com/trace');
  });

  it.each([
    ['an access token', 'ya29.a0AfB_byC-1234567890abcdef', ''],
    ["a service account's access token", 'ya29.c.b0Aaekm1K-_xyz..abc', ''],
    ['a downscoped access token', `ya29.d.${'x'.repeat(300)}`, ''],
    ['an access token with every character', 'ya29.c.aZ09-_~first+second/third==', ''],
    ['an access token whose dots are escaped', 'ya29%2Ec%2Eb0Aaekm1K', ''],
    ['a JWT', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl', ''],
    ['a JWT whose dots are escaped', 'eyJhbGciOiJSUzI1NiJ9%2EeyJzdWIiOiJ1In0%2Ec2lnbmF0dXJl', ''],
    ['an access token between other text', 'ya29.c.b0Aaekm1K', ' '],
  ])('that was given %s where none belongs does not hold it', async (_, token, space) => {
    const headers = { 'user-agent': `agent${space}${token}${space}end`, 'x-forwarded-for': `${token.slice(0, 64)}` };
    const line = await lineAfter(() =>
      callRaw(keydesk, keydesk.tokenUrl, {
        path: `/token/${token}`,
        headers: { ...headers, authorization: 'Bearer a.b.c' },
      }),
    );
    const text = JSON.stringify(line);
    for (const part of token.split(/%2E|[.~+/=]/).filter((part) => part.length > 3)) expect(text).not.toContain(part);
    expect(text).toContain('[token]');
    expect(line).toMatchObject({ event: 'grant.refused', reason: 'job_token_malformed' });
  });

  it('whose path is ten kilobytes long', async () => {
    const line = await lineAfter(() => callRaw(keydesk, keydesk.tokenUrl, { path: `/token/${'%0a'.repeat(3000)}` }));
    expect(line).toMatchObject({ event: 'grant.refused', credential: '%0a'.repeat(3000).slice(0, 128) });
  });

  it('when Google responds with escape sequences and newlines', async () => {
    const message = `no\n${FORGED}\u001b[2J\u202e${'x'.repeat(1000)}`;
    keydesk.google.before = () => ({
      status: 403,
      json: { error: { code: 403, status: 'PERMISSION_DENIED', message } },
    });
    const jobToken = await keydesk.buildkite.jobToken(keydesk.buildkite.startJob());
    const line = await lineAfter(() => keydesk.requestByForm(jobToken));
    keydesk.google.before = undefined;
    expect(line).toMatchObject({ event: 'grant.refused', reason: 'google_refused' });
    expect(String(line.error).length).toBeLessThan(700);
  });
});

describe('the trace of a line', () => {
  const traceOf = (header: string | undefined) => {
    let written = '';
    const audit = createAuditLogger({
      project: 'acme',
      write: (line) => {
        written += line;
      },
    });
    const request = { request_id: 'r', method: 'POST', path: '/', status: 200, latencyMs: 1, trace: header };
    audit(uncheckedEvent({ event: 'webhook.accepted', severity: 'INFO', message: 'm' }), {
      ...request,
      userAgent: undefined,
      remoteIp: undefined,
    });
    const line = JSON.parse(written) as Record<string, unknown>;
    const fields = Object.entries(line).filter(([name]) => /^logging\.googleapis\.com\/(trace|span)/.test(name));
    return Object.fromEntries(fields.map(([name, value]) => [name.replace('logging.googleapis.com/', ''), value]));
  };
  const trace = `projects/acme/traces/${TRACE}`;

  it.each([
    [`${TRACE}/1;o=1`, { trace, spanId: '0000000000000001', trace_sampled: true }],
    [`${TRACE}/1;o=0`, { trace, spanId: '0000000000000001', trace_sampled: false }],
    [`${TRACE}/255`, { trace, spanId: '00000000000000ff', trace_sampled: false }],
    [`${TRACE}/18446744073709551615;o=1`, { trace, spanId: 'ffffffffffffffff', trace_sampled: true }],
    [`${TRACE};o=1`, { trace, trace_sampled: true }],
    [TRACE.toUpperCase(), { trace, trace_sampled: false }],
    [`00-${TRACE}-00f067aa0ba902b7-01`, { trace, spanId: '00f067aa0ba902b7', trace_sampled: true }],
    [`00-${TRACE}-00f067aa0ba902b7-00`, { trace, spanId: '00f067aa0ba902b7', trace_sampled: false }],
    [`00-${TRACE}-00f067aa0ba902b7-03`, { trace, spanId: '00f067aa0ba902b7', trace_sampled: true }],
  ])('is read out of %s', (header, expected) => {
    expect(traceOf(header)).toEqual(expected);
  });

  it.each([
    undefined,
    '',
    TRACE.slice(1),
    `${TRACE}0`,
    `${TRACE}/`,
    `${TRACE}/00f067aa0ba902b7`,
    `${TRACE}/-1`,
    `${TRACE}/1;o=2`,
    `${TRACE}/1;o=1\n`,
    `\n${TRACE}/1;o=1`,
    `${TRACE}\n"severity":"INFO"`,
    `../../../projects/other/traces/${TRACE}`,
    `00-${TRACE}-00f067aa0ba902b7`,
    `00-${TRACE}-00f067aa0ba902b7-01\n`,
    `00-${TRACE}-00f067aa0ba902b7-01-extra`,
    `01-${TRACE}-00f067aa0ba902b7-01`,
    `00-${TRACE}-123-01`,
    'x'.repeat(10_000),
  ])('is not made up from %j', (header) => {
    expect(traceOf(header)).toEqual({});
  });
});
