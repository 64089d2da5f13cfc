// Which policies may have decided in a period: those that an instance started with in it, the one before, and those by which its grants
// were issued.

import type { StoredPolicyView } from '../operator-api/review.ts';
import type { Policy } from '../policy/policy.ts';
import type { GrantRow } from './row.ts';

/** What came of reading a policy's text. */
export type PolicyText =
  | { readonly policy: Policy }
  /** `missing`: no text is on record. `unreadable`: it cannot be read, or has another SHA-256. `invalid`: this version cannot parse it. */
  | { readonly problem: 'missing' | 'unreadable' | 'invalid'; readonly detail: string };

export interface PolicyInForce {
  readonly sha256: string;
  /** Null: its text is not on record. */
  readonly first_used_at: string | null;
  readonly last_started_at: string | null;
  /** Grants of the period whose latest token it allowed. */
  readonly grants: number;
}

/** In the order in which they were first used. @param period milliseconds since the epoch */
export function policiesInForce(
  stored: readonly StoredPolicyView[],
  rows: readonly GrantRow[],
  { from, to }: { readonly from: number; readonly to: number },
): PolicyInForce[] {
  const grants = new Map<string, number>();
  for (const { policy_sha256 } of rows) grants.set(policy_sha256, (grants.get(policy_sha256) ?? 0) + 1);
  const started = stored.filter(
    ({ first_used_at, last_started_at }) => Date.parse(last_started_at) >= from && Date.parse(first_used_at) < to,
  );
  // No record says when an instance ended, so the last one that started before may have gone on.
  const [before] = stored
    .filter(({ last_started_at }) => Date.parse(last_started_at) < from)
    .sort((one, other) => Date.parse(other.last_started_at) - Date.parse(one.last_started_at));
  const known = new Map(stored.map((policy) => [policy.sha256, policy]));
  const all = new Set([...(before ? [before.sha256] : []), ...started.map(({ sha256 }) => sha256), ...grants.keys()]);
  return [...all]
    .map((sha256) => ({
      sha256,
      first_used_at: known.get(sha256)?.first_used_at ?? null,
      last_started_at: known.get(sha256)?.last_started_at ?? null,
      grants: grants.get(sha256) ?? 0,
    }))
    .sort(
      (one, other) => compare(one.first_used_at ?? '', other.first_used_at ?? '') || compare(one.sha256, other.sha256),
    );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** Those whose text is known. */
export function policiesByHash(texts: ReadonlyMap<string, PolicyText>): ReadonlyMap<string, Policy> {
  return new Map([...texts].flatMap(([sha256, text]) => ('policy' in text ? [[sha256, text.policy] as const] : [])));
}
