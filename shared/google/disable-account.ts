// Takes a pooled account's tokens away: disables it, and believes it only once IAM says so. It cannot enable.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/disable (existing access tokens are
// rejected; disabling twice has no effect).

import * as z from 'zod';
import { insist, type Patience } from '../insist.ts';
import type { Ask } from '../outgoing.ts';
import { Unavailable } from '../unavailable.ts';
import { accountUrl, createAccountStateReader } from './account-state.ts';
import { expectAnswer, requestReason } from './google-answer.ts';

/** Disables the account until IAM confirms it; Google's audit log has the reason. Safe to repeat. Throws Unavailable when that was not so in time. */
export type DisableAccount = (email: string, reason: string, patience: Patience) => Promise<void>;

export function createAccountDisabler(askAsService: Ask, iamUrl: string): DisableAccount {
  const stateOf = createAccountStateReader(askAsService, iamUrl);
  return (email, reason, patience) =>
    insist(patience, async () => {
      const what = 'iam serviceAccounts.disable';
      const url = `${accountUrl(iamUrl, email)}:disable`;
      const answer = await askAsService({ what, url, method: 'POST', headers: requestReason(reason), json: {} });
      expectAnswer(what, answer, z.object({}));
      if ((await stateOf(email)) !== 'disabled')
        throw new Unavailable(what, 'was answered, but the account is not disabled yet');
    });
}
