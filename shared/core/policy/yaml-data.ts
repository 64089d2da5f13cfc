// Plain data of a YAML document, with its aliases expanded. The bound is on what aliases add, and is checked before the data
// is walked: an alias of aliases is small here, where all of them share one value. Source: YAML 1.2.2, section 7.1.

import { type Document, isAlias, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { Span } from './places.ts';

/** The keys and values that aliases may add. A hand-written policy of 3,000 rules has about 60,000 of its own. */
const MAX_ALIASED = 250_000;

export interface YamlProblem {
  readonly span: Span;
  readonly message: string;
}

interface Expanded {
  readonly value: unknown;
  /** Keys and values in it, itself included. */
  readonly size: number;
}

/**
 * @param document one whose keys are strings, without errors
 * @returns its data, or every alias that names nothing or a part of itself, and the first that makes the data too large
 */
export function toData({ contents }: Document): { readonly data: unknown } | { readonly problems: YamlProblem[] } {
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
          message: `*${name} makes the policy too large: its aliases add more than ${MAX_ALIASED} keys and values; use fewer of them`,
        });
      return target;
    }
    const message = anchored.has(name)
      ? `*${name} stands inside &${name}, which it names`
      : `*${name} names no anchor: no &${name} stands before it. Put a value that begins with * in quotes`;
    problems.push({ span, message });
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
    return { value: isScalar(node) ? node.value : null, size: 1 };
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
