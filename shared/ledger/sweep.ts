// What the sweep finds in the ledger and records there: grants that are not finished or whose time is up, accounts that
// have cooled down. Every query is bounded, and every write is conditional.

import { isDeepStrictEqual } from 'node:util';
import { type Grant, LIVE_STATES } from '../core/grant/grant.ts';
import { isPooledGrant } from '../core/kinds/pooled-service-account.ts';
import type { Account } from '../core/pool/account.ts';
import { claimForDisable, claimForEnable, confirmEnabled, markChecked, quarantine } from '../core/pool/lifecycle.ts';
import { CLOCK_MARGIN_MS } from '../core/timing.ts';
import { type Database, DOCUMENT_ID, type Query } from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import type { GrantPage, SweepLedger } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import {
  accountDocument,
  commitWithRetry,
  grantDocument,
  putAccount,
  readPages,
  toAccount,
  toGrant,
  withLedgerTimeout,
} from './documents.ts';

/** Documents of one query: a grant with many tokens is large. */
const PAGE = 100;
const MAX_ACCOUNTS = 5_000;

export function createSweepLedger(ledger: Database, clock: Clock): SweepLedger {
  const grants = ledger.collection('grants');
  const unended = grants.where('state', 'in', [...LIVE_STATES]);

  const read = (query: Query, limit: number) => readPages(clock, query, { limit, size: PAGE });

  const list = async (query: Query, limit: number): Promise<GrantPage> => {
    const { loaded, unreadable } = parseAll(await read(query, limit), toGrant);
    return { grants: loaded.map(({ record }) => record), unreadable };
  };

  const transitionAccount = (email: string, next: (existing: Account, now: number) => Account | undefined) => {
    const attempt = async () => {
      const read = await accountDocument(ledger, email).get();
      const before = toAccount(read);
      // One that says so already may have been written by another sweep, which then goes on with it. If this sweep wrote it
      // and the response was lost, a later sweep goes on.
      const after = before && next(before, clock.now());
      if (!after) return undefined;
      const batch = ledger.batch();
      putAccount(batch, read, before, after);
      await batch.commit();
      return after;
    };
    return commitWithRetry(clock, attempt);
  };

  return {
    pendingEnds: (limit) => list(grants.where('ending_since', '>', new Date(0)).orderBy('ending_since'), limit),
    pendingRevocations: (limit) =>
      list(grants.where('state', '==', 'revoking').where('access_ended_at', '==', null).orderBy(DOCUMENT_ID), limit),
    overdue: (limit) => {
      const overdue = new Date(clock.now() - CLOCK_MARGIN_MS);
      return list(unended.where('expires_at', '<=', overdue).orderBy('expires_at'), limit);
    },
    accounts: async () => {
      const accounts = ledger.collection('service_accounts').orderBy(DOCUMENT_ID);
      const { loaded, unreadable } = parseAll(await read(accounts, MAX_ACCOUNTS), toAccount);
      return { accounts: loaded.map(({ read, record }) => ({ email: read.id, account: record })), unreadable };
    },
    claimForEnable: (email) => transitionAccount(email, claimForEnable),
    confirmEnabled: (email, enabling_since) =>
      transitionAccount(email, (existing, at) => confirmEnabled(existing, enabling_since, at)),
    markChecked: (email) => transitionAccount(email, markChecked),
    claimForDisable: (email) => transitionAccount(email, claimForDisable),
    reclaim: async ({ email, account }) => {
      const document = await withLedgerTimeout(clock, grantDocument(ledger, account.grant_id ?? 'none').get());
      const { loaded, unreadable } = parseAll([document], toGrant);
      const [grant] = loaded.map(({ record }) => record);
      const holds = grant !== undefined && isPooledGrant(grant) && grant.service_account === email && isLive(grant);
      if (holds || unreadable.length > 0) return undefined;
      // Only if unchanged: the grant may have been requested again, and have leased this very account, since it was read.
      return transitionAccount(email, (existing, at) =>
        isDeepStrictEqual(existing, account) ? quarantine(existing, at) : undefined,
      );
    },
  };
}

function isLive({ state }: Grant): boolean {
  return state === 'issuing' || state === 'active' || state === 'revoking';
}
