// How one thing that a policy says differs from what another says of it, and the words for it.

import { formatDuration } from '../policy/duration.ts';
import type { Touch } from './documents.ts';
import type { ExampleJob } from './jobs.ts';
import { CannotTell } from './work.ts';

/** Whether the new one opens more. `neither` differs, and opens the same. */
export type Direction = 'wider' | 'narrower' | 'both' | 'cannot tell' | 'neither';

export interface Change {
  /** What is compared, such as `ttl`. */
  readonly what: string;
  readonly direction: Direction;
  readonly before: string;
  readonly after: string;
  /** Why the direction is unknown, or what is special about it. */
  readonly note?: string;
  /** What the new one opens and the old one does not; and the other way around. */
  readonly gained?: Example;
  readonly lost?: Example;
}

export type Example = { readonly job: ExampleJob } | { readonly touch: Touch };

/** @returns undefined where nothing is wider or narrower */
export function directionOf(wider: boolean, narrower: boolean): Direction | undefined {
  if (wider) return narrower ? 'both' : 'wider';
  return narrower ? 'narrower' : undefined;
}

/** Compares numbers. The greater one opens more. */
export function compareLimit(
  what: string,
  before: number,
  after: number,
  show: (value: number) => string = String,
): Change[] {
  const direction = directionOf(after > before, after < before);
  return direction ? [{ what, direction, before: show(before), after: show(after) }] : [];
}

export function compareDuration(what: string, before: number, after: number): Change[] {
  return compareLimit(what, before, after, formatDuration);
}

/** Compares values. None includes another. */
export function compareText(
  what: string,
  before: string | undefined,
  after: string | undefined,
  direction: Direction,
  note?: string,
): Change[] {
  if (before === after) return [];
  return [{ what, direction, before: before ?? 'none', after: after ?? 'none', ...(note && { note }) }];
}

/** What a search finds; `cannot tell` when it exceeds its bound. */
export function orCannotTell<Found>(search: () => Found | undefined): Found | undefined | 'cannot tell' {
  try {
    return search();
  } catch (error) {
    if (error instanceof CannotTell) return 'cannot tell';
    throw error;
  }
}

/** Compares sets by what a search finds in one of them and not in the other. */
export function compareSets<Found>(
  {
    what,
    before,
    after,
    note,
  }: { readonly what: string; readonly before: string; readonly after: string; readonly note: string },
  { gained, lost }: { readonly gained: () => Found | undefined; readonly lost: () => Found | undefined },
  toExample: (found: Found) => Example,
): Change[] {
  const [more, less] = [orCannotTell(gained), orCannotTell(lost)];
  const isKnown = (found: Found | undefined | 'cannot tell'): found is Found =>
    found !== undefined && found !== 'cannot tell';
  const known = directionOf(isKnown(more), isKnown(less));
  const direction = more === 'cannot tell' || (less === 'cannot tell' && !isKnown(more)) ? 'cannot tell' : known;
  if (!direction) return [];
  return [
    {
      what,
      direction,
      before,
      after,
      ...(direction === 'cannot tell' && { note }),
      ...(isKnown(more) && { gained: toExample(more) }),
      ...(isKnown(less) && { lost: toExample(less) }),
    },
  ];
}
