// Lets a rested account work again: enables it, and believes it only once IAM says so. Only the sweep has this.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/enable. Its existing access tokens
// are accepted again, so whoever calls this has made sure that all of them have expired.

import * as z from 'zod';
import type { EnableAccount } from '../operations/ports.ts';
import { DependencyError } from '../runtime/errors.ts';
import { retry } from '../runtime/retry.ts';
import { type AccountApi, accountUrl, createAccountStateGetter } from './account-state.ts';
import { parseResponse } from './response.ts';

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
        throw new DependencyError(dependency, 'was answered, but the account is not enabled yet');
    });
  };
}
