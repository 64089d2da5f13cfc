// Finds a free account of a pool and keeps its record in step with the grant that leases it. Candidates are fixed
// documents, tried from a random start: no list and no counter that every job would have to write.

import type { DocumentReference, DocumentSnapshot, Firestore, WriteBatch } from '@google-cloud/firestore';
import type { Account } from '../core/account.ts';
import { setAside } from '../core/account-life.ts';
import type { Grant, PooledGrant } from '../core/grant.ts';
import { CLOCK_MARGIN_MS } from '../core/grant-life.ts';
import { poolExhausted } from '../core/pool.ts';
import type { Refusal } from '../core/refusal.ts';
import { toStored } from './firestore-client.ts';
import { accountDocument, putAccount, readable, toAccount } from './records.ts';

/** Candidates that are read along with the grant; the others only when none of these is free. */
export const NEAR = 8;

/** A free account's document; one that never served has no record. */
export interface FreeAccount {
  readonly read: DocumentSnapshot;
  readonly record: Account | undefined;
}

/** The pool's accounts in an order of this request's own. */
export function shuffled(pool: readonly string[]): string[] {
  const start = Math.floor(Math.random() * pool.length);
  return [...pool.slice(start), ...pool.slice(0, start)];
}

export async function findFreeAccount(
  ledger: Firestore,
  near: readonly DocumentSnapshot[],
  far: readonly string[],
  now: number,
): Promise<FreeAccount | { readonly refusal: Refusal }> {
  const found = firstFree(near);
  if (found) return found;
  const others = far.length > 0 ? await ledger.getAll(...far.map((email) => accountDocument(ledger, email))) : [];
  const all = [...near, ...others];
  const accounts = readable(all, toAccount).held.map(({ record }) => record);
  return firstFree(others) ?? { refusal: poolExhausted(accounts, all.length, now) };
}

function firstFree(documents: readonly DocumentSnapshot[]): FreeAccount | undefined {
  const missing = documents.find(({ exists }) => !exists);
  const free = readable(documents, toAccount).held.find(({ record }) => record.state === 'free');
  return free ?? (missing && { read: missing, record: undefined });
}

/**
 * Adds to the commit that the account rests longer, should its grant now live longer. Unread: while the grant is live
 * and unchanged, which the same commit makes sure of, the account is the grant's.
 */
export function renewLease(batch: WriteBatch, account: DocumentReference, grant: PooledGrant): void {
  batch.update(account, toStored({ rests_until: grant.expires_at + CLOCK_MARGIN_MS }));
}

/** Adds to the commit that the account which served the grant so far, and from which Google does not mint, is set aside. */
export async function setAsideAccount(
  ledger: Firestore,
  batch: WriteBatch,
  grant: Grant | undefined,
  now: number,
): Promise<void> {
  if (grant?.kind !== 'pooled_service_account' || grant.state === 'expired') return;
  const read = await accountDocument(ledger, grant.service_account).get();
  const account = toAccount(read);
  const aside = account && setAside(account, now);
  if (aside) putAccount(batch, read, account, aside);
}
