// The shortest text that fits some patterns and not others. Goes through all texts, shortest first, except those that can go on in the same
// ways as one before.

import { PatternList } from './pattern-list.ts';
import type { Domain, Texts } from './texts.ts';
import type { Work } from './work.ts';

/** How far a text has come: a state of the domain, of every list in `within`, and of `without`. Equal states go on in the same ways. */
interface Progress {
  readonly domain: number;
  readonly within: readonly number[];
  readonly without: number;
  /** The text of another state, and one character. */
  readonly from: Progress | undefined;
  readonly character: string;
}

/** @returns undefined when there is none; the text may be too long for the domain. @throws CannotTell */
export function shortestText(domain: Domain, texts: Texts, work: Work): string | undefined {
  const within = texts.within.map((patterns) => new PatternList(patterns, work));
  const without = new PatternList(texts.without, work);
  const characters = toCharacters(domain, [...within, without]);
  const seen = new Set<string>();
  const start = { domain: 0, within: within.map(() => 0), without: 0, from: undefined, character: '' };
  let reached: Progress[] = [start];
  while (reached.length > 0) {
    const next: Progress[] = [];
    for (const progress of reached) {
      if (
        domain.isEnd(progress.domain) &&
        within.every((list, index) => list.matches(progress.within[index] ?? 0)) &&
        !without.matches(progress.without)
      )
        return textOf(progress);
      for (const character of characters) {
        work.spend();
        const state = domain.next(progress.domain, character);
        if (state === undefined) continue;
        const inside = within.map((list, index) => list.next(progress.within[index] ?? 0, character));
        if (inside.some((one, index) => within[index]?.matchesNothingFrom(one))) continue;
        const outside = without.next(progress.without, character);
        if (without.matchesAllFrom(outside)) continue;
        const key = `${state} ${inside.join(' ')} ${outside}`;
        if (seen.has(key)) continue;
        work.spend(STEPS_OF_PROGRESS);
        seen.add(key);
        next.push({ domain: state, within: inside, without: outside, from: progress, character });
      }
    }
    reached = next;
  }
  return undefined;
}

/** What is kept takes memory. */
const STEPS_OF_PROGRESS = 4;

function textOf(progress: Progress): string {
  const characters: string[] = [];
  for (let one: Progress | undefined = progress; one; one = one.from) characters.push(one.character);
  return characters.reverse().join('');
}

/** Every character that a list or the domain distinguishes; the readable ones first. */
function toCharacters(domain: Domain, lists: readonly PatternList[]): string[] {
  const all = new Set([...domain.characters, '/', ...lists.flatMap(({ characters }) => characters)]);
  const other = [...'xyzabcdefghijklmnopqrstuvw0123456789'].find((character) => !all.has(character));
  if (other !== undefined) all.add(other);
  else
    for (let code = 0xa1; code < 0x10000; code += 1) {
      const character = String.fromCharCode(code);
      if (all.has(character)) continue;
      all.add(character);
      break;
    }
  return [...all].sort((left, right) => rank(left) - rank(right));
}

function rank(character: string): number {
  return /[a-z]/.test(character) ? 0 : /[0-9]/.test(character) ? 1 : 2;
}
