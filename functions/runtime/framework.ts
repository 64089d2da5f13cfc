// Makes the functions-framework's server ours. The framework parses bodies before any handler sees them (up to 1 GiB,
// inflating, responding to malformed JSON with a page of HTML) and on SIGTERM drops requests in flight. So the first request
// finds our listener in place of the framework's, and a signal lets requests in flight finish.
// Knows nothing about what is served.

import { subscribe } from 'node:diagnostics_channel';
import type { RequestListener, Server } from 'node:http';
import type { Clock } from '../../shared/runtime/clock.ts';

/** The platform kills an instance ten seconds after SIGTERM. */
const DRAIN_DEADLINE_MS = 9_000;
const IDLE_MS = 50;
/** A turn of the event loop, or more. */
const TURN_MS = 10;
/** After which the listener is closed even if connections still arrive. */
const ACCEPT_MS = 3_000;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Call once, before the framework starts its server.
 * @param onIdle called shortly after the server began to listen: a request that was waiting for it comes first
 */
export function replaceFrameworkHandler(listener: RequestListener, onIdle: () => void, clock: Clock): void {
  let server: Server | undefined;
  subscribe('http.server.request.start', (event) => {
    const { server: serving } = event as { server: Server };
    if (serving === server) return;
    server = serving;
    serving.removeAllListeners('request');
    serving.on('request', listener);
  });

  let connections = 0;
  subscribe('net.server.socket', () => {
    connections += 1;
  });
  /**
   * Node takes one connection from the system in each turn, and a closed listener resets those that wait there with their
   * requests. Resolves when none arrived for two turns: the second one reads what the last connection sent.
   */
  const acceptWaiting = async () => {
    const until = clock.now() + ACCEPT_MS;
    for (let quiet = 0; quiet < 2 && clock.now() < until; ) {
      const before = connections;
      await clock.sleep(TURN_MS);
      quiet = connections === before ? quiet + 1 : 0;
    }
  };

  let draining = false;
  const drain = () => {
    if (draining) return;
    draining = true;
    void clock.sleep(DRAIN_DEADLINE_MS).then(() => process.exit(0));
    void acceptWaiting().then(() => {
      if (!server) process.exit(0);
      server.close(() => process.exit(0));
    });
  };
  for (const signal of SIGNALS) process.on(signal, drain);

  let listening = false;
  process.on('newListener', (event, added) => {
    // The framework adds its own signal handlers in the server's "listening" callback.
    const signal = SIGNALS.find((name) => name === event);
    if (!signal || added === drain) return;
    queueMicrotask(() => process.removeListener(signal, added));
    if (listening) return;
    listening = true;
    void clock.sleep(IDLE_MS).then(onIdle);
  });
}
