// The buckets that the policy narrows tokens to: each exists, has uniform bucket-level access, and you can grant roles on it.
// Sources: docs.cloud.google.com/storage/docs/json_api/v1/buckets/get and testIamPermissions; docs.cloud.google.com/storage/docs/uniform-bucket-level-access.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import { heldShape } from './permissions.ts';
import type { Target } from './target.ts';

const API = 'storage.googleapis.com';
const SET_POLICY = READS.bucketRights.permission;

const bucketShape = z.object({
  iamConfiguration: z
    .object({ uniformBucketLevelAccess: z.object({ enabled: z.boolean().default(false) }).prefault({}) })
    .prefault({}),
});
type Bucket = z.output<typeof bucketShape>;

type Name = 'bucket_missing' | 'bucket_with_object_acls';

export const buckets: CheckKind<Target, Name> = {
  name: 'bucket',
  looksAt: 'Whether each bucket in the policy exists, with uniform bucket-level access.',
  findings: {
    bucket_missing: {
      severity: 'error',
      what: 'The bucket {bucket} does not exist.',
      why: 'The module does not create buckets of the policy. The apply fails at the role on it.',
      fix: 'gcloud storage buckets create gs://{bucket} --project=PROJECT --location=LOCATION --uniform-bucket-level-access',
      undo: 'gcloud storage buckets delete gs://{bucket}',
    },
    bucket_with_object_acls: {
      severity: 'warning',
      what: 'The bucket {bucket} does not have uniform bucket-level access.',
      why: "Access lists of objects can open or share objects, which the policy's role does not describe.",
      fix: 'gcloud storage buckets update gs://{bucket} --uniform-bucket-level-access',
      undo: 'For 90 days: gcloud storage buckets update gs://{bucket} --no-uniform-bucket-level-access',
    },
  },
  checksOf: ({ buckets: all }) =>
    all.map((bucket) => ({
      subject: bucket,
      look: async (google) => {
        const found = await google.find({
          api: API,
          path: `storage/v1/b/${bucket}`,
          shape: bucketShape,
          ...READS.bucket,
          on: `the bucket ${bucket}`,
        });
        return { found: judgeBucket(bucket, found) };
      },
    })),
};

function judgeBucket(bucket: string, found: Bucket | undefined) {
  if (!found) return [{ finding: 'bucket_missing' as const, facts: { bucket } }];
  if (found.iamConfiguration.uniformBucketLevelAccess.enabled) return [];
  return [{ finding: 'bucket_with_object_acls' as const, facts: { bucket } }];
}

type RightsName = 'bucket_role_missing';

export const bucketRights: CheckKind<Target, RightsName> = {
  name: 'bucket permissions',
  looksAt: 'Whether you can grant roles on each bucket in the policy.',
  findings: {
    bucket_role_missing: {
      severity: 'error',
      what: `You lack ${SET_POLICY} on the bucket {bucket}.`,
      why: "With grant_bucket_roles = true, which is the default, the module grants the policy's role on the bucket.",
      fix: 'gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=user:YOUR_EMAIL --role=roles/storage.admin --condition=None. Or set grant_bucket_roles = false, and grant the role yourself.',
    },
  },
  checksOf: ({ buckets: all }) =>
    all.map((bucket) => ({
      subject: bucket,
      look: async (google) => {
        const { permissions } = await google.read({
          api: API,
          path: `storage/v1/b/${bucket}/iam/testPermissions`,
          query: [['permissions', SET_POLICY]],
          shape: heldShape,
          ...READS.bucketRights,
          on: `the bucket ${bucket}`,
        });
        if (permissions.includes(SET_POLICY)) return { found: [] };
        return { found: [{ finding: 'bucket_role_missing' as const, facts: { bucket } }] };
      },
    })),
};
