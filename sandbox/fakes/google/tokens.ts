// The access tokens of service accounts, downscoped or not, and whether one is accepted now: by its end and by the state
// of its account. A gate judges them as Google's APIs do. Does not know the caller, or what a boundary means.
// Source: docs.cloud.google.com/iam/docs/service-account-overview (disabled accounts' tokens).

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalResponse } from '../../local-server.ts';
import type { Accounts } from './accounts.ts';
import type { Boundary } from './boundary.ts';
import { googleError, unauthenticated } from './error.ts';

const DOMAIN = 'googleapis.com';

export interface IssuedToken {
  readonly account: string;
  /** Milliseconds since the epoch, as `at`. */
  readonly expiresAt: number;
  readonly at: number;
}

export interface AccessToken extends IssuedToken {
  readonly scope: readonly string[];
  /** Of a downscoped token. */
  readonly boundary?: Boundary;
}

/** How long the tokens of an account that is disabled are accepted all the same. For tests alone. */
export interface Propagation {
  /** Milliseconds after the account was disabled; `Infinity` for ever. */
  readonly delayMs: number;
  /** Accepts one request of each account once more: the one that would be its nth rejection. */
  readonly acceptNthRejection?: number;
}

export class Tokens {
  /** Undefined: the tokens of a disabled account are rejected at once. */
  propagation: Propagation | undefined;
  readonly #issued = new Map<string, AccessToken>();
  /** By account: how many requests were, or would have been, rejected because it is disabled. */
  readonly #rejections = new Map<string, number>();
  readonly #accounts: Accounts;
  readonly #clock: Clock;

  constructor(accounts: Accounts, clock: Clock) {
    this.#accounts = accounts;
    this.#clock = clock;
  }

  /** @returns the access token */
  issue(start: string, token: AccessToken): string {
    const accessToken = `${start}${randomBytes(32).toString('base64url')}`;
    this.#issued.set(accessToken, token);
    return accessToken;
  }

  /** What is behind a token, or how every API refuses it. */
  judge(accessToken: string): { readonly token: AccessToken } | { readonly refusal: LocalResponse } {
    const token = this.#issued.get(accessToken);
    if (!token) return { refusal: unauthenticated() };
    if (token.expiresAt <= this.#clock.now())
      return { refusal: unauthenticated({ reason: 'ACCESS_TOKEN_EXPIRED', domain: DOMAIN, metadata: {} }) };
    // Whether disabling an account ends the tokens downscoped from its own is not established. The worse is assumed: they
    // live on until they expire. Nothing in Keydesk may hang on it, either way.
    if (!token.boundary && this.#accounts.states.get(token.account)?.disabled && this.#hasPropagated(token.account)) {
      const metadata = { email: token.account };
      return { refusal: unauthenticated({ reason: 'ACCOUNT_STATE_INVALID', domain: DOMAIN, metadata }) };
    }
    return { token };
  }

  #hasPropagated(account: string): boolean {
    if (!this.propagation) return true;
    const { delayMs, acceptNthRejection } = this.propagation;
    const disabledAt = this.#accounts.changes.findLast((change) => change.account === account)?.at ?? 0;
    if (this.#clock.now() < disabledAt + delayMs) return false;
    const rejections = (this.#rejections.get(account) ?? 0) + 1;
    this.#rejections.set(account, rejections);
    return rejections !== acceptNthRejection;
  }

  /** Stands for every API but Cloud Storage: a downscoped token opens none of them. */
  gate(accessToken: string): LocalResponse {
    const judged = this.judge(accessToken);
    if ('refusal' in judged) return judged.refusal;
    const { account, scope, boundary } = judged.token;
    if (boundary) return googleError(403, 'PERMISSION_DENIED', 'The caller does not have permission');
    return { status: 200, json: { account, scope: scope.join(' ') } };
  }
}
