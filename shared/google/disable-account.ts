// Takes a pooled account's tokens away: disables it, and believes it only once IAM says so. It cannot enable.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/disable (existing access tokens are
// rejected; disabling twice has no effect).

import * as z from 'zod';
import { Unavailable } from '../runtime/errors.ts';
import { insist } from '../runtime/retry.ts';
import { type AccountApi, accountUrl, createAccountStateReader } from './account-state.ts';
import { expectAnswer, requestReason } from './response.ts';

/**
 * Disables the account until IAM confirms it, or the time is `until`, in milliseconds since the epoch; Google's audit log
 * has the reason. Safe to repeat. Throws Unavailable when it was not confirmed in time.
 */
export type DisableAccount = (email: string, reason: string, until: number) => Promise<void>;

export function createAccountDisabler({ askAsService, iamUrl, clock }: AccountApi): DisableAccount {
  const stateOf = createAccountStateReader({ askAsService, iamUrl, clock });
  return (email, reason, until) =>
    insist({ until, clock }, async () => {
      const what = 'iam serviceAccounts.disable';
      const url = `${accountUrl(iamUrl, email)}:disable`;
      const answer = await askAsService({ what, url, method: 'POST', headers: requestReason(reason), json: {} });
      expectAnswer(what, answer, z.object({}), {
        account: email,
        permission: 'iam.serviceAccounts.disable',
        now: clock.now(),
      });
      if ((await stateOf(email)) !== 'disabled')
        throw new Unavailable(what, 'was answered, but the account is not disabled yet');
    });
}
