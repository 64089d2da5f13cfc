// What IAM says of a service account. Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
// (get; `disabled` is left out when it is false). Changes nothing.

import * as z from 'zod';
import { projectOfAccount } from '../core/policy/account-email.ts';
import type { Clock } from '../runtime/clock.ts';
import { Unavailable } from '../runtime/errors.ts';
import type { Ask } from '../runtime/http-client.ts';
import { expectAnswer, withoutSlash } from './response.ts';

/** IAM's API, called with the service's own identity. */
export interface AccountApi {
  readonly askAsService: Ask;
  readonly iamUrl: string;
  readonly clock: Clock;
}

type AccountState = 'enabled' | 'disabled' | 'missing';

/** What IAM has of the account. Throws Unavailable. */
export type ReadAccountState = (email: string) => Promise<AccountState>;

const accountAnswer = z.object({ email: z.string(), disabled: z.boolean().default(false) });

export function createAccountStateReader({ askAsService, iamUrl, clock }: AccountApi): ReadAccountState {
  return async (email) => {
    const what = 'iam serviceAccounts.get';
    const answer = await askAsService({ what, url: accountUrl(iamUrl, email) });
    if (answer.status === 404) return 'missing';
    const account = expectAnswer(what, answer, accountAnswer, {
      now: clock.now(),
      account: email,
      permission: 'iam.serviceAccounts.get',
    });
    if (account.email !== email) throw new Unavailable(what, 'answered another account');
    return account.disabled ? 'disabled' : 'enabled';
  };
}

/** The account's resource. By its project and not by `-`, which would turn "not found" into "not permitted". */
export function accountUrl(iamUrl: string, email: string): string {
  const project = projectOfAccount(email);
  if (project === undefined) throw new Error('not the address of a pooled account');
  return `${withoutSlash(iamUrl)}/v1/projects/${encodeURIComponent(project)}/serviceAccounts/${encodeURIComponent(email)}`;
}
