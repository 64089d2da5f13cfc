// The service accounts that exist, whether each is disabled, and IAM's get, disable and enable. Knows neither the
// caller nor the tokens of an account.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts

import { createHash } from 'node:crypto';
import type { Clock } from '../../../shared/runtime/clock.ts';
import type { LocalResponse } from '../../local-server.ts';
import { googleError } from './error.ts';

export interface Change {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly account: string;
  readonly disabled: boolean;
}

export class Accounts {
  readonly states: Map<string, { readonly disabled: boolean }>;
  /** Oldest first. A request for the state that an account already has changes nothing. */
  readonly changes: Change[] = [];
  readonly #clock: Clock;

  constructor(accounts: readonly string[], clock: Clock) {
    this.states = new Map(accounts.map((account) => [account, { disabled: false }]));
    this.#clock = clock;
  }

  get(account: string): LocalResponse {
    const state = this.states.get(account);
    if (!state) return unknownAccount();
    const [displayName, host = ''] = account.split('@');
    const [project, ...domain] = host.replace(/\.iam\.gserviceaccount\.com$/, '').split('.');
    const projectId = domain.length > 0 ? `${domain.join('.')}:${project}` : project;
    const uniqueId = uniqueIdOf(account);
    return {
      status: 200,
      json: {
        name: `projects/${projectId}/serviceAccounts/${account}`,
        projectId,
        uniqueId,
        email: account,
        displayName,
        etag: 'MDEwMjE5MjA=',
        oauth2ClientId: uniqueId,
        // As all of Google's JSON: what is false is left out.
        ...(state.disabled && { disabled: true }),
      },
    };
  }

  /** @param changes when it takes effect, whatever the response was; at once when left out, never when it rejects */
  set(account: string, disabled: boolean, changes?: Promise<unknown>): LocalResponse {
    if (!this.states.has(account)) return unknownAccount();
    const apply = () => {
      if (this.states.get(account)?.disabled === disabled) return;
      this.states.set(account, { disabled });
      this.changes.push({ at: this.#clock.now(), account, disabled });
    };
    if (changes) changes.then(apply, () => {});
    else apply();
    return { status: 200, json: {} };
  }
}

function unknownAccount(): LocalResponse {
  return googleError(404, 'NOT_FOUND', 'Unknown service account');
}

/** 21 digits, the same for an account every time. */
function uniqueIdOf(account: string): string {
  const hash = BigInt(`0x${createHash('sha256').update(account).digest('hex')}`);
  return `1${(hash % 10n ** 20n).toString().padStart(20, '0')}`;
}
