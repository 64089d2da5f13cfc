// What `keydesk policy who` asks about, as a person writes it: a credential, an environment, documents, or objects of a bucket.

import { meantOrKnown } from '../closest-name.ts';
import type { Verb } from '../kinds/firestore.ts';
import { documentPathProblem } from '../policy/document-path.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import { VERBS } from './documents.ts';

export type Question =
  | { readonly about: 'credential'; readonly credential: string }
  | { readonly about: 'environment'; readonly environment: string }
  | {
      readonly about: 'path';
      /** A document, or a template of documents as in `allow`. */
      readonly path: string;
      readonly verbs: readonly Verb[];
      /** A name from `databases`; undefined for all of them. */
      readonly database: string | undefined;
    }
  | {
      readonly about: 'bucket';
      readonly bucket: string;
      /** Of the names of objects; empty for the whole bucket. */
      readonly prefix: string;
    };

/** As the options of the command. */
export interface WrittenQuestion {
  readonly credential: string | undefined;
  readonly environment: string | undefined;
  readonly path: string | undefined;
  readonly verbs: readonly string[];
  readonly database: string | undefined;
  readonly bucket: string | undefined;
  readonly prefix: string | undefined;
}

/** Also the two words for several verbs. */
const VERB_WORDS: Readonly<Record<string, readonly Verb[]>> = {
  ...Object.fromEntries(VERBS.map((verb) => [verb, [verb]])),
  read: ['get', 'list'],
  write: ['create', 'update', 'delete'],
};

/** @returns the question, or what is wrong with it */
export function readQuestion(written: WrittenPolicy, question: WrittenQuestion): Question | { problem: string } {
  const { credential, environment, path, verbs, database, bucket, prefix } = question;
  const subjects = [credential, environment, path, bucket].filter((subject) => subject !== undefined);
  if (subjects.length !== 1)
    return { problem: 'Give one of these: the name of a credential, --environment, --path, --bucket.' };
  if (path === undefined && (verbs.length > 0 || database !== undefined))
    return { problem: '--verb and --database belong to --path. Give --path, or remove them.' };
  if (bucket === undefined && prefix !== undefined)
    return { problem: '--prefix belongs to --bucket. Give --bucket, or remove it.' };
  if (credential !== undefined) {
    const problem = unknownName('credential', credential, Object.keys(written.credentials));
    return problem ?? { about: 'credential', credential };
  }
  if (environment !== undefined) {
    const problem = unknownName('environment', environment, Object.keys(written.environments));
    return problem ?? { about: 'environment', environment };
  }
  if (path !== undefined) return pathQuestion(written, { path, verbs, database });
  return bucketQuestion(bucket ?? '', prefix ?? '');
}

function pathQuestion(
  { databases }: WrittenPolicy,
  {
    path,
    verbs,
    database,
  }: { readonly path: string; readonly verbs: readonly string[]; readonly database?: string | undefined },
): Question | { problem: string } {
  const wrong = verbs.find((verb) => !Object.hasOwn(VERB_WORDS, verb));
  if (wrong !== undefined) return unknownName('verb', wrong, Object.keys(VERB_WORDS)) as { problem: string };
  const unknown = database === undefined ? undefined : unknownName('database', database, Object.keys(databases));
  if (unknown) return unknown;
  const problem = pathProblem(path);
  if (problem !== undefined) return { problem: `--path ${problem}.` };
  const asked = new Set(verbs.flatMap((verb) => VERB_WORDS[verb] ?? []));
  return { about: 'path', path, verbs: VERBS.filter((verb) => asked.size === 0 || asked.has(verb)), database };
}

/** Names in a path may have any characters here, for a document has such a name already. */
function pathProblem(path: string): string | undefined {
  const plain = path
    .split('/')
    .map((segment) => (segment === '' || /[{}*]/.test(segment) || /^[A-Za-z0-9-]+$/.test(segment) ? segment : 'x'))
    .join('/');
  const problem = documentPathProblem(plain);
  return plain === path ? problem : problem?.replace(/\. Write .*/, '');
}

function bucketQuestion(bucket: string, prefix: string): Question | { problem: string } {
  const [, name, folder] = /^gs:\/\/([^/]*)\/?(.*)$/.exec(bucket) ?? [];
  if (name !== undefined)
    return { problem: `--bucket takes the name alone. Write --bucket ${name}${folder ? ` --prefix ${folder}` : ''}.` };
  if (bucket === '' || bucket.includes('/'))
    return { problem: '--bucket takes the name of a bucket, without slashes.' };
  if (prefix.startsWith('/')) return { problem: '--prefix must not begin with a slash.' };
  return { about: 'bucket', bucket, prefix };
}

function unknownName(what: string, name: string, known: readonly string[]): { problem: string } | undefined {
  if (known.includes(name)) return undefined;
  return { problem: `There is no ${what} "${name}". ${meantOrKnown(name, known)}` };
}
