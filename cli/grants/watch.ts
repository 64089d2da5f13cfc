// Changes of the live grants between two looks at them, and the loop that prints them.

import type { GrantSummary } from '../../shared/core/operator-api/grant.ts';
import type { GrantList } from '../../shared/core/operator-api/grant-list.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import { Refused } from '../operator-api.ts';
import { grantLine } from './table.ts';

type Live = Pick<GrantList, 'grants' | 'unreadable'>;

interface WatchDeps {
  readonly readLive: () => Promise<Live>;
  /** Undefined: it is no longer on record. */
  readonly readGrant: (id: string) => Promise<GrantSummary | undefined>;
  readonly clock: Clock;
  readonly print: (line: string) => void;
  /** About what failed, and is tried again. */
  readonly note: (line: string) => void;
  readonly intervalMs: number;
}

/** Runs until it is aborted, and then resolves. A look that fails is repeated at the next interval. */
export async function watchGrants(deps: WatchDeps, signal: AbortSignal): Promise<void> {
  const { clock, print, note, intervalMs } = deps;
  let known: Live | undefined;
  while (!signal.aborted) {
    try {
      const live = await deps.readLive();
      const lines = known ? await changeLines(deps, known, live) : firstLines(live);
      for (const line of lines) print(visible(`${new Date(clock.now()).toISOString()}  ${line}`));
      known = live;
    } catch (error) {
      if (!isTransient(error)) throw error;
      note(`${error.message}. The next try is in ${intervalMs / 1000} s.`);
    }
    await clock.sleep(intervalMs, signal).catch(() => undefined);
  }
}

/** The function or the way to it failed: that may be over at the next look. */
function isTransient(error: unknown): error is Error {
  return DependencyError.is(error) || (error instanceof Refused && error.status >= 500);
}

function firstLines({ grants, unreadable }: Live): string[] {
  return [...grants.map((grant) => `live      ${grantLine(grant)}`), ...unreadable.map(unreadableLine)];
}

async function changeLines({ readGrant }: WatchDeps, before: Live, after: Live): Promise<string[]> {
  const [known, live] = [byId(before.grants), byId(after.grants)];
  const lines: string[] = [];
  for (const grant of after.grants) {
    const earlier = known.get(grant.grant_id);
    if (!earlier) lines.push(`new       ${grantLine(grant)}`);
    else if (earlier.access === 'open' && grant.access === 'ended_usable')
      lines.push(`ended     ${grantLine(grant)}  by ${grant.ended_by}`);
    else if (grantLine(earlier) !== grantLine(grant)) lines.push(`changed   ${grantLine(grant)}`);
  }
  for (const earlier of before.grants) {
    if (live.has(earlier.grant_id)) continue;
    const ended = await readGrant(earlier.grant_id);
    lines.push(
      `${earlier.access === 'open' ? 'ended' : 'over '}     ${ended ? `${grantLine(ended)}  by ${ended.ended_by}` : `${earlier.grant_id} is not on record any more`}`,
    );
  }
  const seen = new Set(before.unreadable.map(({ grant_id }) => grant_id));
  return [...lines, ...after.unreadable.filter(({ grant_id }) => !seen.has(grant_id)).map(unreadableLine)];
}

function unreadableLine({ grant_id, error }: GrantList['unreadable'][number]): string {
  return `unreadable  ${grant_id}  ${error}`;
}

function byId(grants: readonly GrantSummary[]): ReadonlyMap<string, GrantSummary> {
  return new Map(grants.map((grant) => [grant.grant_id, grant]));
}
