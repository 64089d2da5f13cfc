// Finds the grant of an access token by the token's SHA-256. Only Keydesk can have issued a token that is found.

import type { Database } from '../firestore/database.ts';
import type { LookUpToken } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { toGrant, withLedgerTimeout } from './documents.ts';

export function createTokenLookup(ledger: Database, clock: Clock): LookUpToken {
  const grants = ledger.collection('grants');
  return async (token_sha256) => {
    const query = grants.where('token_sha256s', 'array-contains', token_sha256).limit(1);
    const find = async () => {
      const [found] = (await query.get()).docs;
      return found && toGrant(found);
    };
    return withLedgerTimeout(clock, find());
  };
}
