// I4: a pooled account serves one job at a time, by the ledger's leases and by Google's own log. I5: it is enabled again only
// after the last token ever issued from it has expired.

import { type Evidence, jobOf, observed, type StoredDocument, timeOf } from './evidence.ts';
import type { Fields } from './firestore-export.ts';
import { at, type Judged, Judgement } from './verdict.ts';

interface Lease {
  readonly account: string;
  readonly grant: string;
  readonly job: string;
  readonly from: number;
  readonly until: number;
}

export function judgeLeases(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const leases = (evidence.ledger.grants ?? []).flatMap(leasesOf).sort((left, right) => left.from - right.from);
  for (const ofAccount of Map.groupBy(leases, ({ account }) => account).values())
    for (const [index, lease] of ofAccount.entries()) {
      const before = ofAccount[index - 1];
      judgement.expect(
        before === undefined || before.grant === lease.grant || before.until <= lease.from,
        () =>
          `${lease.account} was leased to grant ${lease.grant} at ${at(lease.from)}, while grant ${before?.grant} held it until ${at(before?.until ?? 0)}`,
      );
    }
  judgeMints(evidence, leases, judgement);
  return judgement;
}

/** Google's log alone: who had tokens of the account, and until when they lived. */
function judgeMints(evidence: Evidence, leases: readonly Lease[], judgement: Judgement): void {
  const pool = poolOf(evidence);
  const calls = observed(evidence, 'google_call').filter(
    ({ method, account }) => method === 'generateAccessToken' && pool.has(account),
  );
  const lived = new Map<string, { readonly job: string; readonly until: number }>();
  for (const { account, at: time, expires_at } of observed(evidence, 'google_mint')) {
    if (!pool.has(account)) continue;
    // The call is written down first, and within a moment the token is minted.
    const call = calls.filter((each) => each.account === account && each.at <= time).at(-1);
    const job = call?.job ?? 'nobody';
    const before = lived.get(account);
    judgement.expect(
      before === undefined || before.job === job || before.until <= time,
      () =>
        `${account} minted for job ${job} at ${at(time)}, while a token of job ${before?.job} lived until ${at(before?.until ?? 0)}`,
    );
    judgement.expect(
      leases.some(
        (lease) => lease.account === account && lease.job === job && lease.from <= time && time <= lease.until,
      ),
      () => `${account} minted for job ${job} at ${at(time)} without a lease on record`,
    );
    const until = before?.job === job ? Math.max(before.until, expires_at) : expires_at;
    lived.set(account, { job, until });
  }
}

export function judgeCooldowns(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const mints = Map.groupBy(observed(evidence, 'google_mint'), ({ account }) => account);
  for (const { account, at: time, disabled } of observed(evidence, 'google_change')) {
    if (disabled) continue;
    const live = (mints.get(account) ?? []).find((mint) => mint.at < time && mint.expires_at > time);
    judgement.expect(
      live === undefined,
      () => `${account} was enabled at ${at(time)}, and a token of it lived until ${at(live?.expires_at ?? 0)}`,
    );
  }
  return judgement;
}

export function poolOf(evidence: Evidence): ReadonlySet<string> {
  return new Set(observed(evidence, 'run').flatMap(({ pool }) => pool));
}

function leasesOf({ id, fields }: StoredDocument): Lease[] {
  if (fields.kind !== 'pooled_service_account') return [];
  const job = jobOf(fields);
  const lease = (held: Fields, until: number): Lease => ({
    account: String(held.service_account),
    grant: id,
    job,
    from: timeOf(held, 'leased_at') ?? 0,
    until,
  });
  const past = (fields.past_leases ?? []) as readonly Fields[];
  const end = timeOf(fields, 'access_ended_at') ?? timeOf(fields, 'expires_at') ?? Number.POSITIVE_INFINITY;
  return [...past.map((held) => lease(held, timeOf(held, 'access_ended_at') ?? 0)), lease(fields, end)];
}
