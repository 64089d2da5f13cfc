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
}

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
  const dataProjects = [...new Set(ofFirestore.map(({ project }) => project))];
  return {
    ...place,
    dataProjects,
    databases: distinct(ofFirestore.map(({ project, database }) => ({ project, database }))),
    userGroups: distinct(ofFirestore.map(({ project, tenant }) => ({ project, tenant }))),
    apiKeys: distinct(ofFirestore.map(({ project, apiKey }) => ({ project, apiKey }))),
    signers: distinct(ofFirestore.map(({ project, signer }) => ({ email: signer, project }))),
    sharedAccounts: emailsFor('shared'),
    pools,
    buckets: [...new Set(all.flatMap((one) => ('storage' in one && one.storage ? [one.storage.bucket] : [])))],
    projects: [...new Set([place.project, ...dataProjects, ...pools.map(({ project }) => project)])],
  };
}

function emailOf({ email }: { readonly email: string }): string {
  return email;
}

function distinct<T extends object>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
