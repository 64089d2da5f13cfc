// The kind `firestore`: a Firebase ID token that the database's generated security rules judge, by path and verb. The rules
// look up the grant on each request, so closing the grant document ends it at once.

import * as z from 'zod';
import type { Grant } from '../grant/grant.ts';
import type { FirestoreCredential } from '../policy/credential.ts';
import { documentPathProblem } from '../policy/document-path.ts';
import { tenantSchema } from '../policy/google-names.ts';
import type { Kind } from './kind.ts';

const VERBS = { read: ['get', 'list'], write: ['create', 'update', 'delete'] } as const;

/** What a token may do with a document: the methods of the Firestore Security Rules language. */
export type Verb = 'get' | 'list' | 'create' | 'update' | 'delete';

const verbs = z
  .array(z.enum(['get', 'list', 'create', 'update', 'delete', 'read', 'write']))
  .min(1)
  .transform((listed): readonly Verb[] => [
    ...new Set(listed.flatMap((verb) => (verb === 'read' || verb === 'write' ? VERBS[verb] : [verb]))),
  ]);

const documentPath = z.string().superRefine((path, context) => {
  const problem = documentPathProblem(path);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** The `firestore` key in a policy. */
export const firestoreKeySchema = z
  .strictObject({
    /** A name from `databases`. */
    database: z.string(),
    /** The tenant whose users Keydesk's are; undefined for the one that the database names. */
    tenant: tenantSchema.optional(),
    allow: z.array(z.strictObject({ path: documentPath, verbs })).min(1),
  })
  .transform((access) => ({ kind: 'firestore' as const, ...access }));

/** Its fields in a grant. */
export const firestoreRecord = {
  kind: z.literal('firestore'),
  revocation: z.literal('immediate'),
  project: z.string(),
  database: z.string(),
};
export type FirestoreRecord = z.output<z.ZodObject<typeof firestoreRecord>>;

export const firestoreKind: Kind<FirestoreCredential, Extract<Grant, { kind: 'firestore' }>> = {
  // What rules judge ends with its grant, however late it was minted.
  mintMarginMs: 0,
  revocation: () => 'immediate',
  toRecord: ({ project, database }) => ({ kind: 'firestore', revocation: 'immediate', project, database }),
  opensSame: (grant, { project, database }) => grant.project === project && grant.database === database,
  revocableAccess: ({ project, database }) => ({ by: 'grant_document', project, database }),
  scopes: () => [],
  accounts: ({ signer }) => [{ email: signer, use: 'signer', path: undefined }],
  describe: ({ project, database, allow }) =>
    allow.map(({ path, verbs }) => `${project} ${database} ${path}: ${verbs.join(', ')}`),
};
