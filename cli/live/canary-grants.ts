// The canary grants of a run: obtains them, and ends each of them, whatever happens. One whose request got no response may exist all
// the same, so a token of it is requested again to release it.

import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError, errorMessage } from '../../shared/runtime/errors.ts';
import type { RequestJobToken } from './job-token.ts';
import { ISSUE_WITHIN_MS, RELEASE_WITHIN_MS, RETRY_PAUSE_MS } from './method.ts';
import type { Issued, Refused, Service } from './service.ts';

/** Claims that Buildkite adds on request, and most policies need. A policy that needs more names them in its refusal. */
const CLAIMS = ['organization_id', 'pipeline_id'];

export interface CanaryGrant {
  readonly credential: string;
  readonly issued: Issued;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

interface Deps {
  readonly service: Service;
  readonly requestJobToken: RequestJobToken;
  readonly clock: Clock;
  /** Takes a line about what takes long. */
  readonly note: (line: string) => void;
}

export class CanaryGrants {
  readonly #deps: Deps;
  readonly #held = new Map<string, CanaryGrant>();
  /** Credentials for which a request got no response. */
  readonly #uncertain = new Set<string>();
  /** What the policy demanded for a credential: without these claims a request for it is refused. */
  readonly #claims = new Map<string, readonly string[]>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Waits while the credential cannot be issued for now. @throws the reason of `signal` */
  async obtain(credential: string, signal: AbortSignal): Promise<CanaryGrant | Refused> {
    const { clock, note } = this.#deps;
    const until = clock.now() + ISSUE_WITHIN_MS;
    for (;;) {
      const requested = await this.#requestWithClaims(credential, signal);
      if ('issued' in requested) return requested;
      const pause = pauseOf(requested);
      if (!requested.passing || clock.now() + pause >= until) return requested;
      note(
        `${credential} is not issued now: ${requested.why} The command tries again in ${Math.ceil(pause / 1000)} s.`,
      );
      await clock.sleep(pause, signal);
    }
  }

  /** Ends a grant. @throws DependencyError when Keydesk does not confirm it in time */
  async release({ issued, credential }: CanaryGrant): Promise<void> {
    const { clock, service } = this.#deps;
    const until = clock.now() + RELEASE_WITHIN_MS;
    for (;;) {
      const refused = await service.revoke(issued.access_token).catch((error) => noResponse(error));
      if (!refused) {
        this.#held.delete(issued.access_token);
        return;
      }
      const pause = pauseOf(refused);
      if (!refused.passing || clock.now() + pause >= until)
        throw new DependencyError(
          'Keydesk',
          'not_confirmed',
          `the grant of ${credential} was not released (${refused.why})`,
        );
      await clock.sleep(pause);
    }
  }

  /** Ends every grant that may be left. @returns the credentials whose end Keydesk did not confirm */
  async releaseAll(): Promise<readonly string[]> {
    const left: string[] = [];
    for (const credential of [...this.#uncertain]) {
      const requested = await this.#requestWithClaims(credential).catch(() => undefined);
      if (this.#uncertain.has(credential) || !requested) left.push(credential);
    }
    for (const grant of [...this.#held.values()])
      await this.release(grant).catch(() => {
        left.push(grant.credential);
      });
    return [...new Set(left)];
  }

  /** Adds the claims that a refusal names, and requests again. @throws the reason of `signal` */
  async #requestWithClaims(credential: string, signal?: AbortSignal): Promise<CanaryGrant | Refused> {
    for (;;) {
      const claims = this.#claims.get(credential) ?? CLAIMS;
      const requested = await this.#request(credential, claims);
      const missing = 'issued' in requested ? [] : requested.missingClaims.filter((claim) => !claims.includes(claim));
      if (missing.length > 0) this.#claims.set(credential, [...claims, ...missing]);
      signal?.throwIfAborted();
      if (missing.length === 0) return requested;
    }
  }

  /** Not to be given up: its response is the only way to the grant. */
  async #request(credential: string, claims: readonly string[]): Promise<CanaryGrant | Refused> {
    const { clock, service, requestJobToken } = this.#deps;
    const jobToken = await requestJobToken(claims);
    const requestedAt = clock.now();
    try {
      const response = await service.issue(credential, jobToken);
      if ('refused' in response) return response.refused;
      this.#uncertain.delete(credential);
      const { issued } = response;
      const grant: CanaryGrant = { credential, issued, expiresAt: requestedAt + issued.expires_in * 1000 };
      this.#held.set(issued.access_token, grant);
      return grant;
    } catch (error) {
      this.#uncertain.add(credential);
      return noResponse(error);
    }
  }
}

function noResponse(error: unknown): Refused {
  if (!DependencyError.is(error)) throw error;
  return { why: `${errorMessage(error)}.`, missingClaims: [], passing: true, retryAfter: undefined };
}

function pauseOf({ retryAfter }: Refused): number {
  return Math.max(RETRY_PAUSE_MS, (retryAfter ?? 0) * 1000);
}
