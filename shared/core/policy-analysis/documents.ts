// Sets of Firestore documents that the paths of a credential open, verb by verb.

import type { Verb } from '../kinds/firestore.ts';
import type { FirestoreCredential } from '../policy/credential.ts';
import type { Tools } from './jobs.ts';
import type { Domain } from './texts.ts';

export const VERBS = ['get', 'list', 'create', 'update', 'delete'] as const satisfies readonly Verb[];

/** A document, and what is done with it. */
export interface Touch {
  readonly verb: Verb;
  readonly path: string;
}

export type Allow = FirestoreCredential['allow'];

/** What `allow` opens and none of `others` does. @returns an example; undefined when there is nothing. @throws CannotTell */
export function touchOutside(allow: Allow, others: Allow, { finder, work }: Tools): Touch | undefined {
  for (const verb of VERBS) {
    const without = patternsOf(others, verb);
    for (const pattern of patternsOf(allow, verb)) {
      const path = finder.find(DOCUMENTS, { within: [[pattern]], without }, work);
      if (path !== undefined) return { verb, path };
    }
  }
  return undefined;
}

/** What both open. @returns an example; undefined when there is nothing. @throws CannotTell */
export function touchInBoth(allow: Allow, others: Allow, { finder, work }: Tools): Touch | undefined {
  for (const verb of VERBS) {
    const within = [patternsOf(allow, verb), patternsOf(others, verb)];
    const path = finder.find(DOCUMENTS, { within, without: [] }, work);
    if (path !== undefined) return { verb, path };
  }
  return undefined;
}

/** Whether `allow` opens a document for a verb. */
export function opens(allow: Allow, { verb, path }: Touch, { finder, work }: Tools): boolean {
  return finder.find(DOCUMENTS, { within: [[path], patternsOf(allow, verb)], without: [] }, work) !== undefined;
}

function patternsOf(allow: Allow, verb: Verb): string[] {
  return allow.filter(({ verbs }) => verbs.includes(verb)).flatMap(({ path }) => toPatterns(path));
}

/** `{name=**}` also stands for no segment at all. Source: firebase.google.com/docs/firestore/security/rules-structure (version 2). */
function toPatterns(path: string): string[] {
  const segments = path.split('/').map((segment) => (/^\{\w+\}$/.test(segment) ? '*' : segment));
  if (!segments.at(-1)?.endsWith('=**}')) return [segments.join('/')];
  const before = segments.slice(0, -1).join('/');
  return [before, `${before}/**`];
}

/** Names of collections and documents alternate. In an odd state a name has begun; from 2 on it is a document's. */
const DOCUMENTS: Domain = {
  name: 'document',
  next: (state, character) => {
    if (character !== '/') return state | 1;
    return state === 1 ? 2 : state === 3 ? 0 : undefined;
  },
  isEnd: (state) => state === 3,
  has: (text) => /^[^/]+\/[^/]+(\/[^/]+\/[^/]+)*$/.test(text),
  characters: ['/'],
  examples: [],
};
