// Words and phrases that Keydesk's prose no longer uses, each with what to say. Prose is documentation, comments, messages,
// help texts and titles of tests.

/** A pattern without flags, and what to say instead. */
const RETIRED: readonly (readonly [phrase: string, use: string])[] = [
  ['hand(?:s|ed|ing)? out|hand-?outs?', 'issue, issuance'],
  ['desks?', 'Keydesk, the service'],
  ['(?:gives?|given|gave|giving) (?:\\w+ )?back', 'release'],
  ['early returns?', 'release'],
  ['at rest|to rest|must rest|rests|rested|resting', 'cooldown, cool down'],
  ['wakes?|woken?|waking|waker', 'enable, resume'],
  ['barriers?|barr(?:ed|ing)', 'block'],
  ['thr(?:ow|ows|ew|own|owing) (?:the|a) (?:kill )?switch', 'activate the kill switch'],
  ['lift(?:s|ed|ing)?', 'remove (a block), deactivate'],
  ['dead', 'ended, expired'],
  ['found finished', 'reconciled'],
  ['missed ends?', 'lost webhook'],
  ['story', 'demo, scenario'],
  ['stand-ins?', 'fake'],
  ['who(?:m)?ever', 'say who'],
  ['of (?:which|whom)', 'write two sentences'],
  ['that of', 'repeat the noun'],
  ['anew', 'again'],
  ['beside', 'next to, with'],
  ['told', 'reported, received, learns'],
  ['so many', 'this many, the given number'],
  ['is it then', 'subject before verb'],
  ['mend(?:s|ed|ing)?', 'fix'],
  ['hea?rd? of', 'received'],
  ['by the clock', 'by expiry, on the clock'],
  ['to be had', 'available'],
  ["behind Keydesk's back", 'externally'],
  ['another than', 'differs from'],
  ['shall', 'must'],
];
const PATTERNS = RETIRED.map(([phrase, use]) => ({ pattern: new RegExp(`\\b(?:${phrase})\\b`, 'gi'), use }));

/** Each use of a retired phrase, such as `12 "whoever": say who`, by line. */
export function retiredPhrasesIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      PATTERNS.flatMap(({ pattern, use }) =>
        [...line.matchAll(pattern)].map(([found]) => `${index + 1} "${found}": ${use}`),
      ),
    );
}
