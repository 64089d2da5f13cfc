// What an instance remembers of the ledger, so that the first grant of a job can be written without reading anything before:
// that commit succeeds only if the ledger has neither the grant nor the job. Memory never decides that something is issued.

import type { Blocks } from '../core/kill-switch.ts';
import type { Account } from '../core/pool/account.ts';
import { reusableAfter } from '../core/pool/lifecycle.ts';
import type { Clock } from '../runtime/clock.ts';

/** An operator's block is then no news to an instance, which would otherwise reserve and mint before it reads the block. */
const BLOCKS_RECENT_MS = 60_000;
const MAX_JOBS = 5_000;
const MAX_ACCOUNTS = 1_000;

export class RecentReads {
  readonly #clock: Clock;
  #jobs = new Set<string>();
  #earlierJobs = new Set<string>();
  #blocks: { readonly blocks: Blocks; readonly at: number } | undefined;
  /** Until when tokens of an account may live before its record as shared has to be written again. */
  readonly #sharedUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  addJob(job_id: string): void {
    if (this.#jobs.size >= MAX_JOBS) {
      this.#earlierJobs = this.#jobs;
      this.#jobs = new Set();
    }
    this.#jobs.add(job_id);
  }

  /** Whether the ledger may know the job: a commit that needs it not to would be in vain. */
  hasJob(job_id: string): boolean {
    return this.#jobs.has(job_id) || this.#earlierJobs.has(job_id);
  }

  setBlocks(blocks: Blocks): void {
    this.#blocks = { blocks, at: this.#clock.now() };
  }

  /** Those that were read last; undefined when that was too long ago. */
  get blocks(): Blocks | undefined {
    const read = this.#blocks;
    return read && this.#clock.now() - read.at < BLOCKS_RECENT_MS ? read.blocks : undefined;
  }

  /** An account's record as it was read or written. */
  addAccount(email: string, account: Account | undefined): void {
    if (account?.state !== 'shared') return;
    if (this.#sharedUntil.size >= MAX_ACCOUNTS) this.#sharedUntil.clear();
    this.#sharedUntil.set(email, account.reusable_at);
  }

  /** Whether the account is recorded as shared for as long as a token that ends at `expires_at` needs. No pool may lease it until then. */
  isSharedFor(email: string, expires_at: number): boolean {
    return (this.#sharedUntil.get(email) ?? 0) >= reusableAfter(expires_at);
  }
}
