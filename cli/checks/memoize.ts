// Several checks read the same resource: it is read once.

import type { Response, Transport } from './google.ts';

export function memoize(transport: Transport): Transport {
  const responses = new Map<string, Promise<Response>>();
  return (call) => {
    const { api, path, query, json, unauthenticated } = call;
    const key = JSON.stringify([api, path, query, json, unauthenticated?.headers]);
    const known = responses.get(key);
    if (known) return known;
    const response = transport(call);
    responses.set(key, response);
    return response;
  };
}
