// What a deployment needs to be there: the projects, databases, accounts and buckets that its policy names. Pure.

import { accountsOf } from '../../shared/core/kinds/kinds.ts';
import { projectOfAccount } from '../../shared/core/policy/account-email.ts';
import type { FirestoreCredential } from '../../shared/core/policy/credential.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';

export interface Place {
  /** Keydesk's own project. */
  readonly project: string;
  readonly region: string;
  readonly schedulerRegion: string;
  readonly ledgerLocation: string;
  /** Projects that `pool_roles` of the Terraform module names. */
  readonly touched: readonly string[];
  /** Whether `log_archive` of the Terraform module is not null. */
  readonly logArchive: boolean;
  /** Whether `pool_groups` of the module is set. */
  readonly poolGroups: boolean;
  /** Whether the module creates the policy's signers and shared accounts: its `create_policy_accounts`. */
  readonly createPolicyAccounts: boolean;
  /** `project_numbers` of the module, as far as it is known. */
  readonly projectNumbers: Readonly<Record<string, string>>;
}

/** As in deploy/terraform/grant-roles.sh: `accounts` owns a signer or shared account, `touched` is one that `pool_roles` names. */
export type ProjectKind = 'keydesk' | 'pool' | 'data' | 'accounts' | 'touched';

export interface Target extends Place {
  /** Projects whose Firestore the policy opens. */
  readonly dataProjects: readonly string[];
  readonly databases: readonly { readonly project: string; readonly database: string }[];
  /** Where Keydesk's Firebase users are: a project, or a tenant of one. */
  readonly userGroups: readonly { readonly project: string; readonly tenant: string | undefined }[];
  readonly apiKeys: readonly { readonly project: string; readonly apiKey: string }[];
  /** Signers, each with the project of the database that it signs for. */
  readonly signers: readonly { readonly email: string; readonly project: string }[];
  readonly sharedAccounts: readonly string[];
  readonly pools: readonly { readonly project: string; readonly accounts: readonly string[] }[];
  readonly buckets: readonly string[];
  /** Projects that own a signer or shared account, as far as its address names the project. */
  readonly accountProjects: readonly string[];
  /** All of the above, without repetition. */
  readonly projects: readonly string[];
}

export function targetOf({ credentials }: Pick<Policy, 'credentials'>, place: Place): Target {
  const all = Object.values(credentials);
  const ofFirestore = all.filter((credential): credential is FirestoreCredential => credential.kind === 'firestore');
  const accounts = all.flatMap(accountsOf);
  const emailsFor = (use: string) => [...new Set(accounts.filter((account) => account.use === use).map(emailOf))];
  const pooled = Map.groupBy(emailsFor('pooled'), (email) => projectOfAccount(email) ?? '');
  const pools = [...pooled].flatMap(([project, emails]) => (project === '' ? [] : [{ project, accounts: emails }]));
  const signers = distinct(ofFirestore.map(({ project, signer }) => ({ email: signer, project })));
  const sharedAccounts = emailsFor('shared');
  const standing = [...signers.map(emailOf), ...sharedAccounts];
  const accountProjects = [...new Set(standing.flatMap((email) => projectOfAccount(email) ?? []))];
  const dataProjects = [...new Set(ofFirestore.map(({ project }) => project))];
  return {
    ...place,
    dataProjects,
    databases: distinct(ofFirestore.map(({ project, database }) => ({ project, database }))),
    userGroups: distinct(ofFirestore.map(({ project, tenant }) => ({ project, tenant }))),
    apiKeys: distinct(ofFirestore.map(({ project, apiKey }) => ({ project, apiKey }))),
    signers,
    sharedAccounts,
    accountProjects,
    pools,
    buckets: [...new Set(all.flatMap((one) => ('storage' in one && one.storage ? [one.storage.bucket] : [])))],
    projects: [
      ...new Set([
        place.project,
        ...dataProjects,
        ...pools.map(({ project }) => project),
        ...accountProjects,
        ...place.touched,
      ]),
    ],
  };
}

/** A project can be of several kinds. */
export function kindsOf(target: Target, project: string): ProjectKind[] {
  return [
    ...(project === target.project ? ['keydesk' as const] : []),
    ...(target.pools.some((pool) => pool.project === project) ? ['pool' as const] : []),
    ...(target.dataProjects.includes(project) ? ['data' as const] : []),
    ...(target.accountProjects.includes(project) ? ['accounts' as const] : []),
    ...(target.touched.includes(project) ? ['touched' as const] : []),
  ];
}

function emailOf({ email }: { readonly email: string }): string {
  return email;
}

function distinct<T extends object>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
