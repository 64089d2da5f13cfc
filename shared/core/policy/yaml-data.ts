// Plain data of a YAML document, with its aliases expanded. The bound is on what aliases add, and is checked before the data
// is walked: an alias of aliases is small here, where all of them share one value. Source: YAML 1.2.2, section 7.1.

import { type Document, isAlias, isMap, isNode, isScalar, isSeq } from 'yaml';
import { closestName } from '../closest-name.ts';
import type { Span, YamlProblem } from './places.ts';

/** The keys and values that aliases may add. A hand-written policy of 3,000 rules has about 60,000 of its own. */
const MAX_ALIASED = 250_000;

interface Expanded {
  readonly value: unknown;
  /** Keys and values in it, itself included. */
  readonly size: number;
}

function aliasMistake(name: string, anchored: ReadonlyMap<string, unknown>): string {
  if (anchored.has(name)) return `The alias *${name} is inside of its own anchor &${name}. Move it out.`;
  const quoted = JSON.stringify(`*${name}`);
  // A pattern, not a misspelt alias.
  if (/^[^A-Za-z0-9_]/.test(name)) return `A value that begins with * must be in quotes. Write ${quoted}.`;
  const near = closestName(name, [...anchored.keys()]);
  const meant =
    near === undefined
      ? `If it is a pattern, write ${quoted}`
      : `Did you mean *${near}? If it is a pattern, write ${quoted}`;
  return `The alias *${name} has no anchor &${name} above it. ${meant}.`;
}

/**
 * @param document one whose keys are strings, without errors
 * @param readAsText scalars whose value is what is written
 * @returns its data, or every alias that names nothing or a part of itself, and the first that makes the data too large
 */
export function toData(
  { contents }: Document,
  readAsText: ReadonlySet<unknown> = new Set(),
): { readonly data: unknown } | { readonly problems: YamlProblem[] } {
  /** The latest node of each anchor; undefined while that node is being read. */
  const anchored = new Map<string, Expanded | undefined>();
  const problems: YamlProblem[] = [];
  let added = 0;

  const expandAlias = (name: string, span: Span): Expanded => {
    const target = anchored.get(name);
    if (target) {
      const fitted = added <= MAX_ALIASED;
      added += target.size;
      if (fitted && added > MAX_ALIASED)
        problems.push({
          span,
          message: `The alias *${name} makes the file too large. Aliases may add ${MAX_ALIASED} keys and values: use fewer of them.`,
        });
      return target;
    }
    problems.push({ span, message: aliasMistake(name, anchored) });
    return { value: null, size: 1 };
  };

  const expandContents = (node: unknown): Expanded => {
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }) => [expand(key), expand(value)] as const);
      const size = entries.reduce((sum, [key, value]) => sum + key.size + value.size, 1);
      return { value: Object.fromEntries(entries.map(([key, { value }]) => [String(key.value), value])), size };
    }
    if (isSeq(node)) {
      const items = node.items.map(expand);
      return { value: items.map(({ value }) => value), size: items.reduce((sum, { size }) => sum + size, 1) };
    }
    return { value: isScalar(node) ? (readAsText.has(node) ? node.source : node.value) : null, size: 1 };
  };

  const expand = (node: unknown): Expanded => {
    if (isAlias(node)) return expandAlias(node.source, { start: node.range?.[0] ?? 0, end: node.range?.[1] ?? 0 });
    const anchor = isNode(node) && 'anchor' in node ? node.anchor : undefined;
    if (anchor === undefined) return expandContents(node);
    anchored.set(anchor, undefined);
    const expanded = expandContents(node);
    anchored.set(anchor, expanded);
    return expanded;
  };

  const { value } = expand(contents);
  return problems.length > 0 ? { problems } : { data: value };
}
