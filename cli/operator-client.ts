// Sends requests to Google with the rights of the person who runs the command: the access token in GOOGLE_OAUTH_ACCESS_TOKEN, as
// Terraform's provider reads it, or else application default credentials.

import { createServiceIdentity } from '../shared/google/service-identity.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { createHttpClient, type HttpClient } from '../shared/runtime/http-client.ts';

/** What a person does when there are no credentials, or Google does not accept them. */
export const LOG_IN =
  'Run: gcloud auth application-default login. Or set GOOGLE_OAUTH_ACCESS_TOKEN="$(gcloud auth print-access-token)"';

export interface OperatorClient {
  readonly send: HttpClient;
  /** @throws DependencyError when there are no credentials. Without it, the first request throws the same. */
  readonly authenticate: () => Promise<void>;
}

export function createOperatorClient(clock: Clock): OperatorClient {
  const sendRequest = createHttpClient(clock);
  const operatorToken = process.env.GOOGLE_OAUTH_ACCESS_TOKEN;
  if (operatorToken)
    return {
      send: (request) =>
        sendRequest({ ...request, headers: { ...request.headers, authorization: `Bearer ${operatorToken}` } }),
      authenticate: async () => {},
    };
  hideMetadataWarning();
  const identity = createServiceIdentity(sendRequest, clock);
  return {
    send: identity.sendRequest,
    authenticate: async () => {
      await identity.accessToken();
    },
  };
}

/** On a machine outside of Google, google-auth-library warns that there is no metadata server. The error that follows says what to do. */
function hideMetadataWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== 'MetadataLookupWarning') emitWarning(...args);
  };
}
