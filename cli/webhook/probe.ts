// Sends webhooks to the function that a key signed, until several in a row were accepted: requests may still reach an instance of the
// revision before.

import * as z from 'zod';
import { signProbe } from '../../shared/core/webhook/probe.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import type { HttpClient } from '../../shared/runtime/http-client.ts';
import { CouldNotLook } from '../checks/google.ts';

const DEADLINE_MS = 15_000;
const PAUSE_MS = 1_000;
/** Acceptances in a row. */
const IN_A_ROW = 5;
const MOST_PROBES = 120;

const ignored = z.object({ result: z.literal('ignored') });

export interface ProbeOptions {
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly url: string;
}

/** Whether the function accepts the key, by one webhook. @throws CouldNotLook when another response came, or none */
export async function isKeyAccepted({ sendRequest, clock, url }: ProbeOptions, key: string): Promise<boolean> {
  const { json, signature } = signProbe(key, clock.now());
  const response = await sendRequest({
    dependency: 'the webhook function',
    url,
    method: 'POST',
    headers: { 'x-buildkite-signature': signature },
    json,
    deadlineMs: DEADLINE_MS,
  }).catch((error) => {
    throw new CouldNotLook(
      errorMessage(error),
      `Check that ${url} can be reached from here, or name the URL with --url.`,
    );
  });
  if (response.status === 200 && ignored.safeParse(response.json).success) return true;
  if (response.status === 401) return false;
  throw new CouldNotLook(
    `the webhook function returned ${response.status} to a signed webhook`,
    `Check the URL ${url}. With a load balancer or a domain of your own, name it with --url.`,
  );
}

/** @returns whether every webhook of the last few was accepted, at the latest after two minutes */
export async function isKeyAcceptedByAll(options: ProbeOptions, key: string): Promise<boolean> {
  let accepted = 0;
  for (let probes = 0; probes < MOST_PROBES; probes += 1) {
    accepted = (await isKeyAccepted(options, key)) ? accepted + 1 : 0;
    if (accepted === IN_A_ROW) return true;
    await options.clock.sleep(PAUSE_MS);
  }
  return false;
}
