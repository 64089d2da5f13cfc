// Finds a free account of a pool and keeps its record in step with the grant that leases it. Candidates are fixed
// documents, tried from a random start: no list and no counter that every job would have to write.

import type { Grant } from '../core/grant/grant.ts';
import { isPooledGrant, type PooledGrant } from '../core/kinds/pooled-service-account.ts';
import type { Account } from '../core/pool/account.ts';
import { mayLease, quarantine, reusableAfter } from '../core/pool/lifecycle.ts';
import type { Database, DocumentReference, DocumentSnapshot, WriteBatch } from '../firestore/database.ts';
import { parseAll } from '../firestore/records.ts';
import { toStored } from '../firestore/stored-record.ts';
import type { Clock } from '../runtime/clock.ts';
import { accountDocument, putAccount, toAccount } from './documents.ts';

/** Candidates that are read along with the grant; the others only when none of these is free. */
export const EAGER_READS = 8;
const CACHE_MS = 3_000;

/** A free account's document; one that never served has no record. */
export interface FreeAccount {
  readonly read: DocumentSnapshot;
  readonly record: Account | undefined;
}

/** The pool's accounts in its order, from a start of this request's own. */
export function fromRandomStart(pool: readonly string[], { random }: Clock): string[] {
  const start = Math.floor(random() * pool.length);
  return [...pool.slice(start), ...pool.slice(0, start)];
}

export function findFreeAccount(documents: readonly DocumentSnapshot[], now: number): FreeAccount | undefined {
  const missing = documents.find(({ exists }) => !exists);
  const free = parseAll(documents, toAccount).loaded.find(({ record }) => mayLease(record, now));
  return free ?? (missing && { read: missing, record: undefined });
}

/**
 * Pools found exhausted in the last seconds, with their accounts as they were. A job that repeatedly requests one of
 * 500 accounts gets its response without reading 500 documents each time.
 */
export class ExhaustedPoolCache {
  readonly #clock: Clock;
  readonly #pools = new Map<string, { readonly at: number; readonly accounts: readonly Account[] }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(pool: string, documents: readonly DocumentSnapshot[]): void {
    const accounts = parseAll(documents, toAccount).loaded.map(({ record }) => record);
    this.#pools.set(pool, { at: this.#clock.now(), accounts });
  }

  has(pool: string): boolean {
    const known = this.#pools.get(pool);
    return known !== undefined && this.#clock.now() - known.at < CACHE_MS;
  }

  accountsOf(pool: string): readonly Account[] {
    return this.#pools.get(pool)?.accounts ?? [];
  }
}

/**
 * Adds a longer cooldown to the commit, if the grant now lives longer. Without reading the account: while the grant is live
 * and unchanged, which the same commit ensures, the account is the grant's.
 */
export function renewLease(batch: WriteBatch, account: DocumentReference, grant: PooledGrant): void {
  batch.update(account, toStored({ reusable_at: reusableAfter(grant.expires_at) }));
}

/** Adds to the commit that the account which served the grant so far, and from which Google does not mint, is set aside. */
export async function quarantineAccount(
  ledger: Database,
  batch: WriteBatch,
  grant: Grant | undefined,
  now: number,
): Promise<void> {
  if (!grant || !isPooledGrant(grant) || grant.state === 'expired') return;
  const read = await accountDocument(ledger, grant.service_account).get();
  const account = toAccount(read);
  const quarantined = account && quarantine(account, now);
  if (quarantined) putAccount(batch, read, account, quarantined);
}
