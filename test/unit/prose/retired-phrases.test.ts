// Retired words and phrases stay out of every file that people read. retired-phrases.ts has what to say instead.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { retiredPhrasesIn } from './retired-phrases.ts';

/** Texts of others, what fuzzers made, and the lists themselves. */
const NEVER =
  /^(?:LICENSE|tools\/fuzz\/corpora\/|test\/unit\/prose\/|test\/unit\/terms\.test\.ts)|package-lock\.json$|provider-[\d.]+\.schema\.json$/;

const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
  .split('\0')
  .filter((path) => path && existsSync(path) && !NEVER.test(path));

function retiredIn(paths: readonly string[]): string[] {
  return paths.flatMap((path) => retiredPhrasesIn(readFileSync(path, 'utf8')).map((use) => `${path}:${use}`));
}

it('no file uses a retired phrase', () => {
  expect(retiredIn(tracked)).toEqual([]);
});

it.each([
  ['Ask whoever runs Keydesk.', '1 "whoever": say who'],
  ['A token\nis handed out.', '2 "handed out": issue, issuance'],
  ['the parts of which one fails', '1 "of which": write two sentences'],
  ['is told so', '1 "told": reported, received, learns'],
])('finds one in %j', (text, found) => {
  expect(retiredPhrasesIn(text)).toEqual([found]);
});

it.each(['the rest of it', 'Keydesk', 'besides', 'recommend', 'the barcode', 'shareholder'])(
  'leaves %j alone',
  (text) => {
    expect(retiredPhrasesIn(text)).toEqual([]);
  },
);
