// A change of a policy as Markdown for a comment on a pull request. Whatever is from a policy is in a code span, where it is neither
// Markdown nor HTML, and notifies nobody.

import { visible } from '../policy/visible-text.ts';
import {
  type Line,
  type Part,
  type Review,
  type Section,
  sectionsOf,
  unchangedSentence,
  verdictLine,
} from './review.ts';

/** GitHub takes no longer comment. */
export const MAX_COMMENT = 65_536;
/** Characters of one value. */
const MAX_VALUE = 2000;
/** Names of credentials in one title. */
const MAX_NAMES = 20;
const MAX_TABLE = 16_384;
/** For the lines that say what is left out. */
const RESERVE = 500;

export function toMarkdown(review: Review): string {
  const { before, after } = review;
  const sections = sectionsOf(review);
  const unchanged = unchangedSentence(review);
  const compared =
    before.sha256 === undefined
      ? `There is no ${code(before.name)}. ${code(after.name)} is compared with an empty policy.`
      : `Compared ${code(before.name)} with ${code(after.name)}.`;
  const head = [
    '### Keydesk policy',
    '',
    `**${toMarkdownLine(verdictLine(review))}**`,
    '',
    compared,
    ...tableOf(sections),
  ];
  const foot = unchanged === undefined ? [] : ['', unchanged];
  const room = MAX_COMMENT - RESERVE - [...head, ...foot].join('\n').length;
  const shown = fitting(
    sections.map((section) => ['', ...blockOf(section)].join('\n')),
    room,
  );
  const left = sections.length - shown.length;
  const cut =
    left === 0 ? [] : ['', `**Left out here: ${left} sections.** Run ${code('keydesk policy diff')} to see all.`];
  return `${[...head, ...shown, ...cut, ...foot].join('\n')}\n`;
}

/** As many texts from the beginning as `room` has characters for. */
function fitting(texts: readonly string[], room: number): readonly string[] {
  let left = room;
  const end = texts.findIndex((text) => {
    left -= text.length + 1;
    return left < 0;
  });
  return end < 0 ? texts : texts.slice(0, end);
}

function tableOf(sections: readonly Section[]): string[] {
  if (sections.length === 0) return [];
  const rows = sections.map(({ title, verdict, differs }) => {
    const what = differs.slice(0, 5).map((one) => cell(code(one)));
    const more = differs.length > 5 ? [`${differs.length - 5} more`] : [];
    return `| ${cell(toTitle(title))} | ${verdict} | ${[...what, ...more].join(', ')} |`;
  });
  const shown = fitting(rows, MAX_TABLE);
  const more = rows.length - shown.length;
  return [
    '',
    '| credential | verdict | what differs |',
    '| --- | --- | --- |',
    ...shown,
    ...(more > 0 ? [`| ${more} more rows | | |`] : []),
  ];
}

function blockOf({ title, verdict, items }: Section): string[] {
  return [
    `#### ${toTitle(title)}: ${verdict}`,
    '',
    ...items.flatMap(({ line, details }) => [
      `- ${toMarkdownLine(line)}`,
      ...details.map((detail) => `  - ${toMarkdownLine(detail)}`),
    ]),
  ];
}

function toTitle(title: Line): string {
  // Between two names is a comma.
  const names = Math.ceil(title.length / 2);
  const more = names > MAX_NAMES ? ` and ${names - MAX_NAMES} more` : '';
  return `${toMarkdownLine(title.slice(0, MAX_NAMES * 2 - 1))}${more}`;
}

function toMarkdownLine(line: Line): string {
  return line.map(toMarkdownPart).join('');
}

function toMarkdownPart(part: Part): string {
  return typeof part === 'string' ? part : code(part.value);
}

/** A code span: its marks are longer than any run of backticks in it. */
function code(value: string): string {
  const whole = visible(value).trim() || ' ';
  const text =
    whole.length > MAX_VALUE ? `${whole.slice(0, MAX_VALUE)}… (${whole.length - MAX_VALUE} more characters)` : whole;
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const marks = '`'.repeat(longest + 1);
  const space = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${marks}${space}${text}${space}${marks}`;
}

/** A table's cell ends at a `|`, in code too. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
