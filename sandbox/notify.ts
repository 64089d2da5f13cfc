// Buildkite's side of a webhook.

import { type CurlResponse, curl } from './curl.ts';
import type { Environment } from './environment.ts';

export function notify(
  { buildkite, webhook }: Pick<Environment, 'buildkite' | 'webhook'>,
  body: string,
  signature = buildkite.signature(body),
): Promise<CurlResponse> {
  return curl(
    '-X',
    'POST',
    '-H',
    'Content-Type: application/json',
    '-H',
    `X-Buildkite-Signature: ${signature}`,
    '--data-binary',
    body,
    `${webhook.url}/`,
  );
}
