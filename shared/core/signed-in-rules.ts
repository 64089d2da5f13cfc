// Finds hand-written rules that every signed-in user satisfies. A Keydesk token is a signed-in user of its Firebase project
// until it expires, up to an hour, whatever became of its job. What cannot be decided from the text counts as satisfied.
// Source: firebase.google.com/docs/rules/rules-language (functions, operators); firebase.google.com/docs/rules/rules-and-auth.

import { COMMENT_OR_STRING } from './firestore-rules.ts';

export interface SignedInRule {
  /** The line of its `allow`, from 1. */
  readonly line: number;
  /** As written, on one line. */
  readonly rule: string;
}

/** The `allow` statements outside of Keydesk's marks that ask for a sign-in and, beyond it, for nothing that a Keydesk user lacks. */
export function rulesForAnySignedIn(text: string): SignedInRule[] {
  const plain = withoutComments(withoutGenerated(text));
  const functions = functionsOf(plain);
  return [...plain.matchAll(/\ballow\s+([\w\s,]+?)\s*:\s*if\b([^;]*);/g)].flatMap(
    ({ index, 0: rule, 2: condition }) => {
      const expanded = expand(condition ?? '', functions);
      if (!/\brequest\.auth\b/.test(expanded) || !admits(expanded)) return [];
      return [{ line: plain.slice(0, index).split('\n').length, rule: rule.replaceAll(/\s+/g, ' ') }];
    },
  );
}

/** Blanks keep every line where it is. */
function withoutGenerated(text: string): string {
  return text.replace(/\/\/ keydesk:begin[\s\S]*\/\/ keydesk:end.*/, blank);
}

function withoutComments(text: string): string {
  return text.replaceAll(COMMENT_OR_STRING, (found) => (found.startsWith('/') ? blank(found) : found));
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ');
}

type Functions = ReadonlyMap<string, string>;

/** The bodies of the text's functions as expressions, by name, with their `let` bindings written out. */
function functionsOf(text: string): Functions {
  const found = text.matchAll(/\bfunction\s+(\w+)\s*\([^)]*\)\s*\{((?:\s*let\s+[^;]*;)*)\s*return\s+([^;]*);?\s*\}/g);
  return new Map([...found].map(([, name = '', bindings = '', result = '']) => [name, withBindings(result, bindings)]));
}

function withBindings(result: string, bindings: string): string {
  const lets = [...bindings.matchAll(/let\s+(\w+)\s*=\s*([^;]*);/g)].reverse();
  return lets.reduce(
    (text, [, name, value]) => text.replaceAll(new RegExp(`(?<![\\w.])${name}\\b`, 'g'), () => `(${value})`),
    result,
  );
}

/** The rules language lets no function call itself, so so many steps reach the end of every chain that is valid. */
const LONGEST_CHAIN = 20;

/** Puts the functions' bodies in place of their calls. Their parameters stay as they are: none of them is the sign-in. */
function expand(condition: string, functions: Functions): string {
  let text = condition;
  for (let step = 0; step < LONGEST_CHAIN; step += 1) {
    const next = text.replaceAll(/(?<![\w.])(\w+)\s*\(([^()]*)\)/g, (call, name: string) => {
      const body = functions.get(name);
      return body === undefined ? call : `(${body})`;
    });
    if (next === text || next.length > 100_000) return next;
    text = next;
  }
  return text;
}

/** Whether a Keydesk user may satisfy the condition. */
function admits(condition: string): boolean {
  const text = withoutParentheses(condition);
  const either = splitAt(text, '||');
  if (either.length > 1) return either.some(admits);
  const both = splitAt(text, '&&');
  return both.length > 1 ? both.every(admits) : !keepsOut(text);
}

/** Claims that a user has by itself or can give itself. All others are an administrator's to give. */
const OWN_CLAIMS = 'email|email_verified|phone_number|name|picture|sub|user_id|aud|iss|iat|exp|auth_time|firebase|get';
const KEEPS_OUT: readonly RegExp[] = [
  /^false$/,
  /^request\.auth\s*==\s*null$/,
  // Keydesk's users, by the form of their uid.
  /^!\s*\(*\s*(?:keydeskUser\s*\(|request\.auth\.uid\.matches\(\s*['"]\^?keydesk-)/,
  // The sign-in: Keydesk's is `custom`.
  /\bsign_in_provider\b['"\])]*\s*!=\s*['"]custom['"]/,
  /\bsign_in_provider\b['"\])]*\s*==\s*['"](?!custom['"])/,
  /\bsign_in_provider\b['"\])]*\s+in\s+\[(?![^\]]*['"]custom['"])/,
  // The tenant, or Keydesk's own claim.
  /\bfirebase\.(?:tenant\b|get\(\s*['"]tenant['"])/,
  /^!\s*\(*\s*['"]keydesk_grant['"]\s+in\b/,
  /['"]keydesk_grant['"]\s*,\s*null\s*\)\s*==\s*null/,
  // A claim that only an administrator gives, one fixed user, or a document about the user that is asked for.
  new RegExp(
    `^request\\.auth\\.token\\.(?!(?:${OWN_CLAIMS})\\b)\\w+(?:\\s*==\\s*(?:true|\\d+|['"][^'"]*['"])|\\s+in\\s+\\[|$)`,
  ),
  /^request\.auth\.uid\s*==\s*['"]|^request\.auth\.uid\s+in\s+\[/,
  /^(?:exists|get|firestore\.exists|firestore\.get)\s*\(.*\$\(\s*request\.auth\.uid\s*\)/s,
];

function keepsOut(condition: string): boolean {
  return KEEPS_OUT.some((pattern) => pattern.test(condition));
}

function withoutParentheses(text: string): string {
  const trimmed = text.trim();
  if (!trimmed.startsWith('(') || closingOf(trimmed) !== trimmed.length - 1) return trimmed;
  return withoutParentheses(trimmed.slice(1, -1));
}

/** Where the parenthesis that the text begins with is closed. */
function closingOf(text: string): number {
  let depth = 0;
  for (const { index, bracket } of bracketsOf(text)) {
    depth += depthOf(bracket);
    if (depth === 0) return index;
  }
  return -1;
}

/** The parts between the operators that stand in no parentheses. */
function splitAt(text: string, operator: '||' | '&&'): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { index, bracket } of bracketsOf(text)) {
    if (bracket === operator && depth === 0) {
      parts.push(text.slice(from, index));
      from = index + operator.length;
    } else depth += depthOf(bracket);
  }
  return [...parts, text.slice(from)];
}

function depthOf(bracket: string): number {
  if ('([{'.includes(bracket)) return 1;
  return ')]}'.includes(bracket) ? -1 : 0;
}

/** Brackets and operators outside of strings, in their order. */
function* bracketsOf(text: string): Generator<{ readonly index: number; readonly bracket: string }> {
  for (const { index, 0: bracket } of text.matchAll(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\|\||&&|[()[\]{}]/g))
    if (!/^['"]/.test(bracket)) yield { index, bracket };
}
