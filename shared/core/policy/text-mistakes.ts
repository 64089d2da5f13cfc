// What is wrong with the characters of a file before YAML is read: invisible characters, YAML directives and templates that
// nothing replaced.

import type { YamlProblem } from './places.ts';
import { codePoint, invisibleCharacters } from './visible-text.ts';

const BYTE_ORDER_MARK = '\ufeff';
/** They change the order in which the text around them is shown. Source: Unicode, Bidi_Control. */
const BIDI_CONTROL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const SPACE_LOOKALIKE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g;
/** `${NAME}`, `$NAME`, `{{ NAME }}`, `<% NAME %>`. */
const TEMPLATE = /\$\{[^}\n]*\}?|(?<![^\s"'[,{])\$[A-Za-z_]\w*|\{\{(?:[^}\n]*\}\})?|<%[^\n]*?(?:%>|$)/gm;

/** @returns the problems of the first kind that the text has */
export function textMistakes(text: string): YamlProblem[] {
  const checks = [encodingMistakes, invisibleMistakes, directiveMistakes, spaceMistakes, templateMistakes];
  for (const check of checks) {
    const problems = check(text);
    if (problems.length > 0) return problems;
  }
  return [];
}

function encodingMistakes(text: string): YamlProblem[] {
  const start = text.indexOf('\ufffd');
  if (start < 0) return [];
  return [{ span: { start, end: start + 1 }, message: 'The text is not UTF-8 here. Save the file as UTF-8.' }];
}

function invisibleMistakes(text: string): YamlProblem[] {
  const found = invisibleCharacters(text).filter(
    ({ offset, character }) => offset > 0 || character !== BYTE_ORDER_MARK,
  );
  const carriageReturn = found.find(({ character }) => character === '\r');
  return found
    .filter((one) => one.character !== '\r' || one === carriageReturn)
    .map(({ offset, character }) => ({
      span: { start: offset, end: offset + character.length },
      message: invisibleMessage(character),
    }));
}

function invisibleMessage(character: string): string {
  const name = codePoint(character);
  if (character === '\r') return `Lines end in a carriage return (${name}) alone. End them with a line feed.`;
  if (BIDI_CONTROL.test(character))
    return `The character ${name} is invisible and changes the order in which text is shown. Remove it.`;
  if (/\p{Cc}/u.test(character)) return `The control character ${name} is not allowed. Remove it.`;
  return `The character ${name} is invisible. Remove it.`;
}

function spaceMistakes(text: string): YamlProblem[] {
  return outsideComments(text, SPACE_LOOKALIKE).map(({ 0: character, index }) => ({
    span: { start: index, end: index + character.length },
    message: `The character ${codePoint(character)} looks like a space. Replace it with a space.`,
  }));
}

/** `%YAML 1.1` would turn `no` into false. */
function directiveMistakes(text: string): YamlProblem[] {
  const [head] = /^\ufeff?(?:[ \t]*(?:#.*)?\r?\n|%.*\r?\n)*/.exec(text) ?? [''];
  return [...head.matchAll(/^%.*$/gm)]
    .filter(([line]) => !/^%YAML[ \t]+1\.2[ \t]*(?:#.*)?\r?$/.test(line))
    .map(({ 0: line, index }) => ({
      span: { start: index, end: index + line.length },
      message: line.startsWith('%YAML')
        ? 'Keydesk reads YAML 1.2. Remove this line.'
        : 'This line is a YAML directive, and Keydesk reads none. Remove the line.',
    }));
}

function templateMistakes(text: string): YamlProblem[] {
  return outsideComments(text, TEMPLATE).map(({ 0: template, index }) => ({
    span: { start: index, end: index + template.length },
    message: `Keydesk replaces no variables, and ${JSON.stringify(template)} is one. Write the value.`,
  }));
}

/** A comment begins with # at the start of a line or after a space. */
function outsideComments(text: string, pattern: RegExp): RegExpExecArray[] {
  return [...text.matchAll(pattern)].filter(({ index }) => {
    const before = text.slice(text.lastIndexOf('\n', index - 1) + 1, index);
    return !/(?:^|\s)#/.test(before);
  });
}
