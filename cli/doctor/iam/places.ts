// The resources whose IAM policies decide who may do what in a deployment, and what each has beneath it.
// Sources: the methods getIamPolicy of each API, under docs.cloud.google.com.

import { shellCommand } from '../../../shared/core/shell-quote.ts';
import type { Call } from '../../checks/google.ts';
import { FUNCTIONS, SECRETS } from '../functions.ts';
import { READS } from '../reads.ts';
import { accountPath, type DoctorTarget, identityOf, ownAccounts } from '../target.ts';
import { type IamPolicy, policyShape, projectPolicyCall } from './policy.ts';

/** What a permission on a place reaches. */
export type Beneath =
  | 'signer'
  | 'shared account'
  | 'pooled account'
  | 'own account'
  | 'ledger'
  | 'secret'
  | 'function'
  | 'private function'
  /** What the code is built from, and what is built of it. */
  | 'archives'
  | 'images'
  | 'log archive'
  /** Of the ledger's project. */
  | 'security rules';

export interface Place {
  readonly kind: 'project' | 'ancestor' | 'account' | 'secret' | 'function' | 'repository' | 'bucket';
  /** Such as `account ci-001@acme-ci.iam.gserviceaccount.com`: what findings and exceptions name. */
  readonly resource: string;
  readonly call: Call<IamPolicy>;
  readonly beneath: readonly Beneath[];
  /** The command that changes the policy, with the verb in place of VERB: `gcloud projects VERB-iam-policy-binding acme`. */
  readonly command: string;
}

export function placesOf(target: DoctorTarget): Place[] {
  return [
    ...target.projects.map((project) => projectPlace(target, project)),
    ...accountsOf(target).map(([email, beneath]) => accountPlace(email, beneath)),
    ...Object.keys(SECRETS).map((secret) => secretPlace(target, secret)),
    ...FUNCTIONS.map(({ name }) => functionPlace(target, name)),
    repositoryPlace(target),
    bucketPlace(archivesBucket(target), ['archives']),
    ...target.buckets.map((bucket) => bucketPlace(bucket, [])),
  ];
}

/** Every account of a deployment, with what it is. */
export function accountsOf(target: DoctorTarget): (readonly [email: string, beneath: Beneath])[] {
  return [
    ...ownAccounts(target).map((email) => [email, 'own account'] as const),
    ...target.signers.map(({ email }) => [email, 'signer'] as const),
    ...target.sharedAccounts.map((email) => [email, 'shared account'] as const),
    ...[...target.pooled.keys()].map((email) => [email, 'pooled account'] as const),
  ];
}

/** What a permission on a project, or on what it is in, reaches. */
export function beneathProject(target: DoctorTarget, project: string): Beneath[] {
  const accounts = accountsOf(target).flatMap(([email, beneath]) =>
    accountPath(email).startsWith(`projects/${project}/`) ? [beneath] : [],
  );
  const keydesk: readonly Beneath[] = [
    ...(['ledger', 'secret', 'function', 'private function', 'archives', 'images', 'security rules'] as const),
    ...(target.deployment.log_archive ? (['log archive'] as const) : []),
  ];
  return [...new Set([...accounts, ...(project === target.project ? keydesk : [])])];
}

function projectPlace(target: DoctorTarget, project: string): Place {
  return {
    kind: 'project',
    resource: `project ${project}`,
    call: projectPolicyCall(project),
    beneath: beneathProject(target, project),
    command: shellCommand`gcloud projects VERB-iam-policy-binding ${project}`,
  };
}

function accountPlace(email: string, beneath: Beneath): Place {
  return {
    kind: 'account',
    resource: `account ${email}`,
    call: {
      api: 'iam.googleapis.com',
      path: `v1/${accountPath(email)}:getIamPolicy`,
      query: [['options.requestedPolicyVersion', '3']],
      post: true,
      shape: policyShape,
      ...READS.accountPolicy,
      on: email,
      gcloud: { command: shellCommand`gcloud iam service-accounts get-iam-policy ${email}` },
    },
    beneath: [beneath],
    command: shellCommand`gcloud iam service-accounts VERB-iam-policy-binding ${email}`,
  };
}

function secretPlace({ project, prefix }: DoctorTarget, secret: string): Place {
  const name = `${prefix}-${secret}`;
  return {
    kind: 'secret',
    resource: `secret ${name}`,
    call: {
      api: 'secretmanager.googleapis.com',
      path: `v1/projects/${project}/secrets/${name}:getIamPolicy`,
      query: [['options.requestedPolicyVersion', '3']],
      shape: policyShape,
      ...READS.secretPolicy,
      on: `the secret ${name}`,
      gcloud: { command: shellCommand`gcloud secrets get-iam-policy ${name} --project=${project}` },
    },
    beneath: ['secret'],
    command: shellCommand`gcloud secrets VERB-iam-policy-binding ${name} --project=${project}`,
  };
}

function functionPlace({ project, region, prefix }: DoctorTarget, name: string): Place {
  const service = `${prefix}-${name}`;
  const isPrivate = FUNCTIONS.find((one) => one.name === name)?.callers !== 'anyone';
  const where = { quoted: shellCommand`--project=${project} --region=${region}` };
  return {
    kind: 'function',
    resource: `service ${service}`,
    call: {
      api: 'run.googleapis.com',
      path: `v1/projects/${project}/locations/${region}/services/${service}:getIamPolicy`,
      query: [['options.requestedPolicyVersion', '3']],
      shape: policyShape,
      ...READS.servicePolicy,
      on: `the service ${service}`,
      gcloud: { command: shellCommand`gcloud run services get-iam-policy ${service} ${where}` },
    },
    beneath: isPrivate ? ['function', 'private function'] : ['function'],
    command: shellCommand`gcloud run services VERB-iam-policy-binding ${service} ${where}`,
  };
}

export function repositoryName({ prefix }: DoctorTarget): string {
  return `${prefix}-functions`;
}

function repositoryPlace(target: DoctorTarget): Place {
  const { project, region } = target;
  const name = repositoryName(target);
  const where = { quoted: shellCommand`--project=${project} --location=${region}` };
  return {
    kind: 'repository',
    resource: `repository ${name}`,
    call: {
      api: 'artifactregistry.googleapis.com',
      path: `v1/projects/${project}/locations/${region}/repositories/${name}:getIamPolicy`,
      query: [['options.requestedPolicyVersion', '3']],
      shape: policyShape,
      ...READS.repositoryPolicy,
      on: `the repository ${name}`,
      gcloud: { command: shellCommand`gcloud artifacts repositories get-iam-policy ${name} ${where}` },
    },
    beneath: ['images'],
    command: shellCommand`gcloud artifacts repositories VERB-iam-policy-binding ${name} ${where}`,
  };
}

export function archivesBucket({ project, prefix }: DoctorTarget): string {
  return `${project}-${prefix}-archives`;
}

function bucketPlace(bucket: string, beneath: readonly Beneath[]): Place {
  return {
    kind: 'bucket',
    resource: `bucket ${bucket}`,
    call: {
      api: 'storage.googleapis.com',
      path: `storage/v1/b/${bucket}/iam`,
      query: [['optionsRequestedPolicyVersion', '3']],
      shape: policyShape,
      ...READS.bucketPolicy,
      on: `the bucket ${bucket}`,
      gcloud: { command: shellCommand`gcloud storage buckets get-iam-policy gs://${bucket}` },
    },
    beneath,
    command: shellCommand`gcloud storage buckets VERB-iam-policy-binding gs://${bucket}`,
  };
}

/** The account of a function, or of the scheduler or the build, as an IAM member. */
export function memberOf(target: DoctorTarget, name: string): string {
  return `serviceAccount:${identityOf(target, name)}`;
}
