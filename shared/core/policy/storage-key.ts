// The `storage` key of a credential: tokens of a service account that are narrowed to a part of a Cloud Storage bucket. The account is
// a shared or a pooled one; the kinds are in core/kinds.

import * as z from 'zod';
import { serviceAccountSchema } from './google-names.ts';
import { exactlyOneSource, poolSchema } from './service-account-key.ts';

/** What a token must be good for to be narrowed to a bucket. */
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

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
export const STORAGE_ROLES: readonly string[] = [
  'roles/storage.objectViewer',
  'roles/storage.objectCreator',
  'roles/storage.objectUser',
  'roles/storage.legacyObjectReader',
  'roles/storage.legacyBucketReader',
  'roles/storage.legacyBucketWriter',
];
const CUSTOM_ROLE = /^(projects|organizations)\/[a-z0-9:.-]+\/roles\/[A-Za-z0-9_.]+$/;
const ROLE_ERROR = `must be one of ${STORAGE_ROLES.join(', ')}, or a custom role (projects/PROJECT/roles/NAME): other roles can give somebody access for good`;
const storageRole = z.union([z.enum(STORAGE_ROLES), z.string().regex(CUSTOM_ROLE, ROLE_ERROR)], { error: ROLE_ERROR });

/** A part of a bucket, and the role in it: all that a token narrowed to it opens. */
export interface StorageScope {
  readonly bucket: string;
  /** Of the names of objects, with its slash at the end; null for the whole bucket. */
  readonly prefix: string | null;
  readonly role: string;
}

/** The `storage` key in a policy. */
export const storageKeySchema = z
  .strictObject({
    serviceAccount: serviceAccountSchema.optional(),
    pool: poolSchema.optional(),
    retiring: poolSchema.optional(),
    bucket: bucketName,
    prefix: objectPrefix.nullable().default(null),
    role: storageRole,
  })
  .transform(({ serviceAccount, pool, retiring, ...storage }, context) =>
    exactlyOneSource(
      { email: serviceAccount, pool, retiring },
      'serviceAccount',
      { scopes: [CLOUD_PLATFORM], storage },
      context,
    ),
  );

/** As it is stored; null where tokens are not narrowed. */
export const storedStorageScope = z
  .object({ bucket: z.string(), prefix: z.string().nullable(), role: z.string() })
  .nullable()
  .default(null);
