// Takes a pooled account's tokens away: disables it, and believes it only once IAM says so. It cannot enable.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/disable (existing access tokens are
// rejected; disabling twice has no effect).

import * as z from 'zod';
import type { DisableAccount } from '../operations/ports.ts';
import { DependencyError } from '../runtime/errors.ts';
import { retry } from '../runtime/retry.ts';
import { type AccountApi, accountUrl, createAccountStateGetter } from './account-state.ts';
import { parseResponse, requestReason } from './response.ts';

export function createAccountDisabler({ sendAsService, iamUrl, clock }: AccountApi): DisableAccount {
  const getState = createAccountStateGetter({ sendAsService, iamUrl, clock });
  return (email, reason, until) =>
    retry({ until, clock }, async () => {
      const dependency = 'iam serviceAccounts.disable';
      const url = `${accountUrl(iamUrl, email)}:disable`;
      const response = await sendAsService({
        dependency,
        url,
        method: 'POST',
        headers: requestReason(reason),
        json: {},
      });
      parseResponse(dependency, response, z.object({}), {
        account: email,
        permission: 'iam.serviceAccounts.disable',
        now: clock.now(),
      });
      if ((await getState(email)) !== 'disabled')
        throw new DependencyError(dependency, 'was answered, but the account is not disabled yet');
    });
}
