// Sentences of the pages that most people read are short enough to be read once.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sentencesOf, wordCount } from './sentences.ts';

const MOST_WORDS = 20;

it.each(['README.md', 'docs/POLICY.md', 'docs/TROUBLESHOOTING.md'])('%s has no long sentence', (path) => {
  const sentences = sentencesOf(readFileSync(path, 'utf8'));
  expect(sentences.length).toBeGreaterThan(50);
  expect(sentences.filter((sentence) => wordCount(sentence) > MOST_WORDS)).toEqual([]);
});

it.each([
  ['two sentences', 'One is here. The other is\nthere.', ['One is here.', 'The other is there.']],
  ['no heading and no code block', '# Title\n\nText.\n\n```sh\nnpm test. Then more.\n```\n', ['Text.']],
  ['a code span as one word', 'Run `npm test -- a b`.', ['Run Code.']],
  ['a link by its text', 'See [the page](docs/A.md#b-c).', ['See the page.']],
  ['cells of a table', '| a. B | c |\n| --- | --- |\n| d | e |', ['a.', 'B', 'c', '---', '---', 'd', 'e']],
  ['items of a list', '- one\n  more\n- two\n1. three', ['one more', 'two', 'three']],
])('a page has %s', (_, page, sentences) => {
  expect(sentencesOf(page)).toEqual(sentences);
});

it('words have a letter or a digit', () => {
  expect(wordCount('One – two, 3 … !')).toBe(3);
});
