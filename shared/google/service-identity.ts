// The service's own Google identity: application default credentials and nothing else. In production that is the
// metadata server of the platform. Knows nothing about what the identity is used for.

import { GoogleAuth } from 'google-auth-library';
import { IDENTITY_DEADLINE_MS } from '../core/deadlines.ts';
import type { Clock } from '../runtime/clock.ts';
import { createWithin, Unavailable } from '../runtime/errors.ts';
import type { Ask } from '../runtime/http-client.ts';

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';
const WHO = 'application default credentials';

export interface ServiceIdentity {
  /** Asks as the service itself: the request carries its access token. */
  readonly ask: Ask;
  /** Fetches that token before anybody needs it. Never fails. */
  warm(): Promise<void>;
}

export function createServiceIdentity(ask: Ask, clock: Clock): ServiceIdentity {
  const auth = new GoogleAuth({ scopes: [CLOUD_PLATFORM] });
  const inTime = createWithin({ clock, milliseconds: IDENTITY_DEADLINE_MS, what: WHO });
  const accessToken = async (): Promise<string> => {
    const token = await inTime(auth.getAccessToken());
    if (!token) throw new Unavailable(WHO, 'no access token came back');
    return token;
  };
  return {
    ask: async (request) =>
      ask({ ...request, headers: { ...request.headers, authorization: `Bearer ${await accessToken()}` } }),
    warm: async () => {
      await accessToken().catch(() => {});
    },
  };
}
