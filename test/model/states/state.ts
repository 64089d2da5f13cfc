// A state of the search: the documents of the ledger with their versions, what is true at Google, the processes that are under way,
// and how much may still happen. Immutable. Times are milliseconds since the epoch, by a clock that is right.

import type { Grant } from '../../../shared/core/grant/grant.ts';
import type { JobRecord } from '../../../shared/core/grant/job-record.ts';
import type { Blocks } from '../../../shared/core/kill-switch.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import type { Process } from './process.ts';

/** A document of the ledger; `version` changes with each write. */
interface Stored<T> {
  readonly version: number;
  readonly record: T;
}
export type Collection<T> = Readonly<Record<string, Stored<T>>>;

/** The document that security rules look up. */
interface GrantDocument {
  readonly state: 'active' | 'ended';
  readonly expires_at: number;
}

/** A token that exists, until it has expired. */
export interface Token {
  readonly id: number;
  readonly grant: string;
  /** The pooled account it was minted from; undefined where rules judge it. */
  readonly account: string | undefined;
  /** When it truly expires, and when it does on the clock of its function. */
  readonly end: number;
  readonly expires_at: number;
  /** Whether the record of its grant ever had it, and whether it was returned. */
  readonly recorded: boolean;
  readonly returned: boolean;
}

/** A request to Google without a response, which Google may carry out until then. */
interface LateCall {
  readonly call: 'disable' | 'enable';
  readonly account: string;
  readonly until: number;
}

/** How often each thing may still happen. */
export interface Budget {
  readonly requests: number;
  readonly webhooks: number;
  readonly kills: number;
  readonly releases: number;
  readonly crashes: number;
  /** Responses that are lost, and mints that Google refuses. */
  readonly faults: number;
  /** Waits of half a lifetime, in addition to those until something falls due. */
  readonly waits: number;
  /** How often time may pass while a process is under way: it was frozen. */
  readonly freezes: number;
}

export interface State {
  readonly now: number;
  /** The next version or id. */
  readonly next: number;
  readonly grants: Collection<Grant>;
  readonly jobs: Collection<JobRecord>;
  readonly accounts: Collection<Account>;
  readonly documents: Collection<GrantDocument>;
  readonly blocks: Blocks;
  /** Accounts that are disabled at Google. */
  readonly disabled: readonly string[];
  readonly tokens: readonly Token[];
  readonly late: readonly LateCall[];
  readonly processes: readonly Process[];
  /** Jobs that have finished at Buildkite. */
  readonly finished: readonly string[];
  /** Processes of the kill switch's act that are to end; null before it and when one of them was cut off. */
  readonly killing: number | null;
  readonly budget: Budget;
}

/** A document as it was read; `version` and `record` are undefined where there is none. */
export interface Read<T> {
  readonly id: string;
  readonly version: number | undefined;
  readonly record: T | undefined;
}

export function read<T>(collection: Collection<T>, id: string): Read<T> {
  const stored = collection[id];
  return { id, version: stored?.version, record: stored?.record };
}

interface Records {
  readonly grants: Grant;
  readonly jobs: JobRecord;
  readonly accounts: Account;
  readonly documents: GrantDocument;
}

/** A write in a commit. A `patch` has no condition but that the document exists; any other, that its version is the one read. */
export type Write = {
  [Name in keyof Records]:
    | { readonly in: Name; readonly read: Read<Records[Name]>; readonly record: Records[Name] }
    | { readonly in: Name; readonly id: string; readonly patch: Partial<Records[Name]> };
}[keyof Records];

/** The state after the commit; undefined when a condition does not hold, and nothing is written. */
export function commit(state: State, writes: readonly Write[], checkVersions: boolean): State | undefined {
  let { next } = state;
  const collections: Record<string, Record<string, Stored<unknown>>> = {};
  for (const write of writes) {
    const before: Collection<unknown> = collections[write.in] ?? state[write.in];
    const id = 'read' in write ? write.read.id : write.id;
    const stored = before[id];
    if ('read' in write) {
      if (checkVersions && stored?.version !== write.read.version) return undefined;
    } else if (!stored) return undefined;
    const record = 'read' in write ? write.record : { ...(stored?.record as object), ...write.patch };
    next += 1;
    collections[write.in] = { ...before, [id]: { version: next, record } };
  }
  return { ...state, next, ...(collections as Partial<State>) };
}
