// The keys of the policy's identity providers. Each provider has a cache of its own: one that cannot be reached keeps no other from
// being used.

import type { Policy } from '../core/policy/policy.ts';
import { type GetKeys, JwksCache, type KeySetProblem } from '../oidc/jwks-cache.ts';
import type { Clock } from '../runtime/clock.ts';
import type { HttpClient } from '../runtime/http-client.ts';

export interface ProviderKeys {
  /** Finds the keys of a provider by its name in the policy. */
  readonly getKeys: (provider: string) => GetKeys;
  /** Fetches the keys of all providers before a request needs them. Never fails. */
  readonly warmUp: () => Promise<void>;
}

export function createProviderKeys(deps: {
  readonly policy: Pick<Policy, 'identityProviders'>;
  readonly sendRequest: HttpClient;
  readonly clock: Clock;
  readonly onUnusable: (problem: KeySetProblem) => void;
}): ProviderKeys {
  const { policy, ...rest } = deps;
  const caches = new Map(
    Object.entries(policy.identityProviders).map(([name, { keys: url, algorithms }]) => [
      name,
      new JwksCache({ ...rest, url, algorithms, dependency: `keys of ${name}` }),
    ]),
  );
  return {
    getKeys: (provider) => {
      const cache = caches.get(provider);
      if (!cache) throw new Error(`the policy has no identity provider ${provider}`);
      return cache.getKeys;
    },
    warmUp: async () => {
      await Promise.all([...caches.values()].map((cache) => cache.warmUp()));
    },
  };
}
