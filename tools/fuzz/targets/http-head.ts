import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { createRequestListener, type HttpRequest, REQUEST_TIMED_OUT } from '../../../functions/runtime/http-server.ts';
import { LookupLimit, PER_ADDRESS } from '../../../functions/token/lookup-limit.ts';
import { auditEvent } from '../../../shared/audit/events.ts';
import { createAuditLogger } from '../../../shared/audit/logger.ts';
import { readRequest, writeRequest } from '../independent/http-request.ts';
import { CLOCK } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJqb2IiOjF9.c2lnbmF0dXJl';
const TRACE = '105445aa7843bc8bf206b12000100000';

export const target: Target = {
  claim:
    "The head of any request, with X-Proxies for the number of trusted proxies: the caller's address is what the last trusted proxy wrote, a line of the log is one of JSON without invisible characters and tokens, and its trace is one of the header's.",
  files: [
    'functions/runtime/http-server.ts',
    'functions/token/lookup-limit.ts',
    'shared/audit/logger.ts',
    'shared/audit/line-size.ts',
  ],
  seeds: [
    writeRequest(`POST /token/${JWT}?a=b`, {
      ...{ 'x-forwarded-for': '10.0.0.1, 203.0.113.7, 198.51.100.9', 'x-proxies': '1' },
      ...{ 'x-cloud-trace-context': `${TRACE}/18446744073709551615;o=1`, 'user-agent': 'curl\u202e/8' },
    }),
    writeRequest('GET /%2e%2e/ya29.c.abcdefgh', {
      ...{ 'x-forwarded-for': '::ffff:192.0.2.1', traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, 'x-proxies': '0' },
    }),
    writeRequest(
      'GET /',
      { 'x-forwarded-for': ' , 2001:db8:0:1::7 , ', 'x-proxies': '3', 'content-length': '5' },
      'hello',
    ),
    writeRequest('PUT /long', {
      'x-forwarded-for': '2001:DB8::1%eth0',
      'content-length': '9999',
      'user-agent': 'a\u007fb',
    }),
  ],
  run: async (input) => {
    const { method, path, query, headers, body } = readRequest(input);
    const proxies = Number(/^[0-9]$/.exec(headers['x-proxies'] ?? '')?.[0] ?? 0);
    const written: string[] = [];
    const seen: HttpRequest[] = [];
    const listen = createRequestListener({
      handler: async (request) => {
        seen.push(request);
        const event = auditEvent('request.failed', { stack: `${request.path}\n${request.headers['user-agent']}` });
        return { status: 200, body: {}, auditEvents: [event] };
      },
      errorResponses: { tooLarge: () => ({ status: 413, body: '' }), tooSlow: REQUEST_TIMED_OUT },
      ...{ bodyLimit: 1024, trustedProxies: proxies, clock: CLOCK },
      audit: createAuditLogger({ project: 'acme', write: (line) => written.push(line) }),
    });
    const status = await respond(listen, { method, url: query ? `${path}?${query}` : path, headers, body });
    demand(status === 200 || status === 413, `the status is ${status}`);
    for (const { remoteIp } of seen) {
      demandEqual(remoteIp ?? null, addressOf(headers['x-forwarded-for'] ?? '', proxies) ?? '127.0.0.1', 'the caller');
      demandLimited(remoteIp);
    }
    for (const line of written) demandLine(line, headers['x-cloud-trace-context'] ?? headers.traceparent);
  },
};

interface Message {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What the listener makes of a message that Node's parser would give it. @returns the status */
function respond(listen: ReturnType<typeof createRequestListener>, { body, ...message }: Message): Promise<number> {
  const stream = Readable.from(body.length > 0 ? [body] : [], { objectMode: false });
  const incoming = Object.assign(stream, message, { socket: { remoteAddress: '127.0.0.1' }, complete: true });
  return new Promise((resolve) => {
    let status = 0;
    const response = Object.assign(new EventEmitter(), {
      writeHead: (written: number, headers: Record<string, unknown>) => {
        demand(
          Object.values(headers).every((value) => /^[\t\x20-\x7e]*$/.test(`${value}`)),
          'headers are printable',
        );
        status = written;
      },
      write: () => true,
      end: () => resolve(status),
    });
    listen(incoming as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
}

/** From the end: each trusted proxy appends one. */
function addressOf(forwardedFor: string, proxies: number): string | undefined {
  const entries = forwardedFor.split(',').flatMap((entry) => entry.trim() || []);
  return entries.length > proxies ? entries[entries.length - 1 - proxies] : entries.pop();
}

/** An address that asks too often has to wait, and so has every other one of its IPv6 network of 64 bits. */
function demandLimited(remoteIp: string | undefined): void {
  const lookups = new LookupLimit({ clock: CLOCK, audit: () => {} });
  for (let lookup = 0; lookup < PER_ADDRESS.burst; lookup += 1)
    demand(lookups.charge(remoteIp) === 0, 'an address may look up at first');
  demand(lookups.charge(remoteIp) > 0, 'an address has to wait in the end');
  const [, network] = /^((?:[0-9a-f]{1,4}:){4})(?:[0-9a-f]{1,4}:){3}[0-9a-f]{1,4}$/i.exec(remoteIp ?? '') ?? [];
  if (network !== undefined) demand(lookups.charge(`${network}:7`) > 0, 'and so has its neighbour');
}

function demandLine(line: string, trace: string | undefined): void {
  demand(line.endsWith('\n') && line.indexOf('\n') === line.length - 1, 'it is one line');
  demand(Buffer.byteLength(line) <= 256 * 1024, 'Cloud Logging takes it');
  demand(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line.slice(0, -1)), 'it has no invisible character');
  demand(!line.includes(JWT), 'it has no token');
  const parsed = JSON.parse(line) as Record<string, unknown>;
  const joined = parsed['logging.googleapis.com/trace'];
  if (joined === undefined) return;
  const id = /^projects\/acme\/traces\/([0-9a-f]{32})$/.exec(String(joined))?.[1];
  demand(id !== undefined && (trace ?? '').toLowerCase().includes(id), 'the trace is from the header');
  const span = parsed['logging.googleapis.com/spanId'] ?? '0'.repeat(16);
  demand(/^[0-9a-f]{16}$/.test(String(span)), 'a span has 16 digits');
}
