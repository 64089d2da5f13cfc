// Reads the generated part of a rules file: what each `allow` lets which credentials do.

import type { Verb } from '../kinds/firestore.ts';

export interface GeneratedAllow {
  /** From 1. */
  readonly line: number;
  /** As written, without indentation. */
  readonly text: string;
  readonly path: string;
  readonly verbs: readonly Verb[];
  readonly credentials: readonly string[];
}

/** Every `allow` between Keydesk's marks that names credentials; undefined without marks. */
export function readGenerated(rules: string): GeneratedAllow[] | undefined {
  const lines = rules.split('\n').map((text) => text.trim());
  const begin = lines.findIndex((text) => text.startsWith('// keydesk:begin'));
  const end = lines.findIndex((text) => text.startsWith('// keydesk:end'));
  if (begin < 0 || end < begin) return undefined;
  const allows: GeneratedAllow[] = [];
  let path = '';
  for (const [index, text] of lines.entries()) {
    if (index <= begin || index >= end) continue;
    path = /^match \/(.+) \{$/.exec(text)?.[1] ?? path;
    const [, verbs, credentials] = /^allow ([a-z, ]+): if keydeskAllows\('([^']*)'\);$/.exec(text) ?? [];
    if (verbs === undefined || credentials === undefined) continue;
    const named = { verbs: verbs.split(', ') as Verb[], credentials: credentials.split(' ') };
    allows.push({ line: index + 1, text, path, ...named });
  }
  return allows;
}
