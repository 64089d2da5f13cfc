// Watches a simulated desk: keeps what really happened (who was minted which token, which accounts changed, whose end
// was recorded) and holds it against the promises, behind every second in which something happened.

import type { Change } from '../sandbox/google/accounts.ts';
import type { Grant } from '../shared/core/grant.ts';
import { grantId } from '../shared/core/grant-id.ts';
import { fromStored } from '../shared/ledger/firestore-client.ts';
import { toAccount, toGrant } from '../shared/ledger/records.ts';
import { brokenPromises, type LiveToken } from './promises.ts';
import type { GoogleMethod, Issued, SimulatedDesk } from './simulated-desk.ts';

const LIVE = new Set(['issuing', 'active', 'revoking']);
/** Records of which every token expired so long ago hold nothing to judge. Asking for states would read all there are. */
const LONG_DEAD_MS = 10 * 60_000;
const BUSY = ['leased', 'revoking', 'resting'];

interface Minted extends LiveToken {
  readonly at: number;
}

export interface Watch {
  /** What was broken, when first seen. */
  readonly broken: readonly string[];
  /** How often the whole was looked at, and tokens and documents judged in doing so. */
  readonly counts: { looks: number; judged: number };
  /** The fewest accounts that were free at a look. */
  readonly lowWater: () => number;
  /** When the end of a job was recorded, by its id. */
  readonly endedJobs: ReadonlyMap<string, number>;
  /** Every token minted from a service account, by grant. */
  readonly tokensOf: (grant_id: string) => readonly Minted[];
  readonly changesOf: (account: string) => readonly Change[];
  /** The last moment for which a grant's document was seen to let tokens in. */
  readonly letInUntil: (grant_id: string) => number | undefined;
  break(what: string): void;
  jobEnded(job_id: string): void;
  grantEnded(grant_id: string): void;
  issued(issued: Issued): void;
  /** Looks at everything. To be called while nothing is under way. */
  look(): Promise<{ readonly liveGrants: number; readonly busyAccounts: number }>;
}

/** @param fault how calls to Google go wrong */
export function watch(desk: SimulatedDesk, fault: SimulatedDesk['fault']): Watch {
  const { google, clock } = desk;
  const credentialOf = credentialsByAccount(desk);
  const pools = Object.values(desk.policy.credentials).flatMap((credential) =>
    credential.kind === 'pooled_service_account' ? credential.pool : [],
  );
  const pooled = new Set(pools);
  const ownerOf = new Map<number, string>();
  const byAccount = new Map<string, Minted[]>();
  const byGrant = new Map<string, Minted[]>();
  const changes = new Map<string, Change[]>();
  const endedJobs = new Map<string, number>();
  const endedGrants = new Set<string>();
  const letIn = new Map<string, number>();
  const broken = new Map<string, string>();
  const counts = { looks: 0, judged: 0 };
  let live: LiveToken[] = [];
  let mintedSeen = 0;
  let changesSeen = 0;
  let lowWater = pools.length;

  desk.fault = (method: GoogleMethod, account, job_id) => {
    // Minted, if at all, before anybody else's turn: so it will be at this place.
    if (method === 'generateAccessToken') ownerOf.set(google.minted.length, job_id ?? 'nobody');
    return fault?.(method, account, job_id);
  };

  const breaks = (what: string) => {
    if (!broken.has(what)) broken.set(what, `${new Date(clock.now).toISOString()} ${what}`);
  };

  const takeMinted = () => {
    for (; mintedSeen < google.minted.length; mintedSeen += 1) {
      const { account, at, expiresAt } = google.minted[mintedSeen] as (typeof google.minted)[number];
      const job_id = ownerOf.get(mintedSeen) ?? 'nobody';
      const grant_id = grantId(job_id, credentialOf.get(account) ?? '');
      const minted = { account, job_id, grant_id, expiresAt, at };
      const recorded = endedJobs.get(job_id);
      if (recorded !== undefined && recorded < at)
        breaks(`grant ${grant_id}: a token was minted after its job's end was recorded`);
      if (pooled.has(account)) {
        if (byAccount.get(account)?.some((other) => other.job_id !== job_id && other.expiresAt > at))
          breaks(`account ${account}: minted for job ${job_id} while a token of another job had not expired`);
        live.push(minted);
      }
      push(byAccount, account, minted);
      push(byGrant, grant_id, minted);
    }
  };

  const takeChanges = () => {
    for (; changesSeen < google.changes.length; changesSeen += 1) {
      const change = google.changes[changesSeen] as Change;
      push(changes, change.account, change);
      const tokens = byAccount.get(change.account) ?? [];
      if (!change.disabled && tokens.some(({ at, expiresAt }) => at <= change.at && expiresAt > change.at))
        breaks(`account ${change.account}: enabled before its last token had expired`);
    }
  };

  return {
    get broken() {
      return [...broken.values()];
    },
    counts,
    lowWater: () => lowWater,
    endedJobs,
    tokensOf: (grant_id) => byGrant.get(grant_id) ?? [],
    changesOf: (account) => changes.get(account) ?? [],
    letInUntil: (grant_id) => letIn.get(grant_id),
    break: breaks,
    jobEnded: (job_id) => {
      if (!endedJobs.has(job_id)) endedJobs.set(job_id, clock.now);
    },
    grantEnded: (grant_id) => endedGrants.add(grant_id),
    issued: ({ grant, grant_id, expires_at }) => {
      if (expires_at > grant.expires_at) breaks(`grant ${grant_id}: a token was promised for longer than its record`);
      if (grant.kind === 'firestore') letIn.set(grant_id, Math.max(letIn.get(grant_id) ?? 0, grant.expires_at));
      takeMinted();
      if (grant.kind !== 'service_account') return;
      const own = byGrant.get(grant_id)?.findLast(({ at }) => at === clock.now);
      if (own) live.push(own);
      else breaks(`grant ${grant_id}: a token was handed out that Google did not mint for it now`);
    },
    look: async () => {
      takeMinted();
      takeChanges();
      const { now } = clock;
      const [grantDocuments, openDocuments, accountDocuments] = await Promise.all([
        desk.ledger
          .collection('grants')
          .where('expires_at', '>', new Date(now - LONG_DEAD_MS))
          .get(),
        desk.documents.collection('keydesk_grants').where('expires_at', '>', new Date(now)).get(),
        desk.ledger.collection('service_accounts').where('state', 'in', BUSY).get(),
      ]);
      const records = grantDocuments.docs.map((document) => [document.id, toGrant(document) as Grant] as const);
      const grants = new Map(records.filter(([, { state }]) => LIVE.has(state)));
      const documents = new Map<string, number>();
      for (const document of openDocuments.docs) {
        const { state, expires_at } = fromStored(document.data()) as { state: string; expires_at: number };
        if (state !== 'active') continue;
        documents.set(document.id, expires_at);
        letIn.set(document.id, expires_at);
      }
      const accounts = new Map(accountDocuments.docs.flatMap((read) => [[read.id, toAccount(read)] as const]));
      const known = new Map([...accounts].flatMap(([email, account]) => (account ? [[email, account] as const] : [])));
      live = live.filter(({ expiresAt }) => expiresAt > now);
      const found = brokenPromises({
        now,
        grants,
        documents,
        accounts: known,
        tokens: live,
        isPooled: (account) => pooled.has(account),
        isDisabled: (account) => google.accounts.get(account)?.disabled ?? false,
        hasEnded: (id) => endedGrants.has(id) || endedJobs.has(grants.get(id)?.job_id ?? ''),
      });
      for (const what of found) breaks(what);
      for (const what of google.unexpected) breaks(`Google was asked for what it refuses: ${what}`);
      counts.looks += 1;
      counts.judged += documents.size + live.length;
      lowWater = Math.min(lowWater, pools.length - known.size);
      return { liveGrants: grants.size, busyAccounts: known.size };
    },
  };
}

function credentialsByAccount({ policy }: SimulatedDesk): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, credential] of Object.entries(policy.credentials)) {
    if (credential.kind === 'service_account') names.set(credential.email, name);
    if (credential.kind === 'pooled_service_account') for (const email of credential.pool) names.set(email, name);
  }
  return names;
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
