// Lets a rested account work again: enables it, and believes it only once IAM says so. Only the sweep has this.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/enable. Its existing access tokens
// are accepted again, so whoever calls this has made sure that all of them have expired.

import * as z from 'zod';
import { Unavailable } from '../runtime/errors.ts';
import { insist } from '../runtime/retry.ts';
import { type AccountApi, accountUrl, createAccountStateReader } from './account-state.ts';
import { expectAnswer } from './response.ts';

/**
 * Enables the account unless it is so already, and asks IAM until it confirms. Sends one request to enable, none from
 * `until` on (milliseconds since the epoch), and never a second: one that was not answered may be carried out later. Throws
 * Unavailable when IAM does not confirm it.
 */
export type EnableAccount = (email: string, until: number) => Promise<void>;

export function createAccountEnabler({ askAsService, iamUrl, clock }: AccountApi): EnableAccount {
  const stateOf = createAccountStateReader({ askAsService, iamUrl, clock });
  return async (email, until) => {
    const patience = { until, clock };
    if ((await insist(patience, () => stateOf(email))) === 'enabled') return;
    const what = 'iam serviceAccounts.enable';
    const url = `${accountUrl(iamUrl, email)}:enable`;
    const answer = await askAsService({ what, url, method: 'POST', json: {}, until, once: true });
    expectAnswer(what, answer, z.object({}), {
      account: email,
      permission: 'iam.serviceAccounts.enable',
      now: clock.now(),
    });
    await insist(patience, async () => {
      if ((await stateOf(email)) !== 'enabled')
        throw new Unavailable(what, 'was answered, but the account is not enabled yet');
    });
  };
}
