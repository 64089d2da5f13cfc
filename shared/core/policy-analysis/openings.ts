// Which credentials open what a question is about. A policy does not say what the IAM roles of a service account open.

import { accountsOf } from '../kinds/kinds.ts';
import type { Credential } from '../policy/credential.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { orCannotTell } from './change.ts';
import type { CommonPlace } from './common-places.ts';
import { type Allow, type Touch, touchInBoth, touchOutside } from './documents.ts';
import type { Tools } from './jobs.ts';
import { mayOpen } from './oauth-scopes.ts';
import type { Question } from './questions.ts';
import { toLiteral } from './texts.ts';

/** How much of what was asked about a credential opens. */
export type Opening =
  | { readonly opens: 'all'; readonly allow?: Allow }
  | {
      readonly opens: 'part';
      /** Of a path: the entries that open something of it, and an example. */
      readonly allow?: Allow;
      readonly example?: Touch;
    }
  /** It is of another environment than asked about, and opens places that credentials of that environment open. */
  | { readonly opens: 'same place'; readonly places: readonly CommonPlace[] }
  | { readonly opens: 'cannot tell'; readonly reason: string };

/** @param databases of the policy's file @returns undefined when it opens nothing of it */
export function openingOf(
  name: string,
  credential: Credential,
  databases: WrittenPolicy['databases'],
  question: Question,
  newTools: () => Tools,
): Opening | undefined {
  switch (question.about) {
    case 'credential':
      return question.credential === name ? { opens: 'all' } : undefined;
    case 'environment':
      return question.environment === credential.environment ? { opens: 'all' } : undefined;
    case 'path':
      return pathOpening(credential, databases, question, newTools);
    case 'bucket':
      return bucketOpening(credential, question);
  }
}

type PathQuestion = Extract<Question, { about: 'path' }>;
type BucketQuestion = Extract<Question, { about: 'bucket' }>;

function pathOpening(
  credential: Credential,
  databases: WrittenPolicy['databases'],
  { path, verbs, database }: PathQuestion,
  newTools: () => Tools,
): Opening | undefined {
  if (credential.kind !== 'firestore') return credential.storage ? undefined : byRoles(credential, 'documents');
  // Two names may stand for one database.
  const place = database === undefined ? credential : databases[database];
  if (place?.project !== credential.project || place.database !== credential.database) return undefined;
  const asked: Allow = [{ path: toTemplate(path), verbs }];
  const found = orCannotTell(() => {
    const allow = credential.allow.filter((entry) => touchInBoth([entry], asked, newTools()));
    const example = touchInBoth(allow, asked, newTools());
    return example && { allow, example, isAll: touchOutside(asked, allow, newTools()) === undefined };
  });
  if (found === 'cannot tell')
    return { opens: 'cannot tell', reason: 'Its paths are too many or too complex to compare.' };
  if (!found) return undefined;
  const { allow, example, isAll } = found;
  return isAll ? { opens: 'all', allow } : { opens: 'part', allow, example };
}

/** A segment without a wildcard stands for itself. */
function toTemplate(path: string): string {
  return path
    .split('/')
    .map((segment) => (segment.startsWith('{') ? segment : toLiteral(segment)))
    .join('/');
}

function bucketOpening(credential: Credential, { bucket, prefix }: BucketQuestion): Opening | undefined {
  if (credential.kind === 'firestore') return undefined;
  if (!credential.storage) return byRoles(credential, 'objects');
  if (credential.storage.bucket !== bucket) return undefined;
  const opened = credential.storage.prefix ?? '';
  if (prefix.startsWith(opened)) return { opens: 'all' };
  return opened.startsWith(prefix) ? { opens: 'part' } : undefined;
}

function byRoles(
  credential: Exclude<Credential, { kind: 'firestore' }>,
  asked: 'documents' | 'objects',
): Opening | undefined {
  if (!mayOpen(asked, credential.scopes)) return undefined;
  const accounts = accountsOf(credential).map(({ email }) => email);
  const [first = '', ...more] = accounts;
  const owner = more.length > 0 ? `${first} and ${more.length} more` : first;
  return { opens: 'cannot tell', reason: `The IAM roles of ${owner} are not in the policy.` };
}
