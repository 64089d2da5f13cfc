// What somebody else must not be able to do in a deployment: the permissions by which it can be done, and what they reach.
// Source: docs.cloud.google.com/iam/docs/service-account-permissions; docs.cloud.google.com/iam/docs/service-account-impersonation.

import type { FindingTexts } from '../../checks/check.ts';
import type { Beneath } from './places.ts';

/** By any of these one becomes the account: it gets its tokens, signs as it, or runs code as it. */
const IMPERSONATION = [
  'iam.serviceAccounts.getAccessToken',
  'iam.serviceAccounts.getOpenIdToken',
  'iam.serviceAccounts.implicitDelegation',
  'iam.serviceAccounts.signBlob',
  'iam.serviceAccounts.signJwt',
  'iam.serviceAccounts.actAs',
];

export interface Hazard {
  readonly reaches: readonly Beneath[];
  readonly isGivenBy: (permission: string) => boolean;
  readonly texts: Omit<FindingTexts, 'what' | 'fix' | 'undo'>;
}

const oneOf = (permissions: readonly string[]) => (permission: string) => permissions.includes(permission);
const ACCOUNTS: readonly Beneath[] = ['signer', 'shared account', 'pooled account', 'own account'];

/** Names of databases, their settings and their indexes say nothing about documents. */
const ABOUT_DATABASES =
  /^datastore\.(databases\.(getMetadata|get|list)|locations\..*|operations\..*|(schemas|indexes)\..*|statistics\..*|insights\..*|keyVisualizerScans\..*)$/;

export const HAZARDS = {
  others_may_sign: {
    reaches: ['signer'],
    isGivenBy: oneOf(['iam.serviceAccounts.signJwt', 'iam.serviceAccounts.signBlob']),
    texts: {
      severity: 'error',
      why: 'Who signs as a signer becomes any Firebase user of its project, a user of Keydesk too, and no grant records it.',
    },
  },
  others_may_mint: {
    reaches: ['pooled account', 'shared account'],
    isGivenBy: oneOf(IMPERSONATION),
    texts: {
      severity: 'error',
      why: 'Who acts as the account has what jobs have, without a rule of the policy and without a grant. The end of a job does not end it.',
    },
  },
  others_may_enable: {
    reaches: ['pooled account'],
    isGivenBy: oneOf(['iam.serviceAccounts.enable', 'iam.serviceAccounts.undelete']),
    texts: {
      severity: 'error',
      why: 'When a disabled account is enabled too early, tokens of jobs that ended work again.',
    },
  },
  others_may_set_policy: {
    reaches: ACCOUNTS,
    isGivenBy: oneOf([
      'iam.serviceAccounts.setIamPolicy',
      'resourcemanager.projects.setIamPolicy',
      'resourcemanager.folders.setIamPolicy',
      'resourcemanager.organizations.setIamPolicy',
      'iam.roles.update',
    ]),
    texts: {
      severity: 'error',
      why: 'Who changes the IAM policy of an account, or one of its roles, gives themselves every permission on it.',
    },
  },
  others_may_create_keys: {
    reaches: ACCOUNTS,
    isGivenBy: oneOf(['iam.serviceAccountKeys.create', 'storage.hmacKeys.create']),
    texts: {
      severity: 'error',
      why: 'A key of an account works for years, wherever it is copied to, and leaves no grant.',
    },
  },
  others_may_act_as_keydesk: {
    reaches: ['own account'],
    isGivenBy: oneOf(IMPERSONATION),
    texts: {
      severity: 'error',
      why: 'Who acts as an account of Keydesk can issue, end or forge grants as that function can, past its checks.',
    },
  },
  others_may_change_functions: {
    reaches: ['function'],
    isGivenBy: oneOf(['run.services.update', 'run.services.setIamPolicy', 'run.services.delete']),
    texts: {
      severity: 'error',
      why: 'Who changes a function decides which code and which policy decide about grants, and who may call it.',
    },
  },
  others_may_call: {
    reaches: ['private function'],
    isGivenBy: oneOf(['run.routes.invoke']),
    texts: {
      severity: 'error',
      why: 'Only the scheduler calls the sweep, and only the groups of the deployment call reader and admin.',
    },
  },
  others_reach_ledger: {
    reaches: ['ledger'],
    isGivenBy: (permission) => permission.startsWith('datastore.') && !ABOUT_DATABASES.test(permission),
    texts: {
      severity: 'error',
      why: 'IAM knows no permission below a database. Who writes one document of the ledger can delete the record of a job that ended, free a leased account or forge a grant. Who reads it sees every job.',
    },
  },
  others_may_read_secrets: {
    reaches: ['secret'],
    isGivenBy: oneOf([
      'secretmanager.versions.access',
      'secretmanager.versions.add',
      'secretmanager.secrets.setIamPolicy',
    ]),
    texts: {
      severity: 'error',
      why: 'Who knows the webhook token forges the end of any job, and the approval of any build. Who knows the API token reads builds at Buildkite. Who adds a version chooses the token.',
    },
  },
  others_may_change_archives: {
    reaches: ['archives'],
    isGivenBy: oneOf([
      'storage.objects.create',
      'storage.objects.delete',
      'storage.objects.update',
      'storage.objects.setIamPolicy',
      'storage.buckets.update',
      'storage.buckets.delete',
      'storage.buckets.setIamPolicy',
    ]),
    texts: {
      severity: 'error',
      why: 'The next build makes an image of what is in this bucket. Who writes there decides which code and which policy decide about grants.',
    },
  },
  others_may_push_images: {
    reaches: ['images'],
    isGivenBy: oneOf([
      'artifactregistry.repositories.uploadArtifacts',
      'artifactregistry.repositories.deleteArtifacts',
      'artifactregistry.repositories.update',
      'artifactregistry.repositories.delete',
      'artifactregistry.repositories.setIamPolicy',
      'artifactregistry.tags.create',
      'artifactregistry.tags.update',
      'artifactregistry.tags.delete',
    ]),
    texts: {
      severity: 'error',
      why: 'Cloud Run takes the image by its tag. Who moves the tag decides which code decides about grants.',
    },
  },
  others_may_change_log_archive: {
    reaches: ['log archive'],
    isGivenBy: oneOf([
      'logging.buckets.update',
      'logging.buckets.delete',
      'logging.buckets.setIamPolicy',
      'logging.sinks.update',
      'logging.sinks.delete',
      'logging.exclusions.create',
      'logging.exclusions.update',
      'logging.logs.delete',
    ]),
    texts: {
      severity: 'error',
      why: 'Who does something with a credential could remove the record of it, or keep it from being written.',
    },
  },
  others_may_release_rules: {
    reaches: ['security rules'],
    isGivenBy: oneOf(['firebaserules.releases.create', 'firebaserules.releases.update']),
    texts: {
      severity: 'error',
      why: 'What released rules allow, clients with an API key of the project can do to the ledger, without IAM.',
    },
  },
} as const satisfies Readonly<Record<string, Hazard>>;

export type HazardName = keyof typeof HAZARDS;

/** What a role lets its members do to what is beneath a place, with the permissions by which. */
export function hazardsOf(
  permissions: readonly string[],
  beneath: readonly Beneath[],
): { readonly name: HazardName; readonly by: readonly string[] }[] {
  return Object.entries(HAZARDS).flatMap(([name, hazard]: [string, Hazard]) => {
    if (!hazard.reaches.some((one) => beneath.includes(one))) return [];
    const by = permissions.filter(hazard.isGivenBy).sort();
    return by.length > 0 ? [{ name: name as HazardName, by }] : [];
  });
}
