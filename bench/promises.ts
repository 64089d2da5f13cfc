// What Keydesk promises, judged from one moment of a simulated world: the records, the documents that rules read, and
// Google's tokens and accounts as they really are. Pure: says what is broken, knows nothing of how it came to be.

import type { Account } from '../shared/core/account.ts';
import type { Grant } from '../shared/core/grant.ts';

/** An access token of a service account that Google would accept by its time. */
export interface LiveToken {
  readonly account: string;
  readonly job_id: string;
  readonly grant_id: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface World {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Records that say `issuing`, `active` or `revoking`, by id. */
  readonly grants: ReadonlyMap<string, Grant>;
  /** When the documents that let tokens in now will let them in no longer, by the grant's id. */
  readonly documents: ReadonlyMap<string, number>;
  /** Records of pooled accounts, by address. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** Every token minted from a pooled account, and those handed out of a shared one. */
  readonly tokens: readonly LiveToken[];
  readonly isPooled: (account: string) => boolean;
  readonly isDisabled: (account: string) => boolean;
  /** Whether the end of the grant's job, or its own, had been recorded. */
  readonly hasEnded: (grant_id: string) => boolean;
}

/** What is broken, one sentence each. */
export function brokenPromises(world: World): string[] {
  return [
    ...[...world.documents].flatMap(([id, until]) => brokenByDocument(world, id, until)),
    ...world.tokens.flatMap((token) => brokenByToken(world, token)),
    ...sharedLeases(world.grants),
  ];
}

function brokenByDocument({ grants, hasEnded }: World, id: string, until: number): string[] {
  const grant = grants.get(id);
  if (!grant) return [`grant ${id}: its document lets tokens in, but no live record says so`];
  if (grant.expires_at < until) return [`grant ${id}: its document lets tokens in for longer than its record says`];
  if (hasEnded(id) && grant.state !== 'revoking')
    return [`grant ${id}: its end was recorded, its document lets tokens in, and its record says ${grant.state}`];
  return [];
}

function brokenByToken(world: World, token: LiveToken): string[] {
  const { account, grant_id } = token;
  if (world.isDisabled(account)) return [];
  const grant = world.grants.get(grant_id);
  const about = `grant ${grant_id}: a token of ${account} is accepted`;
  if (!grant || grant.kind === 'firestore') return [`${about}, but no live record says so`];
  if (grant.service_account !== account) return [`${about}, but the record names ${grant.service_account}`];
  if (grant.expires_at < token.expiresAt) return [`${about} for longer than its record says`];
  const ended = world.hasEnded(grant_id);
  if (!world.isPooled(account))
    return ended && grant.ended_at === null ? [`${about}, its end was recorded, but not that it ended`] : [];
  if (ended && grant.state !== 'revoking')
    return [`${about}, its end was recorded, and its record says ${grant.state}`];
  const record = world.accounts.get(account);
  const serves = record?.grant === grant_id && (record.state === 'leased' || record.state === 'revoking');
  return serves ? [] : [`${about}, but the account's record says ${record?.state ?? 'nothing'}`];
}

function sharedLeases(grants: ReadonlyMap<string, Grant>): string[] {
  const holders = new Map<string, string>();
  const broken: string[] = [];
  for (const [id, grant] of grants) {
    if (grant.kind !== 'pooled_service_account') continue;
    const other = holders.get(grant.service_account);
    if (other !== undefined) broken.push(`account ${grant.service_account} serves two grants, ${other} and ${id}`);
    holders.set(grant.service_account, id);
  }
  return broken;
}
