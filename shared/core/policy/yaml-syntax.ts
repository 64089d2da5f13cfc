// What the YAML parser refuses, in words for the author of the file. The parser goes on after a mistake and reports its consequences,
// so this keeps the first one and says what to write.

import type { Document, YAMLError } from 'yaml';
import { openBracket } from './open-brackets.ts';
import type { Span, YamlProblem } from './places.ts';

/** @returns one problem for each mistake: the first that breaks the structure, or every tag */
export function syntaxMistakes({ errors, warnings }: Document, text: string): YamlProblem[] {
  const faults = [...errors, ...warnings].sort((left, right) => left.pos[0] - right.pos[0]);
  const tags = faults.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
  const structural = faults.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED');
  // A tab is found after what it causes.
  const first = structural.find(({ code }) => code === 'TAB_AS_INDENT') ?? structural[0];
  if (first) return [explain(first, structural, text)];
  return tags.map(({ pos: [start, end] }) => ({
    span: { start, end },
    message: `${text.slice(start, end)} is a YAML tag, and Keydesk reads none. Write the value alone, or put it in quotes.`,
  }));
}

function explain(
  { code, pos: [start, end], message }: YAMLError,
  faults: readonly YAMLError[],
  text: string,
): YamlProblem {
  const here = { start, end };
  const line = lineAt(text, start);
  switch (code) {
    case 'TAB_AS_INDENT': {
      const [indent] = /^\s*/.exec(line.text) ?? [''];
      return { span: within(line, 0, indent.length), message: 'This line is indented with a tab. Use spaces.' };
    }
    case 'MULTIPLE_DOCS':
      return {
        span: wholeLine(line),
        message: 'A second YAML document begins here, and a file holds one. Keep one of them.',
      };
    case 'BAD_SCALAR_START':
      return inQuotes(text, start);
    case 'BAD_ALIAS':
      return inQuotes(text, start);
    case 'BAD_DQ_ESCAPE':
      return {
        span: { start, end: start + 2 },
        message: `${text.slice(start, start + 2)} is no escape sequence of YAML. Use single quotes, in which \\ is an ordinary character.`,
      };
    case 'BLOCK_IN_FLOW':
      return { span: secondKey(here, text), message: 'A comma is missing before this key.' };
    case 'BAD_INDENT':
      return notClosed(text, start, message) ?? wrongIndent(text, start);
    case 'MISSING_CHAR':
      return missing({ start, end, message }, text);
    case 'BLOCK_AS_IMPLICIT_KEY':
      if (/^\s*-(?:\s|$)/.test(line.text.slice(start - line.start))) return wrongIndent(text, start);
      if (faults.some((other) => other.code === 'MULTILINE_IMPLICIT_KEY' && other.pos[0] === start))
        return wrongIndent(text, text.indexOf('\n', start) + 1);
      return valueInQuotes(text, start, 'that has a colon');
    case 'MULTILINE_IMPLICIT_KEY':
      return withoutColon(line);
    case 'NON_STRING_KEY':
      return text[start] === '*'
        ? inQuotes(text, start)
        : { span: here, message: 'A key must be text. Put it in quotes.' };
    case 'UNEXPECTED_TOKEN':
      return unexpected(start, end, message, text);
    default:
      return { span: here, message: `This is not YAML: ${message}.` };
  }
}

function missing({ start, end, message }: Span & { message: string }, text: string): YamlProblem {
  const line = lineAt(text, start);
  const [, quote] = /closing (["'])/.exec(message) ?? [];
  if (quote !== undefined) {
    const opening = openingQuote(text, start, quote);
    return { span: { start: opening, end: opening + 1 }, message: `This ${quote} has no closing ${quote}. Add it.` };
  }
  if (message.startsWith('Sequence item')) return wrongIndent(text, start);
  if (message.startsWith('Missing ,'))
    return { span: { start, end }, message: 'A comma is missing before this value.' };
  if (message.startsWith('Implicit map keys')) return withoutColon(line);
  return notClosed(text, start, message) ?? { span: { start, end }, message: `This is not YAML: ${message}.` };
}

function unexpected(start: number, end: number, message: string, text: string): YamlProblem {
  const span = { start, end };
  const before = text.slice(0, start).trimEnd();
  const last = before.at(-1) ?? '';
  const character = text[start] ?? '';
  if (message.startsWith('Block scalar header')) return inQuotes(text, start - 1);
  if (character === ']' || character === '}')
    return { span, message: `This ${character} closes nothing. Remove it, or add the bracket that opens.` };
  if (character === ',') return { span, message: 'A value is missing before this comma.' };
  if (character === '-' && message.includes('on same line'))
    return {
      span,
      message: 'A list item follows a key in one line. Begin the list on the next line, or write [a, b].',
    };
  if (/\n\s*$/.test(text.slice(0, start))) return wrongIndent(text, start);
  if (last === '"' || last === "'")
    return { span, message: 'This text follows a closing quote. Put the whole value in quotes, or add a comma.' };
  if (last === ']' || last === '}') return { span, message: `A comma or a new line is missing after ${last}.` };
  return valueStart(text, start) < start ? inQuotes(text, start) : { span, message: `This is not YAML: ${message}.` };
}

/** Of `a b: c` in brackets: b. */
function secondKey({ start, end }: Span, text: string): Span {
  const [, before = '', key = ''] = /^([^:]*\s)(\S+?)\s*:/.exec(text.slice(start, end)) ?? [];
  return key === '' ? { start, end } : { start: start + before.length, end: start + before.length + key.length };
}

function notClosed(text: string, end: number, message: string): YamlProblem | undefined {
  if (!/end with a|expected/i.test(message)) return undefined;
  const start = openBracket(text, end);
  if (start === undefined) return undefined;
  const closing = text[start] === '[' ? ']' : '}';
  return { span: { start, end: start + 1 }, message: `This ${text[start]} has no closing ${closing}. Add it.` };
}

function withoutColon(line: Line): YamlProblem {
  const [lead = ''] = /^\s*/.exec(line.text) ?? [];
  const words = line.text.trim();
  const span = within(line, lead.length, lead.length + words.length);
  const glued = /^(?:- )?([\w-]+):(?=\S)/.exec(words);
  if (glued) return { span, message: `A space is missing after ${glued[1]}:. Write it.` };
  if (/^-[^\s-]/.test(words)) return { span, message: 'A space is missing after the -. Write it.' };
  return { span, message: 'This line has no "key: value". Add what is missing, or join it with the line above.' };
}

/** The indents of the blocks that are open above. */
function wrongIndent(text: string, at: number): YamlProblem {
  const line = lineAt(text, at);
  if (/^\s*-[^\s-]/.test(line.text)) return withoutColon(line);
  const [indent] = /^\s*/.exec(line.text) ?? [''];
  const item = line.text.trimStart().startsWith('-');
  const fitting = new Set<number>();
  let limit = Number.POSITIVE_INFINITY;
  for (const above of text.slice(0, line.start).split('\n').reverse()) {
    const [lead = '', dash] = /^ *(- +)?/.exec(above) ?? [];
    if (above.trim() === '' || above.trim().startsWith('#')) continue;
    const outer = dash === undefined ? lead.length : lead.length - dash.length;
    if (dash !== undefined && lead.length < limit && !item) fitting.add(lead.length);
    if (outer < limit && (item ? dash !== undefined : dash === undefined)) fitting.add(outer);
    limit = Math.min(limit, outer);
  }
  fitting.delete(indent.length);
  const nearest = [...fitting].sort((a, b) => Math.abs(a - indent.length) - Math.abs(b - indent.length)).slice(0, 2);
  const advice =
    nearest.length === 0
      ? 'Align it with the lines above'
      : `Indent it by ${nearest.sort((a, b) => a - b).join(' or ')}`;
  const end = indent.length + Math.max(1, line.text.trim().length);
  return {
    span: within(line, indent.length, end),
    message: `This line is indented by ${indent.length} ${indent.length === 1 ? 'space' : 'spaces'}, which does not fit the lines above. ${advice}.`,
  };
}

/** A value that YAML does not read as text because of its first character, or of a brace in it. */
function inQuotes(text: string, at: number): YamlProblem {
  const start = valueStart(text, at);
  const first = text[start] ?? '';
  const brace = /[A-Za-z0-9_]/.test(first) ? /[{}[\]]/.exec(text.slice(start, valueEnd(text, start)))?.[0] : undefined;
  return valueInQuotes(text, start, brace === undefined ? `that begins with ${first}` : `with ${brace} in braces`);
}

function valueInQuotes(text: string, start: number, why: string): YamlProblem {
  const end = valueEnd(text, start);
  return {
    span: { start, end },
    message: `A value ${why} must be in quotes. Write ${JSON.stringify(text.slice(start, end))}.`,
  };
}

/** After the last key, dash, bracket or comma of the line in front of `at`. */
function valueStart(text: string, at: number): number {
  const line = lineAt(text, at);
  const before = line.text.slice(0, at - line.start);
  const last = [...before.matchAll(/^\s*(?:-\s+)*|:\s+|[[{,]\s*/g)].at(-1);
  return line.start + (last ? last.index + last[0].length : 0);
}

/** Before a comment, and in brackets before what ends a value there. #channel and {name} are taken for part of the value. */
function valueEnd(text: string, start: number): number {
  const line = lineAt(text, start);
  const rest = line.text.slice(start - line.start);
  const inBrackets = openBracket(text, start) !== undefined;
  const [value = ''] = (inBrackets ? /^(?:\{[^\s{},]*\}|(?!\s#)[^,\]}])*/ : /^(?:(?!\s#(?:\s|$)).)*/).exec(rest) ?? [];
  return start + Math.max(1, value.trimEnd().length);
}

interface Line {
  readonly start: number;
  readonly text: string;
}

function lineAt(text: string, offset: number): Line {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', start);
  return { start, text: text.slice(start, end < 0 ? text.length : end).replace(/\r$/, '') };
}

function within({ start }: Line, from: number, to: number): Span {
  return { start: start + from, end: start + to };
}

function wholeLine(line: Line): Span {
  return within(line, 0, line.text.length);
}

/** The quote that the parser read from: the first of the line that is not closed in it. */
function openingQuote(text: string, end: number, quote: string): number {
  for (let line = lineAt(text, end); ; line = lineAt(text, line.start - 1)) {
    const opening = new RegExp(`(?<=^|[\\s[{,])${quote}`).exec(unquoted(line.text));
    if (opening) return line.start + opening.index;
    if (line.start === 0) return Math.min(end, text.length);
  }
}

/** The line with every quoted text of it, and its comment, replaced by letters. */
function unquoted(line: string): string {
  return line.replace(/(?<=^|[\s[{,])(?:"(?:\\.|[^"\\])*"|'(?:''|[^'])*'|#.*$)/g, (quoted) =>
    'x'.repeat(quoted.length),
  );
}
