// The issuer's keys over real HTTP: an endpoint that answers too much, too slowly, elsewhere or nonsense costs a bounded
// time and memory, and never lets a token in.

import { generateKeyPairSync } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { JwksCache } from '../../../shared/oidc/jwks-cache.ts';
import { DependencyError } from '../../../shared/runtime/errors.ts';
import { createHttpClient } from '../../../shared/runtime/http-client.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

const clock = new TestClock(Date.UTC(2026, 7, 21));
const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const body = JSON.stringify({
  keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'first', alg: 'RS256', use: 'sig' }],
});

describe('issuer keys over HTTP', () => {
  it('the keys are read from a response of any media type', async () => {
    const key = await keyFrom((_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(body));
    expect(await key()).toMatchObject({ outcome: 'found', keys: [{ algorithm: 'RS256', key: { type: 'public' } }] });
  });

  it('a redirect is not followed', async () => {
    let followed = 0;
    const target = await listen((_, response) => {
      followed += 1;
      response.end(body);
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const key = await keyFrom((_, response) => response.writeHead(status, { location: target }).end(body));
      await expect(key()).rejects.toThrow(`issuer keys: returned a redirect (${status})`);
    }
    expect(followed).toBe(0);
  });

  it('a body over the limit is not read', async () => {
    const large = JSON.stringify({ ...JSON.parse(body), padding: 'x'.repeat(256 * 1024) });
    const key = await keyFrom((_, response) => response.end(large));
    await expect(key()).rejects.toThrow('issuer keys: returned more than 262144 bytes');
  });

  it('a compressed body, which was not requested, is not read', async () => {
    const key = await keyFrom((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
    });
    await expect(key()).rejects.toThrow('issuer keys: returned a compressed body, which was not requested');
  });

  it('an endless body is hung up on', async () => {
    const hungUp = Promise.withResolvers<void>();
    const key = await keyFrom((_, response) => {
      response.on('close', () => hungUp.resolve());
      response.write(`${body.slice(0, -1)},"padding":"`);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    await expect(key()).rejects.toThrow('issuer keys: returned more than 262144 bytes');
    await hungUp.promise;
  });

  it('a body that never ends is given up after 15 s by the first request', async () => {
    const hungUp = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const key = await keyFrom((_, response) => {
      response.on('close', () => hungUp.resolve());
      response.write(body.slice(0, -1), () => begun.resolve());
    });
    const pending = key();
    await begun.promise;
    clock.advance(14_999);
    expect(await Promise.race([pending, setImmediate('still waiting')])).toBe('still waiting');
    clock.advance(1);
    await expect(pending).rejects.toThrow('issuer keys: no response within 15000 ms');
    await hungUp.promise;
  });

  const broken: Record<string, RequestListener> = {
    'a page of HTML': (_, response) => response.end('<!doctype html><title>Maintenance</title>'),
    'an error with a key set': (_, response) => response.writeHead(500).end(body),
    'half of a response': (_, response) =>
      response.writeHead(200, { 'content-length': 9999 }).write(body, () => response.destroy()),
    'no response': (request) => request.socket.destroy(),
    'a key set with a comma too many': (_, response) => response.end(body.replace(']}', ',]}')),
  };
  for (const [title, listener] of Object.entries(broken))
    it(`${title} lets nobody in`, async () => {
      const key = await keyFrom(listener);
      await expect(key()).rejects.toBeInstanceOf(DependencyError);
    });

  it('an issuer where nobody listens is unavailable', async () => {
    const key = keyOf('http://127.0.0.1:1');
    await expect(key()).rejects.toThrow('issuer keys: could not be reached');
  });
});

/** Asks for the one key of an issuer that answers so. */
async function keyFrom(listener: RequestListener) {
  return keyOf(await listen(listener));
}

function keyOf(url: string) {
  const keys = new JwksCache({
    algorithms: ['RS256'],
    url,
    sendRequest: createHttpClient(clock),
    clock,
    onUnusable: () => {},
  });
  return () => keys.getKeys('first');
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
