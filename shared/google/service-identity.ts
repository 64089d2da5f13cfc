// The service's own Google identity: application default credentials and nothing else. In production that is the
// metadata server of the platform. Knows nothing about what the identity is used for.

import { GoogleAuth } from 'google-auth-library';
import { IDENTITY_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from '../runtime/clock.ts';
import { createTimeout, DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
const DEPENDENCY = 'application default credentials';

export interface ServiceIdentity {
  /** Sends requests as the service itself: each carries its access token. */
  readonly sendRequest: HttpClient;
  /** @throws DependencyError when there are no credentials, or Google issues no token for them */
  accessToken(): Promise<string>;
  /** Fetches that token before anybody needs it. Never fails. */
  warmUp(): Promise<void>;
}

export function createServiceIdentity(sendRequest: HttpClient, clock: Clock): ServiceIdentity {
  const auth = new GoogleAuth({ scopes: [CLOUD_PLATFORM] });
  const withDeadline = createTimeout({ clock, milliseconds: IDENTITY_DEADLINE_MS, dependency: DEPENDENCY });
  const accessToken = async (): Promise<string> => {
    const token = await withDeadline(auth.getAccessToken());
    if (!token) throw new DependencyError(DEPENDENCY, 'invalid_response', 'no access token came back');
    return token;
  };
  return {
    sendRequest: async (request) =>
      sendRequest({ ...request, headers: { ...request.headers, authorization: `Bearer ${await accessToken()}` } }),
    accessToken,
    warmUp: async () => {
      await accessToken().catch(() => {});
    },
  };
}
