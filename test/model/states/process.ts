// The processes that may be under way, each as the step that comes next and what it knows. Each step is one read or commit of the
// ledger, or one call to Google. A crash, or another process, may come between any two.

import type { EndCause } from '../../../shared/core/grant/end.ts';
import type { JobEndCauseName } from '../../../shared/core/grant/end-causes.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import type { JobRecord } from '../../../shared/core/grant/job-record.ts';
import type { Account } from '../../../shared/core/pool/account.ts';
import type { PlannedIssue } from './issue.ts';
import type { Read, State } from './state.ts';

export type Party = 'token' | 'webhook' | 'sweep' | 'admin';

/** Who a process runs in, and by whose clock it goes: by how many milliseconds that is fast. */
export interface Instance<P extends Party = Party> {
  readonly party: P;
  readonly skew: number;
}

/** The instance alone, for another process in it. */
export function instanceOf<P extends Party>({ party, skew }: Instance<P>): Instance<P> {
  return { party, skew };
}

/** A request for a token: see issue.ts. */
export interface Issue extends Instance<'token'> {
  readonly kind: 'issue';
  readonly job: string;
  readonly credential: string;
  /** The id of its grant. */
  readonly grant: string;
  readonly at: 'prepare' | 'reserve' | 'abandon' | 'mint' | 'activate' | 'reread' | 'activate again' | 'return';
  /** Whether the end of its job was on record, and whether it was blocked, when it began. */
  readonly begun: { readonly ended: boolean; readonly blocked: boolean };
  /** Accounts from which Google did not mint for it. */
  readonly excluded: readonly string[];
  readonly planned?: PlannedIssue;
  /** What an account is given up with. */
  readonly abandoning?: { readonly grant: Read<Grant> };
  readonly reserved?: { readonly grant: Grant; readonly version: number; readonly latestExpiry: number };
  /** Of the two things that are done at once after the reservation. */
  readonly blocksRead?: boolean;
  readonly token?: { readonly id: number; readonly expires_at: number };
  readonly reread?: { readonly grant: Read<Grant>; readonly job: Read<JobRecord> };
  /** When it gives up recording the token. */
  readonly until?: number;
}

/** The end of a job: see end.ts. */
export interface EndJob extends Instance<'webhook' | 'sweep'> {
  readonly kind: 'end job';
  readonly job: string;
  readonly by: JobEndCauseName;
  readonly at: 'job' | 'mark' | 'grants' | 'accounts' | 'commit';
  readonly begunAt: number;
  readonly lostRaces: number;
  readonly jobRead?: Read<JobRecord>;
  readonly grantsRead?: readonly Read<Grant>[];
  readonly accountsRead?: readonly Read<Account>[];
}

/** The next record of one grant, with its account's. */
export interface ChangeGrant extends Instance {
  readonly kind: 'change grant';
  readonly grant: string;
  readonly to: 'ended' | 'revoked' | 'expired';
  readonly cause?: EndCause;
  readonly at: 'read' | 'mark' | 'account' | 'commit';
  readonly lostRaces: number;
  readonly grantRead?: Read<Grant>;
  readonly accountRead?: Read<Account> | undefined;
  /** A part of the kill switch's act. */
  readonly killing?: boolean;
}

/** Access of a `revoking` grant is removed. */
export interface Revoke extends Instance {
  readonly kind: 'revoke';
  readonly known: Grant;
  readonly until: number;
  readonly killing?: boolean;
  /** Where the order is broken. */
  readonly recordedFirst?: boolean;
}

/** A sweep enables an account: see accounts.ts. */
export interface Enable extends Instance<'sweep'> {
  readonly kind: 'enable';
  readonly account: string;
  readonly at: 'claim' | 'send' | 'confirm';
  readonly claimedAt?: number;
}

/** A sweep takes back an account that no grant holds. */
export interface Reclaim extends Instance<'sweep'> {
  readonly kind: 'reclaim';
  readonly known: Read<Account>;
  readonly at: 'grant' | 'write';
}

/** A sweep looks whether an account in cooldown is disabled. */
export interface Recheck extends Instance<'sweep'> {
  readonly kind: 'recheck';
  readonly account: string;
  readonly at: 'list' | 'look' | 'claim' | 'disable' | 'record';
  /** From when on no request to disable it is sent. */
  readonly until?: number;
}

/** The kill switch. */
export interface Kill extends Instance<'admin'> {
  readonly kind: 'kill';
  readonly job: string;
  readonly at: 'block' | 'list';
}

export type Process = Issue | EndJob | ChangeGrant | Revoke | Enable | Reclaim | Recheck | Kill;

/** What may come of a step. `state` lacks nothing but the process itself, which `next` replaces. */
export interface Outcome {
  readonly label: string;
  readonly state: State;
  readonly next: readonly Process[];
  /** Needs one of the budget: a response is lost, or Google refuses. Undisturbed outcomes come first. */
  readonly fault?: boolean;
  /** What the outcome itself shows to be wrong. */
  readonly violations?: readonly string[];
}
