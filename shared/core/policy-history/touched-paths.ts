// Which documents jobs touched, as paths of a policy: a name is kept where few names were touched at its place, and is a wildcard where
// there were more. So the memory for any number of documents is bounded.

import { documentPathProblem } from '../policy/document-path.ts';
import type { DocumentTouch } from './document-touches.ts';
import { addUse, mergeUses, UNUSED, type Use } from './use.ts';

/** A path of a policy that covers touched documents. */
export interface TouchedPath {
  readonly path: string;
  readonly use: Use;
  /** It has a wildcard for names that jobs created or deleted once. */
  readonly once?: true;
}

interface Node {
  /** By name; null is a wildcard. With it there are no names. */
  readonly children: Map<string | null, Node>;
  use: Use;
}

/** Documents that one entry of `allow` opens and jobs touched in one way. */
export class TouchedPaths {
  readonly #entry: readonly string[];
  readonly #maxNames: number;
  readonly #root: Node = newNode();
  #groups: Use = UNUSED;

  /**
   * @param entry the path of the entry
   * @param maxNames how many names there may be at one place before they become a wildcard
   */
  constructor(entry: string, maxNames: number) {
    this.#entry = entry.split('/');
    this.#maxNames = maxNames;
  }

  /** Takes a touch that the entry covers. */
  add({ path, isGroup }: DocumentTouch, at: number | undefined): void {
    if (isGroup) {
      this.#groups = addUse(this.#groups, at);
      return;
    }
    let node = this.#root;
    for (const [index, name] of path.entries()) node = this.#childOf(node, this.#nameAt(index, name));
    node.use = addUse(node.use, at);
  }

  /**
   * Paths that cover all touched documents, and no document that the entry does not open.
   * @param isOnce whether the next job needs another name in place of the last one of a path. All names at its place are then a wildcard
   */
  paths(isOnce: (path: readonly (string | null)[]) => boolean = () => false): TouchedPath[] {
    if (this.#groups.count > 0) return [{ path: this.#entry.join('/'), use: this.#total() }];
    const found = new Set<Node>();
    const root = this.#withWildcards(this.#root, [], isOnce, found);
    return leavesOf(root, []).map(({ names, use, nodes }) => ({
      ...{ path: this.#toPath(names), use },
      ...(nodes.some((node) => found.has(node)) && { once: true as const }),
    }));
  }

  /** A copy. @param found gets each wildcard that stands for such names */
  #withWildcards(
    node: Node,
    path: readonly (string | null)[],
    isOnce: (path: readonly (string | null)[]) => boolean,
    found: Set<Node>,
  ): Node {
    const copy: Node = { children: new Map(), use: node.use };
    const names = [...node.children.keys()];
    const once =
      path.length % 2 === 1 &&
      this.#isWild(path.length) &&
      names.some((name) => name !== null && isOnce([...path, name]));
    const children = once
      ? new Map([[null, [...node.children.values()].reduce((into, child) => this.#merge(into, child), newNode())]])
      : node.children;
    for (const [name, child] of children) {
      const below = this.#withWildcards(child, [...path, name], isOnce, found);
      if (once) found.add(below);
      copy.children.set(name, below);
    }
    return copy;
  }

  #isWild(index: number): boolean {
    const last = this.#entry.at(-1) ?? '';
    return index >= this.#entry.length - 1 && last.endsWith('=**}')
      ? true
      : this.#entry[index]?.startsWith('{') === true;
  }

  #total(): Use {
    return [...leavesOf(this.#root, []).map(({ use }) => use), this.#groups].reduce(mergeUses);
  }

  /** A name that a policy cannot have is a wildcard. */
  #nameAt(index: number, name: string | null): string | null {
    if (name === null) return null;
    if (name.startsWith('{')) return null;
    return documentPathProblem(index === 0 ? `${name}/x` : `x/${name}`) === undefined ? name : null;
  }

  #childOf(node: Node, name: string | null): Node {
    const { children } = node;
    const wild = children.get(null);
    if (wild) return wild;
    const known = children.get(name ?? '');
    if (known && name !== null) return known;
    if (name !== null && children.size < this.#maxNames) {
      const child = newNode();
      children.set(name, child);
      return child;
    }
    const merged = [...children.values()].reduce((into, child) => this.#merge(into, child), newNode());
    children.clear();
    children.set(null, merged);
    return merged;
  }

  #merge(into: Node, from: Node): Node {
    into.use = mergeUses(into.use, from.use);
    for (const [name, child] of from.children) this.#merge(this.#childOf(into, name), child);
    return into;
  }

  #toPath(names: readonly (string | null)[]): string {
    const used = new Set<string>();
    const segments = names.map((name, index) => {
      if (name !== null) return name;
      const own = /^\{(\w+)\}$/.exec(this.#entry[index] ?? '')?.[1];
      return `{${free(own ?? (index % 2 === 0 ? 'collection' : 'document'), used)}}`;
    });
    return segments.join('/');
  }
}

function free(name: string, used: Set<string>): string {
  let chosen = name;
  for (let nth = 2; used.has(chosen); nth += 1) chosen = `${name}${nth}`;
  used.add(chosen);
  return chosen;
}

function newNode(): Node {
  return { children: new Map(), use: UNUSED };
}

interface Leaf {
  readonly names: readonly (string | null)[];
  readonly use: Use;
  /** From the root to the leaf. */
  readonly nodes: readonly Node[];
}

function leavesOf(node: Node, names: readonly (string | null)[], above: readonly Node[] = []): Leaf[] {
  const nodes = [...above, node];
  const below = [...node.children].flatMap(([name, child]) => leavesOf(child, [...names, name], nodes));
  return node.use.count > 0 ? [{ names, use: node.use, nodes }, ...below] : below;
}

/** Whether a path of a policy opens what was touched. A query is opened by a wildcard alone. */
export function covers(entry: string, { path, isGroup }: DocumentTouch): boolean {
  const segments = entry.split('/');
  const rest = segments.at(-1)?.endsWith('=**}') ?? false;
  const fixed = rest ? segments.slice(0, -1) : segments;
  if (isGroup) return rest && path.length >= fixed.length && fixed.every((one, index) => fits(one, path[index]));
  // `{name=**}` also stands for no segment at all.
  if (rest ? path.length < fixed.length : path.length !== fixed.length) return false;
  return fixed.every((segment, index) => fits(segment, path[index]));
}

function fits(segment: string, name: string | null | undefined): boolean {
  return segment.startsWith('{') || segment === name;
}
