// What IAM says of a service account. Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts
// (get; `disabled` is left out when it is false). Changes nothing.

import * as z from 'zod';
import { projectOfAccount } from '../core/policy/account-email.ts';
import type { GetAccountState } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import { parseResponse, stripTrailingSlash } from './response.ts';

/** IAM's API, called with the service's own identity. */
export interface AccountApi {
  readonly sendAsService: HttpClient;
  readonly iamUrl: string;
  readonly clock: Clock;
}

const accountResponse = z.object({ email: z.string(), disabled: z.boolean().default(false) });

export function createAccountStateGetter({ sendAsService, iamUrl, clock }: AccountApi): GetAccountState {
  return async (email) => {
    const dependency = 'iam serviceAccounts.get';
    const response = await sendAsService({ dependency, url: accountUrl(iamUrl, email) });
    if (response.status === 404) return 'missing';
    const account = parseResponse(dependency, response, accountResponse, {
      now: clock.now(),
      account: email,
      permission: 'iam.serviceAccounts.get',
    });
    if (account.email !== email) throw new DependencyError(dependency, 'answered another account');
    return account.disabled ? 'disabled' : 'enabled';
  };
}

/** The account's resource. By its project and not by `-`, which would turn "not found" into "not permitted". */
export function accountUrl(iamUrl: string, email: string): string {
  const project = projectOfAccount(email);
  if (project === undefined) throw new Error('not the address of a pooled account');
  return `${stripTrailingSlash(iamUrl)}/v1/projects/${encodeURIComponent(project)}/serviceAccounts/${encodeURIComponent(email)}`;
}
