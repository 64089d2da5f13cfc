// HTTP clients as jobs have them: one that behaves, one that sends its form in small pieces, one that never finishes it, and one
// that closes the connection before the response. Knows nothing about Keydesk.

import { Agent, request } from 'node:http';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { ClientKind, RequestFailure } from './observation.ts';

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly client: ClientKind;
  readonly timeoutMs: number;
  readonly random: SeededRandom;
}

export interface Outcome {
  readonly sent: number;
  readonly ended: number;
  readonly status?: number;
  readonly text?: string;
  readonly failure?: RequestFailure;
}

export function post({ url, headers, body, client, timeoutMs, random }: Post): Promise<Outcome> {
  const sent = systemClock.now();
  return new Promise((resolve) => {
    const over = new AbortController();
    let failure: RequestFailure | undefined;
    const finish = (outcome: Partial<Outcome>) => {
      if (over.signal.aborted) return;
      over.abort();
      resolve({ sent, ended: systemClock.now(), ...outcome });
    };
    const outgoing = request(
      url,
      { method: 'POST', agent, headers: { 'content-length': String(Buffer.byteLength(body)), ...headers } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => finish({ status: response.statusCode ?? 0, text }));
        response.on('error', (error) => finish({ failure: failure ?? failureOf(error) }));
      },
    );
    outgoing.on('error', (error) => finish({ failure: failure ?? failureOf(error) }));
    const giveUp = (milliseconds: number, why: RequestFailure) =>
      systemClock.sleep(milliseconds, over.signal).then(
        () => {
          failure = why;
          outgoing.destroy();
          finish({ failure: why });
        },
        () => {},
      );
    void giveUp(timeoutMs, 'timed_out');
    if (client === 'hung_up') void giveUp(random.between(1, 120), 'hung_up');
    if (client === 'plain' || client === 'hung_up') outgoing.end(body);
    else void sendInPieces(body, client === 'unfinished' ? body.length / 2 : body.length);

    async function sendInPieces(text: string, length: number): Promise<void> {
      const size = Math.ceil(length / 20);
      for (let at = 0; at < length && !over.signal.aborted; at += size) {
        outgoing.write(text.slice(at, Math.min(at + size, length)));
        await systemClock.sleep(random.between(10, 400), over.signal).catch(() => {});
      }
      if (length === text.length && !over.signal.aborted) outgoing.end();
    }
  });
}

function failureOf(error: Error & { readonly code?: string }): RequestFailure {
  return error.code === 'ECONNREFUSED' ? 'refused' : 'reset';
}

/** Waits; returns early when `signal` is aborted. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await systemClock.sleep(Math.max(0, milliseconds), signal).catch(() => {});
}
