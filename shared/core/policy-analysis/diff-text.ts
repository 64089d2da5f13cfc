// A change of a policy as text for a terminal.

import { visible } from '../policy/visible-text.ts';
import { type Line, type Part, type Review, sectionsOf, unchangedSentence, verdictLine } from './review.ts';

/** The lines; the first one is the verdict. */
export function toText(review: Review): string[] {
  const { before, after } = review;
  const sections = sectionsOf(review).map(({ title, verdict, items }) => [
    '',
    `${toLine(title)}: ${verdict}`,
    ...items.flatMap(({ line, details }) => [`  ${toLine(line)}`, ...details.map((detail) => `    ${toLine(detail)}`)]),
  ]);
  const unchanged = unchangedSentence(review);
  return [
    toLine(verdictLine(review)),
    before.sha256 === undefined
      ? `There is no ${visible(before.name)}. ${visible(after.name)} is compared with an empty policy.`
      : `Compared ${visible(before.name)} with ${visible(after.name)}.`,
    ...sections.flat(),
    ...(unchanged === undefined ? [] : ['', unchanged]),
  ];
}

function toLine(line: Line): string {
  return line.map(toWord).join('');
}

function toWord(part: Part): string {
  return typeof part === 'string' ? part : visible(part.value);
}
