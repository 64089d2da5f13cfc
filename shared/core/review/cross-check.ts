// Compares the ledger with the audit log, both ways: somebody who deletes or forges a record must do the same in the log.

import type { ActView } from '../operator-api/review.ts';
import { CLOCK_MARGIN_MS } from '../timing.ts';
import type { GrantLine, GrantLineEvent, GrantLines } from './log-lines.ts';
import type { GrantRow } from './row.ts';

/** A sweep runs each minute, and writes the line of an expiry when it finds it. */
const SWEEP_MARGIN_MS = 15 * 60_000;

export interface CrossCheck {
  readonly issued_without_line: readonly {
    readonly grant_id: string;
    readonly issuances: number;
    readonly lines: number;
  }[];
  readonly end_without_line: readonly { readonly grant_id: string; readonly event: GrantLineEvent }[];
  readonly line_without_grant: readonly {
    readonly grant_id: string;
    readonly events: readonly GrantLineEvent[];
    readonly first_at: string | null;
    readonly credential: string | null;
    readonly pipeline_slug: string | null;
  }[];
  /** Acts of the kill switch. */
  readonly act_without_line: readonly { readonly id: string; readonly activated_at: string; readonly actor: string }[];
  readonly line_without_act: readonly { readonly id: string; readonly at: string; readonly actor: string }[];
  /** Grants and lines about which a log of the period cannot say: they are at its edge, or have no time. */
  readonly not_checked: { readonly issuances: number; readonly ends: number; readonly lines: number };
}

interface Scope {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly asOf: number;
  readonly environment: string | undefined;
  /** Ids of records that cannot be read. */
  readonly unreadable: ReadonlySet<string>;
  /** On record, also some from before the period. */
  readonly acts: readonly ActView[];
  /** Ids of acts whose records cannot be read. */
  readonly unreadableActs: ReadonlySet<string>;
}

type Verdict<T> = { readonly orphan: T } | 'found' | 'not checked' | 'not expected';

export function crossCheck(rows: readonly GrantRow[], { byGrant, acts }: GrantLines, scope: Scope): CrossCheck {
  const linesOf = (row: GrantRow) => byGrant.get(row.grant_id) ?? [];
  const issuances = rows.map((row) => checkIssuances(row, linesOf(row), scope));
  const ends = rows.map((row) => checkEnd(row, linesOf(row), scope));
  const known = new Set(rows.map(({ grant_id }) => grant_id));
  const lines = [...byGrant]
    .filter(([id]) => !known.has(id) && !scope.unreadable.has(id))
    .map(([id, all]) => checkLines(id, all, scope));
  const orphans = <T>(verdicts: readonly Verdict<T>[]) =>
    verdicts.flatMap((verdict) => (typeof verdict === 'object' ? [verdict.orphan] : []));
  const unchecked = (verdicts: readonly Verdict<unknown>[]) =>
    verdicts.filter((verdict) => verdict === 'not checked').length;
  return {
    issued_without_line: orphans(issuances),
    end_without_line: orphans(ends),
    line_without_grant: orphans(lines).sort((one, other) => (one.grant_id < other.grant_id ? -1 : 1)),
    act_without_line: actsWithoutLine(acts, scope),
    line_without_act: linesWithoutAct(acts, scope),
    not_checked: { issuances: unchecked(issuances), ends: unchecked(ends), lines: unchecked(lines) },
  };
}

/** Until when something in the ledger has its line in a log of the period, which has arrived by now. */
function endOf({ to, asOf }: Scope): number {
  return Math.min(to, asOf) - CLOCK_MARGIN_MS;
}

function checkIssuances(
  { grant_id, created_at, issued_at, tokens_issued }: GrantRow,
  lines: readonly GrantLine[],
  scope: Scope,
): Verdict<CrossCheck['issued_without_line'][number]> {
  if (issued_at === null) return 'not expected';
  const issued = lines.filter(({ event }) => event === 'grant.issued');
  // Requests that came at the same time have a line each, of one token.
  const found = new Set(issued.map(({ token_sha256 }, index) => token_sha256 ?? index)).size;
  const last = Date.parse(issued_at);
  if (last < scope.from || last >= endOf(scope)) return 'not checked';
  if (found >= tokens_issued) return 'found';
  // How many of its tokens left before the period, and have their lines there, is not on record.
  const beganBefore = Date.parse(created_at) < scope.from;
  return beganBefore && found > 0 ? 'not checked' : { orphan: { grant_id, issuances: tokens_issued, lines: found } };
}

/** Acts of the period that have no line, although it would have arrived. */
function actsWithoutLine(lines: GrantLines['acts'], scope: Scope): CrossCheck['act_without_line'] {
  return scope.acts
    .filter(({ activated_at }) => Date.parse(activated_at) >= scope.from && Date.parse(activated_at) < endOf(scope))
    .filter(({ id }) => !lines.has(id))
    .map(({ id, activated_at, actor }) => ({ id, activated_at, actor }));
}

/** Lines of the period whose act is not on record. */
function linesWithoutAct(lines: GrantLines['acts'], scope: Scope): CrossCheck['line_without_act'] {
  const known = new Set([...scope.unreadableActs, ...scope.acts.map(({ id }) => id)]);
  return [...lines]
    .filter(([id, { at }]) => !known.has(id) && at >= scope.from && at < endOf(scope))
    .map(([id, { at, actor }]) => ({ id, at: new Date(at).toISOString(), actor }));
}

function checkEnd(
  row: GrantRow,
  lines: readonly GrantLine[],
  scope: Scope,
): Verdict<CrossCheck['end_without_line'][number]> {
  const expected = expectedEnd(row);
  if (!expected) return 'not expected';
  const { event, at, margin } = expected;
  if (at < scope.from || at >= endOf(scope) - margin) return 'not checked';
  return lines.some((line) => line.event === event) ? 'found' : { orphan: { grant_id: row.grant_id, event } };
}

/** The line that a grant on record must have because of its end. */
function expectedEnd({ outcome, state, ended_at, access_ended_at }: GrantRow) {
  if (outcome === 'revoked' && access_ended_at !== null)
    return { event: 'grant.revoked', at: Date.parse(access_ended_at), margin: 0 } as const;
  if (outcome === 'expired' && access_ended_at !== null)
    return { event: 'grant.expired', at: Date.parse(access_ended_at), margin: SWEEP_MARGIN_MS } as const;
  if (state === 'active' && ended_at !== null)
    return { event: 'grant.ended', at: Date.parse(ended_at), margin: 0 } as const;
  return undefined;
}

function checkLines(
  grant_id: string,
  lines: readonly GrantLine[],
  scope: Scope,
): Verdict<CrossCheck['line_without_grant'][number]> {
  const { environment } = scope;
  const ours = lines.filter((line) => environment === undefined || line.environment === environment);
  if (ours.length === 0) return 'not expected';
  const shown = ours.filter((line) => mustBeOnRecord(line, scope));
  if (shown.length === 0) return 'not checked';
  const times = shown.flatMap(({ at }) => at ?? []);
  const [first] = shown;
  return {
    orphan: {
      grant_id,
      events: [...new Set(shown.map(({ event }) => event))],
      first_at: times.length === 0 ? null : new Date(Math.min(...times)).toISOString(),
      credential: first?.credential ?? null,
      pipeline_slug: first?.pipeline_slug ?? null,
    },
  };
}

/** Whether the grant of the line could be used in the period, and was on record before the ledger was read. */
function mustBeOnRecord({ event, at, created_at, accepted_until }: GrantLine, scope: Scope): boolean {
  const { from, to, asOf } = scope;
  const logged = at ?? created_at;
  if (logged === undefined || logged >= asOf - CLOCK_MARGIN_MS) return false;
  if (event === 'grant.issued' && logged >= from && logged < to) return true;
  return created_at !== undefined && created_at < to && accepted_until !== undefined && accepted_until >= from;
}
