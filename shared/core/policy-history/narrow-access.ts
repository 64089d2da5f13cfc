// Narrower entries of a credential's `allow`, from the documents that its grants touched.

import type { Verb } from '../kinds/firestore.ts';
import { VERBS } from '../policy-analysis/documents.ts';
import type { EntryUsage } from './access-usage.ts';
import { mergeUses, UNUSED, type Use } from './use.ts';

/** An entry of `allow`, with what was touched through each verb. */
interface NarrowedEntry {
  readonly path: string;
  readonly verbs: ReadonlyMap<Verb, Use>;
}

export interface NarrowedEntries {
  /** Empty when nothing that the entry opens was touched. */
  readonly entries: readonly NarrowedEntry[];
  /** Verbs through which nothing was touched. */
  readonly untouched: readonly Verb[];
  /** Whether the path is the same as before. */
  readonly samePath: boolean;
  /** Whether an entry has a wildcard for names that jobs created or deleted once. */
  readonly once: boolean;
}

/** People have to read them. With more, the path stays as it is. */
const MAX_ENTRIES = 8;

/** @returns undefined when the entry opens no more than what was touched */
export function narrowEntry({ path, verbs }: EntryUsage): NarrowedEntries | undefined {
  const uses = new Map<string, Map<Verb, Use>>();
  const ofEntry = new Map<Verb, Use>();
  for (const verb of VERBS)
    for (const touched of verbs.get(verb) ?? []) {
      const shape = shapeOf(touched.path) === shapeOf(path) ? path : touched.path;
      const ofPath = uses.get(shape) ?? new Map<Verb, Use>();
      uses.set(shape, ofPath.set(verb, touched.use));
      ofEntry.set(verb, mergeUses(ofEntry.get(verb) ?? UNUSED, touched.use));
    }
  const untouched = VERBS.filter((verb) => verbs.has(verb) && !ofEntry.has(verb));
  const samePath = uses.size > MAX_ENTRIES || (uses.size === 1 && uses.has(path));
  if (samePath && untouched.length === 0) return undefined;
  const entries = samePath ? [{ path, verbs: ofEntry }] : [...uses].map(([one, of]) => ({ path: one, verbs: of }));
  const once = [...verbs.values()].some((touched) => touched.some((path) => path.once));
  return { entries: inOrder(entries), untouched, samePath, once };
}

/** Wildcards have any name. */
function shapeOf(path: string): string {
  return path.replaceAll(/\{\w+(=\*\*)?\}/g, '{$1}');
}

/** Paths in the order of their text, so that a suggestion is the same for the same log. */
function inOrder(entries: readonly NarrowedEntry[]): NarrowedEntry[] {
  return [...entries].sort((left, right) => (left.path < right.path ? -1 : 1));
}
