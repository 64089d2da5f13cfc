// I7: no token, job token, signature or key is in the ledger, in a grant document or in a log. Each word of them is compared with
// the hashes of what must not be there, and with the forms of tokens.

import { createHash } from 'node:crypto';
import { type Evidence, observed, type StoredDocument } from './evidence.ts';
import type { Value } from './firestore-export.ts';
import { type Judged, Judgement } from './verdict.ts';

const WORD = /[\w.~+/=-]{12,}/g;
/** Google's access tokens, and three parts of a JSON Web Token. */
const FORMS = [/ya29\.[\w.-]{8,}/, /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/];

export function judgeSecrets(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const secrets = new Map(observed(evidence, 'secret').map(({ sha256, kind }) => [sha256, kind]));
  const seen = new Map<string, string | undefined>();
  const kindOf = (word: string): string | undefined => {
    if (!seen.has(word)) seen.set(word, secrets.get(createHash('sha256').update(word).digest('hex')));
    return seen.get(word);
  };
  const judge = (place: string, text: string) => {
    const words = text.match(WORD) ?? [];
    const kinds = words.map((word) => kindOf(word) ?? (FORMS.some((form) => form.test(word)) ? 'token' : undefined));
    const kind = kinds.find((found) => found !== undefined);
    judgement.expect(kind === undefined, () => `${place} holds the text of a secret: ${kind}`);
  };
  for (const [where, collections] of Object.entries({ ledger: evidence.ledger, data: evidence.data }))
    for (const [name, documents] of Object.entries(collections))
      for (const document of documents) judge(`${where} ${name}/${document.id}`, textOf(document));
  for (const { instance, text } of evidence.lines) judge(`a line of ${instance}`, text);
  return judgement;
}

function textOf({ id, fields }: StoredDocument): string {
  const texts: string[] = [id];
  const collect = (value: Value | undefined) => {
    if (typeof value === 'string') texts.push(value);
    else if (Array.isArray(value)) for (const item of value) collect(item);
    else if (value !== null && typeof value === 'object') for (const item of Object.values(value)) collect(item);
  };
  collect(fields);
  return texts.join('\n');
}
