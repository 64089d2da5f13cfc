// Reads the structure of a Firestore rules file: its tokens, its functions with the blocks that they belong to, and its
// `allow` statements. Expressions stay tokens: condition.ts evaluates them. Pure: text in, values out.
// Source: firebase.google.com/docs/rules/rules-language (structure, functions).

import { COMMENT_OR_STRING } from './generate.ts';

export interface Token {
  /** A name, a number, a string with its quotes, an operator or a bracket. */
  readonly text: string;
  /** Where it begins and ends in the file. */
  readonly from: number;
  readonly to: number;
}

/** A block of the file. A name of a function means the one of the innermost block around its call that has one. */
export interface Scope {
  readonly parent: Scope | undefined;
  readonly functions: Map<string, RulesFunction>;
}

export interface RulesFunction {
  readonly parameters: readonly string[];
  /** The index of its first token after `{`. */
  readonly body: number;
  /** The block it is written in. */
  readonly scope: Scope;
  /** Whether it is between Keydesk's marks. */
  readonly generated: boolean;
}

export interface Allow {
  /** From 1. */
  readonly line: number;
  /** On one line. */
  readonly written: string;
  /** The index of the first token of its condition; undefined for `allow read;`, which has none. */
  readonly condition: number | undefined;
  /** The index of the first token after it, its semicolon included. */
  readonly end: number;
  readonly scope: Scope;
}

/** The file's tokens, and its `allow` statements outside of Keydesk's marks. */
export function parseRules(text: string): { readonly tokens: readonly Token[]; readonly allows: readonly Allow[] } {
  const tokens = tokensOf(text);
  const allows: Allow[] = [];
  const begin = /^[ \t]*\/\/ keydesk:begin/m.exec(text)?.index ?? Number.POSITIVE_INFINITY;
  const end = /^[ \t]*\/\/ keydesk:end/m.exec(text)?.index ?? Number.NEGATIVE_INFINITY;
  const lineOf = createLineCounter(text);
  let scope = blockIn(undefined);
  let at = 0;
  while (at < tokens.length) {
    const { text: word, from } = tokens[at] as Token;
    const generated = begin < from && from < end;
    if (word === 'allow') {
      const after = endOfAllow(tokens, at + 1);
      const colon = tokens.slice(at, after).findIndex((token) => token.text === ':');
      if (!generated)
        allows.push({
          line: lineOf(from),
          written: text
            .slice(from, tokens[tokens[after]?.text === ';' ? after : after - 1]?.to)
            .replaceAll(/\s+/g, ' '),
          condition: colon < 0 ? undefined : at + colon + 2,
          end: after,
          scope,
        });
      at = after;
    } else if (word === 'function') {
      const open = indexOf(tokens, '{', at);
      const parameters = tokens.slice(at + 3, open - 1).flatMap((token) => (token.text === ',' ? [] : [token.text]));
      scope.functions.set(tokens[at + 1]?.text ?? '', { parameters, body: open + 1, scope, generated });
      at = afterBlock(tokens, open);
    } else if (word === 'match') at = afterPath(tokens, at + 1);
    else {
      if (word === '{') scope = blockIn(scope);
      if (word === '}') scope = scope.parent ?? scope;
      at += 1;
    }
  }
  return { tokens, allows };
}

/** Counts on from the place that was looked up before: the places come in the order of the file. */
function createLineCounter(text: string): (place: number) => number {
  let [line, counted] = [1, 0];
  return (place) => {
    for (let end = text.indexOf('\n', counted); end >= 0 && end < place; end = text.indexOf('\n', counted)) {
      line += 1;
      counted = end + 1;
    }
    return line;
  };
}

export function findFunction(name: string, scope: Scope | undefined): RulesFunction | undefined {
  return scope && (scope.functions.get(name) ?? findFunction(name, scope.parent));
}

function blockIn(parent: Scope | undefined): Scope {
  return { parent, functions: new Map() };
}

function tokensOf(text: string): Token[] {
  const token = new RegExp(`${COMMENT_OR_STRING.source}|\\w+|[|]{2}|&&|[=!<>]=|\\S`, 'g');
  return [...text.matchAll(token)].flatMap(({ 0: found, index }) =>
    /^\/[/*]/.test(found) ? [] : [{ text: found, from: index, to: index + found.length }],
  );
}

function indexOf(tokens: readonly Token[], text: string, from: number): number {
  let at = from;
  while (at < tokens.length && tokens[at]?.text !== text) at += 1;
  return at;
}

/** The index of the bracket that opens the block of a match: brackets of wildcards follow a slash. */
function afterPath(tokens: readonly Token[], from: number): number {
  let open = indexOf(tokens, '{', from);
  while (tokens[open - 1]?.text === '/') open = indexOf(tokens, '{', open + 1);
  return open;
}

/** A statement ends with a semicolon, at the end of its block, or where the next statement begins. */
function endOfAllow(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const text = tokens[at]?.text ?? '';
    const begins = ['allow', 'match', 'function'].includes(text) && tokens[at - 1]?.text !== '.';
    if (depth === 0 && (begins || text === ';' || text === '}')) return at;
    depth += depthOf(text);
  }
  return tokens.length;
}

function afterBlock(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    depth += depthOf(tokens[at]?.text ?? '');
    if (depth === 0) return at + 1;
  }
  return tokens.length;
}

function depthOf(text: string): number {
  if (['(', '[', '{'].includes(text)) return 1;
  return [')', ']', '}'].includes(text) ? -1 : 0;
}
