// What a policy says of one credential: what it opens, through what, and for how long. Plain data in, a checked value or
// problems out. Knows nothing about jobs, rules, files or clouds.

import * as z from 'zod';
import { firestoreKeySchema } from '../kinds/firestore.ts';
import { acceptSchema } from './accept.ts';
import type { Database } from './databases.ts';
import { durationSchema } from './duration.ts';
import { serviceAccountKeySchema } from './service-account-key.ts';
import { storageKeySchema } from './storage-key.ts';

/** The longest `ttl`, in seconds. */
export const MAX_TTL = 3600;
/** The shortest `ttl`, in seconds. */
export const MIN_TTL = 60;

/** The name of a credential or an environment. Jobs request it, and URLs and security rules contain it. */
const CREDENTIAL_NAME = /^[a-z][a-z0-9-]{0,62}$/;

export const nameSchema = z
  .string()
  .regex(CREDENTIAL_NAME, 'must be lower-case letters, digits and -, and begin with a letter');
export const credentialSchema = z
  .strictObject({
    environment: nameSchema,
    ttl: durationSchema(MIN_TTL, MAX_TTL, 'from 1m to 1h'),
    firestore: firestoreKeySchema.optional(),
    serviceAccount: serviceAccountKeySchema.optional(),
    storage: storageKeySchema.optional(),
    accept: acceptSchema.optional(),
  })
  .transform(({ environment, ttl, accept, ...kinds }, context) => {
    const [access, ...more] = Object.values(kinds).filter((kind) => kind !== undefined);
    if (access && more.length === 0) return { environment, ttl, ...(accept && { accept }), ...access };
    const present = Object.entries(kinds).flatMap(([name, kind]) => (kind === undefined ? [] : [name]));
    const found = access ? `It has ${present.join(' and ')}: keep one` : 'It has none';
    context.addIssue({
      code: 'custom',
      message: `must have exactly one of firestore, serviceAccount and storage. ${found}`,
    });
    return z.NEVER;
  });

/** A credential as it is in the file: one for Firestore names its database. */
export type WrittenCredential = z.output<typeof credentialSchema>;
type WrittenFirestoreCredential = Extract<WrittenCredential, { kind: 'firestore' }>;

export type FirestoreCredential = Omit<WrittenFirestoreCredential, 'database' | 'tenant'> & Database;
/** A credential of a parsed policy: one for Firestore has the fields of its database. TTLs are in seconds. */
export type Credential = Exclude<WrittenCredential, WrittenFirestoreCredential> | FirestoreCredential;
