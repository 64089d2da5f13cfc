// Finds lines in the log of the functions. They write a line before they respond; it arrives here a moment later.

import { systemClock } from '../shared/runtime/clock.ts';
import { parse } from './curl.ts';

/** The first line that contains all of the texts; empty when none comes. */
export async function lineWith({ log }: { readonly log: readonly string[] }, ...texts: string[]): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const line = log.find((candidate) => texts.every((text) => candidate.includes(text)));
    if (line) return line;
    await systemClock.sleep(20);
  }
  return '';
}

/** The line about the request to which this is the response. */
export function lineOf(environment: { readonly log: readonly string[] }, body: string): Promise<string> {
  return lineWith(environment, String(parse(body).request_id));
}
