// The part of the ledger that takes back what a restore has lost. It writes records of grants and accounts that the state machines
// have no step for, so it only takes away: see core/restore/lost-grant.ts. `admin` alone has it.

import type { Grant } from '../core/grant/grant.ts';
import { grantIdOf } from '../core/grant/id.ts';
import { isPooledGrant } from '../core/kinds/pooled-service-account.ts';
import type { Account } from '../core/pool/account.ts';
import { recordShared } from '../core/pool/lifecycle.ts';
import { accountAfterLoss, accountsOfLost, mergeLost } from '../core/restore/lost-grant.ts';
import type { Database, DocumentReference } from '../firestore/database.ts';
import { putIfUnchanged } from '../firestore/records.ts';
import type { ReplayLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { accountDocument, commitWithRetry, grantDocument, toAccount, toGrant } from './documents.ts';

export function createReplayLedger(ledger: Database, clock: Clock): ReplayLedger {
  const writeGrant = async (lost: Grant): Promise<{ readonly grant: Grant; readonly recorded: boolean }> => {
    const read = await grantDocument(ledger, grantIdOf(lost)).get();
    const existing = toGrant(read);
    const after = mergeLost(existing, lost);
    if (!after) return { grant: existing ?? lost, recorded: false };
    const batch = ledger.batch();
    const token_sha256s = after.tokens.map(({ sha256 }) => sha256);
    putIfUnchanged(batch, read.ref, read.updateTime, { ...after, token_sha256s, write_id: null });
    await batch.commit();
    return { grant: after, recorded: true };
  };

  const changeAccount = async (
    document: DocumentReference,
    next: (existing: Account | undefined) => Account | undefined,
  ) => {
    const read = await document.get();
    const after = next(toAccount(read));
    if (!after) return;
    const batch = ledger.batch();
    putIfUnchanged(batch, read.ref, read.updateTime, after);
    await batch.commit();
  };

  const writeAccounts = async (grant: Grant): Promise<void> => {
    if (isPooledGrant(grant))
      for (const [email, reusable_at] of accountsOfLost(grant))
        await commitWithRetry(clock, () =>
          changeAccount(accountDocument(ledger, email), (existing) =>
            accountAfterLoss(existing, { email, grant, reusable_at }, clock.now()),
          ),
        );
    if (grant.kind !== 'service_account') return;
    const use = { credential: grant.credential, latestExpiry: grant.expires_at };
    await commitWithRetry(clock, () =>
      changeAccount(accountDocument(ledger, grant.service_account), (existing) => {
        const shared = recordShared(existing, use, clock.now());
        return 'record' in shared ? shared.record : undefined;
      }),
    );
  };

  return {
    recordLost: async (lost) => {
      const { grant, recorded } = await commitWithRetry(clock, () => writeGrant(lost));
      // Also where the grant is on record: an earlier attempt may have been cut off here.
      await writeAccounts(grant);
      return recorded;
    },
  };
}
