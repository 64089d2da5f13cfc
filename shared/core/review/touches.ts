// What grants did touch, by Google's Data Access entries that carry the grant: for each pipeline and policy, the entries of `allow` that
// were used, and those that were not.

import { toIsoOrNull } from '../iso-time.ts';
import type { Policy } from '../policy/policy.ts';
import { AccessUsage } from '../policy-history/access-usage.ts';
import { toGrantTouches } from '../policy-history/document-touches.ts';
import type { LogEntry } from '../policy-history/log-entry.ts';
import { describeAccessGaps } from '../policy-history/unused.ts';
import { mergeUses, UNUSED } from '../policy-history/use.ts';
import { pipelineKeyOf } from './pipelines.ts';
import type { GrantRow } from './row.ts';

export interface TouchedCredential {
  readonly credential: string;
  readonly policy_sha256: string;
  readonly grants: number;
  /** How many of them have an entry. */
  readonly touched_grants: number;
  readonly allowed: readonly {
    readonly path: string;
    readonly verb: string;
    readonly count: number;
    readonly first_at: string | null;
    readonly last_at: string | null;
  }[];
  /** Entries that do not say what was touched. */
  readonly unclear: number;
  /** Touches that no entry of `allow` opens. */
  readonly outside: number;
  /** Why an entry of `allow` without a touch may have been used all the same; null: it was not. */
  readonly not_proven: string | null;
}

export interface TouchReport {
  /** By the key of the pipeline: see {@link pipelineKeyOf}. */
  readonly byPipeline: ReadonlyMap<string, readonly TouchedCredential[]>;
  /** Grants that are not in the review's population, with entries in its period. */
  readonly unknown: readonly string[];
}

interface Scope {
  readonly from: number;
  readonly to: number;
}

/** Documents of one place are one entry of `allow`, whatever their names. */
const MAX_NAMES = 1;

export class Touches {
  readonly #scope: Scope;
  readonly #rows: ReadonlyMap<string, GrantRow>;
  readonly #usage = new Map<
    string,
    { readonly pipeline: string; readonly sha256: string; readonly usage: AccessUsage }
  >();
  readonly #unknown = new Set<string>();

  /** @param policies whose text is known, by SHA-256 */
  constructor(rows: readonly GrantRow[], policies: ReadonlyMap<string, Policy>, scope: Scope) {
    this.#scope = scope;
    this.#rows = new Map(rows.map((row) => [row.grant_id, row]));
    for (const row of rows) {
      const policy = policies.get(row.policy_sha256);
      if (!policy || row.issued_at === null) continue;
      const key = usageKeyOf(row);
      const known = this.#usage.get(key) ?? {
        pipeline: pipelineKeyOf(row),
        sha256: row.policy_sha256,
        usage: new AccessUsage(policy, { since: scope.from, until: scope.to }, MAX_NAMES),
      };
      this.#usage.set(key, known);
      // A grant of before counts from the beginning of the period on.
      const at = Math.max(Date.parse(row.created_at), scope.from);
      known.usage.addRequest({ grant_id: row.grant_id, credential: row.credential, at });
    }
  }

  add(entry: LogEntry): undefined {
    const touches = toGrantTouches(entry);
    const { from, to } = this.#scope;
    if (!touches || touches.at === undefined || touches.at < from || touches.at >= to) return undefined;
    const row = this.#rows.get(touches.grant_id);
    if (!row) this.#unknown.add(touches.grant_id);
    else this.#usage.get(usageKeyOf(row))?.usage.addTouches(touches);
    return undefined;
  }

  report(): TouchReport {
    const byPipeline = new Map<string, TouchedCredential[]>();
    for (const { pipeline, sha256, usage } of this.#usage.values()) {
      const touched = usage.report().filter(({ grants, touches }) => grants > 0 || touches.count > 0);
      const known = byPipeline.get(pipeline) ?? [];
      byPipeline.set(pipeline, known);
      for (const access of touched) {
        const { credential, grants, touched_grants, unclear, outside, gaps, entries } = access;
        known.push({
          ...{ credential, policy_sha256: sha256, grants, touched_grants, unclear, outside },
          allowed: entries.flatMap(({ path, verbs }) =>
            [...verbs].map(([verb, paths]) => {
              const { count, first_at, last_at } = paths.map(({ use }) => use).reduce(mergeUses, UNUSED);
              return { path, verb, count, first_at: toIsoOrNull(first_at), last_at: toIsoOrNull(last_at) };
            }),
          ),
          not_proven: gaps.length === 0 ? null : describeAccessGaps(access),
        });
      }
    }
    return { byPipeline, unknown: [...this.#unknown].sort() };
  }
}

function usageKeyOf(row: GrantRow): string {
  return `${pipelineKeyOf(row)}\n${row.policy_sha256}`;
}
