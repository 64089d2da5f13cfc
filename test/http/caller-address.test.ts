// Which address a request is said to come from, behind as many proxies as are trusted, whatever its caller wrote.

import { once } from 'node:events';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createRequestListener, type HttpRequest, REQUEST_TIMED_OUT } from '../../functions/runtime/http-server.ts';
import { TestClock } from '../fixtures/test-clock.ts';

const CALLER = '203.0.113.7';
const BALANCER = '198.51.100.9';

/** The address of a request whose headers have these X-Forwarded-For, in their order. */
async function addressOf(trustedProxies: number, forwardedFor: readonly string[]): Promise<string | undefined> {
  let seen: HttpRequest | undefined;
  const server = createServer(
    createRequestListener({
      handler: async (request) => {
        seen = request;
        return { status: 200, body: '' };
      },
      errorResponses: {
        tooLarge: () => ({ status: 413, body: '' }),
        tooSlow: REQUEST_TIMED_OUT,
      },
      bodyLimit: 1024,
      trustedProxies,
      audit: () => {},
      clock: new TestClock(0),
    }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const headers = [
    ...['host', 'keydesk.example'],
    ...forwardedFor.flatMap((value) => ['X-Forwarded-For', value]),
  ] as const;
  const [response] = await once(send({ host: '127.0.0.1', port, headers }).end(), 'response');
  response.resume();
  return seen?.remoteIp;
}

describe('the address of a caller', () => {
  it.each<[string, number, readonly string[], string]>([
    ['what the platform wrote', 0, [CALLER], CALLER],
    ['not what the caller wrote before it', 0, [`10.0.0.1, 10.0.0.2, ${CALLER}`], CALLER],
    ['not what the caller wrote in a header of its own', 0, ['10.0.0.1', CALLER], CALLER],
    ['before the entry of one load balancer', 1, [`${CALLER}, ${BALANCER}`], CALLER],
    ['before that entry, without spaces', 1, [`${CALLER},${BALANCER}`], CALLER],
    ['before that entry, with many spaces', 1, [`  ${CALLER} \t,\t  ${BALANCER}  `], CALLER],
    ['before that entry, in two headers', 1, [CALLER, BALANCER], CALLER],
    ['not what the caller wrote, behind a load balancer', 1, [`10.0.0.1, ${CALLER}, ${BALANCER}`], CALLER],
    ['not what the caller copied from the load balancer', 1, [`10.0.0.1, ${BALANCER}, ${CALLER}, ${BALANCER}`], CALLER],
    ['not moved by empty entries of the caller', 1, [`, ,, ,${CALLER}, ${BALANCER}`], CALLER],
    ['before the entries of two proxies', 2, [`10.0.0.1, ${CALLER}, 10.9.9.9, ${BALANCER}`], CALLER],
    ['of IPv6', 1, [`::1, 2001:db8::7, ${BALANCER}`], '2001:db8::7'],
    ['the last entry, when there are too few', 1, [CALLER], CALLER],
    ['the last entry, when there are too few for two proxies', 2, [`10.0.0.1, ${CALLER}`], CALLER],
    ['of the connection, without a header', 1, [], '127.0.0.1'],
    ['of the connection, with an empty header', 0, [' '], '127.0.0.1'],
    ['of the connection, with commas alone', 1, [',,,'], '127.0.0.1'],
  ])('is %s', async (_, trustedProxies, forwardedFor, address) => {
    expect(await addressOf(trustedProxies, forwardedFor)).toBe(address);
  });

  it('is not chosen by any text before what the proxies wrote', async () => {
    for (const text of ['x', '"', "';--", '10.0.0.1, 10.0.0.2', '[::1]:80', ','.repeat(500), '1.1.1.1,'.repeat(200)])
      for (const trustedProxies of [0, 1, 2]) {
        const written = [CALLER, ...Array<string>(trustedProxies).fill(BALANCER)].join(', ');
        expect(await addressOf(trustedProxies, [`${text}, ${written}`])).toBe(CALLER);
      }
  });
});
