// What a policy says of one credential: what it opens, through what, and for how long. Plain data in, a checked value or
// problems out. Knows nothing about jobs, rules, files or clouds.

import * as z from 'zod';
import { projectOfAccount } from './account-email.ts';
import type { Database } from './databases.ts';
import { documentPathProblem } from './document-path.ts';
import { durationSchema } from './duration.ts';
import { serviceAccountSchema, tenantSchema } from './google-names.ts';

/** Nothing Keydesk hands out lives longer, in seconds. */
export const MAX_TTL = 3600;
/** Nothing is handed out for less, in seconds. */
export const MIN_TTL = 60;
/** Accounts of one pool. */
const MAX_POOL = 500;
/** What a token must be good for to be narrowed to a bucket. */
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

/** A credential's or environment's name: what a job asks for and what stands in URLs and security rules. */
const CREDENTIAL_NAME = /^[a-z][a-z0-9-]{0,62}$/;

export const nameSchema = z
  .string()
  .regex(CREDENTIAL_NAME, 'must be lower-case letters, digits and -, and begin with a letter');
const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be an OAuth scope such as https://www.googleapis.com/auth/datastore');

const VERBS = { read: ['get', 'list'], write: ['create', 'update', 'delete'] } as const;

/** What a rules-judged token may do with a document: the methods of the Firestore Security Rules language. */
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

const firestore = z.strictObject({
  /** A name from `databases`. */
  database: z.string(),
  /** The tenant whose users Keydesk's are; undefined for the one that the database names. */
  tenant: tenantSchema.optional(),
  allow: z.array(z.strictObject({ path: documentPath, verbs })).min(1),
});

const bucketName = z
  .string()
  .regex(
    /^(?=.{3,222}$)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])$/,
    'must be the name of a Cloud Storage bucket, without gs://',
  );
/** Stands in an expression that Google evaluates, so it holds nothing that would need escaping there. */
const objectPrefix = z
  .string()
  .max(512, 'must have 512 characters at most')
  .regex(
    /^(?:[A-Za-z0-9._~@+=,:-]+\/)+$/,
    'must be folders of letters, digits and ._~@+=,:- that end in a slash, such as "warm/": without it "warm" would open "warmer" too',
  );
/** Predefined roles that only open objects: none may change who else is let in. */
const STORAGE_ROLES = [
  'roles/storage.objectViewer',
  'roles/storage.objectCreator',
  'roles/storage.objectUser',
  'roles/storage.legacyObjectReader',
  'roles/storage.legacyBucketReader',
  'roles/storage.legacyBucketWriter',
];
const CUSTOM_ROLE = /^(projects|organizations)\/[a-z0-9:.-]+\/roles\/[A-Za-z0-9_.]+$/;
const storageRole = z.string().refine((role) => STORAGE_ROLES.includes(role) || CUSTOM_ROLE.test(role), {
  error: `must be one of ${STORAGE_ROLES.join(', ')}, or a custom role (projects/PROJECT/roles/NAME): others can let somebody in for good`,
});

/** Pooled accounts are disabled and enabled by name, so their project must be plain from it. */
const pooledAccount = z
  .string()
  .refine(
    (email) => projectOfAccount(email) !== undefined,
    "must be a service account's e-mail address, NAME@PROJECT.iam.gserviceaccount.com",
  );

const pool = z.array(pooledAccount).min(1).max(MAX_POOL, `must have ${MAX_POOL} accounts at most`);

const serviceAccount = z
  .strictObject({
    email: serviceAccountSchema.optional(),
    pool: pool.optional(),
    scopes: z.array(scope).min(1),
  })
  .transform(({ email, pool, scopes }, context) =>
    exactlyOneSource({ email, pool }, 'email', { scopes, storage: null }, context),
  );

const storage = z
  .strictObject({
    serviceAccount: serviceAccountSchema.optional(),
    pool: pool.optional(),
    bucket: bucketName,
    prefix: objectPrefix.nullable().default(null),
    role: storageRole,
  })
  .transform(({ serviceAccount, pool, ...scope }, context) =>
    exactlyOneSource(
      { email: serviceAccount, pool },
      'serviceAccount',
      { scopes: [CLOUD_PLATFORM], storage: scope },
      context,
    ),
  );

/** A part of a bucket, and the role in it: all that a token narrowed to it opens. */
export interface StorageScope {
  readonly bucket: string;
  /** Of the names of objects, with its slash at the end; null for the whole bucket. */
  readonly prefix: string | null;
  readonly role: string;
}

interface Access {
  readonly scopes: readonly string[];
  /** Null for tokens that are not narrowed. */
  readonly storage: StorageScope | null;
}

/** A credential that stands on service accounts: on one that jobs share, or on a pool of which each job gets its own. */
function exactlyOneSource(
  { email, pool }: { readonly email: string | undefined; readonly pool: readonly string[] | undefined },
  emailKey: string,
  access: Access,
  context: z.core.$RefinementCtx,
) {
  if (email && !pool) return { kind: 'service_account' as const, email, ...access };
  if (pool && !email) return { kind: 'pooled_service_account' as const, pool, ...access };
  const found = email ? 'both are here' : 'neither is here';
  context.addIssue({ code: 'custom', message: `must have exactly one of ${emailKey}, pool; ${found}` });
  return z.NEVER;
}

export const credentialSchema = z
  .strictObject({
    environment: nameSchema,
    ttl: durationSchema(MIN_TTL, MAX_TTL, 'from 1m to 1h'),
    firestore: firestore.transform((access) => ({ kind: 'firestore' as const, ...access })).optional(),
    serviceAccount: serviceAccount.optional(),
    storage: storage.optional(),
  })
  .transform(({ environment, ttl, ...kinds }, context) => {
    const [access, ...more] = Object.values(kinds).filter((kind) => kind !== undefined);
    if (access && more.length === 0) return { environment, ttl, ...access };
    const found = access ? 'more than one is here' : 'none is here';
    context.addIssue({
      code: 'custom',
      message: `must have exactly one of firestore, serviceAccount, storage; ${found}`,
    });
    return z.NEVER;
  });

/** A credential as it is in the file: one for Firestore names its database. */
export type WrittenCredential = z.output<typeof credentialSchema>;
type WrittenFirestoreCredential = Extract<WrittenCredential, { kind: 'firestore' }>;

export type FirestoreCredential = Omit<WrittenFirestoreCredential, 'database' | 'tenant'> & Database;
/** A credential of a parsed policy: one for Firestore has the fields of its database. TTLs are in seconds. */
export type Credential = Exclude<WrittenCredential, WrittenFirestoreCredential> | FirestoreCredential;

/** How strongly a credential ends with its job. The table is in the README. */
export const REVOCATIONS = ['immediate', 'propagating', 'expiry'] as const;
export type Revocation = (typeof REVOCATIONS)[number];

interface PooledKind {
  readonly kind: 'pooled_service_account';
  readonly storage: StorageScope | null;
}
type Kind = { readonly kind: 'firestore' } | { readonly kind: 'service_account' } | PooledKind;

export function revocationOf(credential: { readonly kind: 'firestore' }): 'immediate';
export function revocationOf(credential: { readonly kind: 'service_account' }): 'expiry';
export function revocationOf(credential: PooledKind): 'propagating' | 'expiry';
export function revocationOf(credential: Kind): Revocation;
export function revocationOf(credential: Kind): Revocation {
  switch (credential.kind) {
    case 'firestore':
      return 'immediate';
    case 'service_account':
      return 'expiry';
    case 'pooled_service_account':
      // Whether a narrowed token is rejected when its account is disabled is not established: ADR 0012.
      return credential.storage ? 'expiry' : 'propagating';
  }
}
