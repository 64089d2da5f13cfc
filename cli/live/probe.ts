// Sends one request with a canary token, or without any, to an API, and says what the API made of it.

import type { HttpClient } from '../../shared/runtime/http-client.ts';
import { judgeResponse } from './judge.ts';
import type { Probe } from './measure.ts';
import { REQUEST_DEADLINE_MS } from './method.ts';
import type { Target } from './targets.ts';

export function createProbe(target: Target, accessToken: string, sendRequest: HttpClient): Probe {
  return async (use) => {
    const headers = use === 'with_token' ? { authorization: `Bearer ${accessToken}` } : {};
    try {
      const response = await sendRequest({
        dependency: target.api,
        url: target.url,
        headers,
        deadlineMs: REQUEST_DEADLINE_MS,
        // Each request is one observation.
        noResend: true,
      });
      return judgeResponse(response);
    } catch {
      return 'error';
    }
  };
}
