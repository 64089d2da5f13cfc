// Sends requests to Google with the rights of the person who runs the command: the access token in GOOGLE_OAUTH_ACCESS_TOKEN, as
// Terraform's provider reads it, or else application default credentials.

import { createServiceIdentity } from '../shared/google/service-identity.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { createHttpClient, type HttpClient } from '../shared/runtime/http-client.ts';

export function createOperatorClient(clock: Clock): HttpClient {
  const sendRequest = createHttpClient(clock);
  const operatorToken = process.env.GOOGLE_OAUTH_ACCESS_TOKEN;
  if (!operatorToken) return createServiceIdentity(sendRequest, clock).sendRequest;
  return (request) =>
    sendRequest({ ...request, headers: { ...request.headers, authorization: `Bearer ${operatorToken}` } });
}
