// A webhook that a person sends to the function, to see which key it accepts. It is signed as Buildkite signs, and means nothing: the
// function logs it as ignored, under a name that Buildkite does not use.

import { createHmac } from 'node:crypto';

/** Its `event`, as `buildkite_event` in the log. */
export const PROBE_EVENT = 'keydesk.probe';

/** @param at milliseconds since the epoch */
export function signProbe(key: string, at: number): { readonly json: object; readonly signature: string } {
  const json = { event: PROBE_EVENT };
  const timestamp = Math.floor(at / 1000);
  const signature = createHmac('sha256', key)
    .update(`${timestamp}.${JSON.stringify(json)}`)
    .digest('hex');
  return { json, signature: `timestamp=${timestamp},signature=${signature}` };
}
