// The state of service accounts in IAM: reads it, disables an account to reject its tokens, and enables it again. A change
// counts only once IAM confirms it. Each function's bundle has only the part that its identity may do.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (get, disable, enable).

import * as z from 'zod';
import { projectOfAccount } from '../core/policy/account-email.ts';
import type { DisableAccount, EnableAccount, GetAccountState } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { DependencyError } from '../runtime/errors.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import { retry } from '../runtime/retry.ts';
import { parseResponse, requestReason, stripTrailingSlash } from './response.ts';

/** IAM's API, called with the service's own identity. */
export interface AccountApi {
  readonly sendAsService: HttpClient;
  readonly iamUrl: string;
  readonly clock: Clock;
}

/** IAM leaves `disabled` out when it is false. */
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
    if (account.email !== email) throw new DependencyError(dependency, 'invalid_response', 'returned another account');
    return account.disabled ? 'disabled' : 'enabled';
  };
}

/** Google rejects the existing access tokens of a disabled account. To disable one twice has no effect. */
export function createAccountDisabler({ sendAsService, iamUrl, clock }: AccountApi): DisableAccount {
  const getState = createAccountStateGetter({ sendAsService, iamUrl, clock });
  return (email, reason, until) =>
    retry({ until, clock }, async () => {
      const dependency = 'iam serviceAccounts.disable';
      const url = `${accountUrl(iamUrl, email)}:disable`;
      const headers = requestReason(reason);
      // Sent late, as by an instance that was frozen, it would reach the next job on the account.
      const response = await sendAsService({ dependency, url, method: 'POST', headers, json: {}, until });
      parseResponse(dependency, response, z.object({}), {
        account: email,
        permission: 'iam.serviceAccounts.disable',
        now: clock.now(),
      });
      if ((await getState(email)) !== 'disabled')
        throw new DependencyError(dependency, 'not_confirmed', 'succeeded, but the account is not disabled yet');
    });
}

/** Google accepts an enabled account's existing tokens again: the caller has made sure that all of them have expired. */
export function createAccountEnabler({ sendAsService, iamUrl, clock }: AccountApi): EnableAccount {
  const getState = createAccountStateGetter({ sendAsService, iamUrl, clock });
  return async (email, until) => {
    const deadline = { until, clock };
    if ((await retry(deadline, () => getState(email))) === 'enabled') return;
    const dependency = 'iam serviceAccounts.enable';
    const url = `${accountUrl(iamUrl, email)}:enable`;
    const response = await sendAsService({ dependency, url, method: 'POST', json: {}, until, noResend: true });
    parseResponse(dependency, response, z.object({}), {
      account: email,
      permission: 'iam.serviceAccounts.enable',
      now: clock.now(),
    });
    await retry(deadline, async () => {
      if ((await getState(email)) !== 'enabled')
        throw new DependencyError(dependency, 'not_confirmed', 'succeeded, but the account is not enabled yet');
    });
  };
}

/** The account's resource. By its project and not by `-`, which would turn "not found" into "not permitted". */
export function accountUrl(iamUrl: string, email: string): string {
  const project = projectOfAccount(email);
  if (project === undefined) throw new Error('not the address of a pooled account');
  return `${stripTrailingSlash(iamUrl)}/v1/projects/${encodeURIComponent(project)}/serviceAccounts/${encodeURIComponent(email)}`;
}
