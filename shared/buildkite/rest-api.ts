// Requests to Buildkite's REST API: with the API token, a deadline, and an error that says what kind of failure it is.
// Source: buildkite.com/docs/apis/rest-api.

import { BUILDKITE, LookupError } from '../operations/lookup-error.ts';
import type { BuildkiteResponse } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient, JsonResponse } from '../runtime/http-client.ts';
import { parseRateLimit, parseWait } from './rate-limit.ts';

const DEADLINE_MS = 8_000;
/**
 * The step's author writes the command, the label and the artifact paths. An agent passes each to the command in one
 * environment variable, which Linux limits to 128 KiB (MAX_ARG_STRLEN); JSON may write six bytes for one. So one job
 * needs less than 3 MiB. A page of 100 jobs usually has less than 1 MiB; a larger one is replaced by lookups of single jobs.
 */
const MAX_BYTES = 8 * 1024 * 1024;

export interface RestApi {
  /** The name of the dependency in errors. */
  readonly dependency: string;
  /** @param path after `/v2/` @returns undefined for a 404 @throws LookupError */
  get<T>(
    path: string,
    parse: (json: unknown, headers: JsonResponse['headers']) => T,
  ): Promise<BuildkiteResponse<T | undefined>>;
}

export function createRestApi(deps: {
  readonly sendRequest: HttpClient;
  readonly apiUrl: string;
  readonly apiToken: string;
  readonly clock: Clock;
  /** By default the one for jobs. */
  readonly dependency?: string;
}): RestApi {
  const { sendRequest, apiUrl, apiToken, clock, dependency = BUILDKITE } = deps;
  return {
    dependency,
    get: async (path, parse) => {
      const response = await send(sendRequest, {
        dependency,
        url: `${apiUrl.replace(/\/$/, '')}/v2/${path}`,
        headers: { authorization: `Bearer ${apiToken}` },
      });
      const { status, json, headers } = response;
      const limit = parseRateLimit(response);
      if (status === 404) return { ...limit, value: undefined };
      if (status === 429)
        throw new LookupError('limited', 'returned 429', { dependency, retryAfter: parseWait(response, clock.now()) });
      if (status === 401 || status === 403) throw new LookupError('refused', `returned ${status}`, { dependency });
      if (status !== 200) throw new LookupError('failed', `returned ${status}`, { dependency, code: 'error_response' });
      return { ...limit, value: parse(json, headers) };
    },
  };
}

async function send(
  sendRequest: HttpClient,
  request: { dependency: string; url: string; headers: Record<string, string> },
): Promise<JsonResponse> {
  try {
    return await sendRequest({
      ...request,
      deadlineMs: DEADLINE_MS,
      maxBytes: MAX_BYTES,
      noResend: true,
    });
  } catch (error) {
    if (!DependencyError.is(error)) throw error;
    const { code, dependency } = error;
    // One that is slow says nothing about the others.
    const kind = code === 'response_too_large' ? 'too_large' : code === 'unreachable' ? 'unreachable' : 'failed';
    throw new LookupError(kind, error.message.replace(`${dependency}: `, ''), { code, dependency, cause: error });
  }
}
