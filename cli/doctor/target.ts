// What a deployment consists of: what the policy names, and what the Terraform module makes of it. Pure.

import { accountsOf } from '../../shared/core/kinds/kinds.ts';
import { projectOfAccount } from '../../shared/core/policy/account-email.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { CouldNotLook } from '../checks/google.ts';
import type { TokenTarget } from '../preflight/api-token.ts';
import { type Target, targetOf } from '../preflight/target.ts';
import type { Deployment } from './deployment.ts';
import { FUNCTIONS } from './functions.ts';
import { READS } from './reads.ts';

export interface DoctorTarget extends Target, TokenTarget {
  /** Of the policy file. */
  readonly policySha256: string;
  readonly deployment: Deployment;
  /** By project, as Google has them; a project is left out where it could not be read. */
  readonly numbers: Readonly<Record<string, string>>;
  readonly ledgerDatabase: string;
  readonly prefix: string;
  /** Environment of each pooled account, by its address. */
  readonly pooled: ReadonlyMap<string, string>;
  /** SHA-256 of each function's archive, as keydesk package made it; undefined when it is not compared. */
  readonly archives: Readonly<Record<string, string>> | undefined;
}

export function doctorTargetOf(
  { policy, sha256 }: { readonly policy: Policy; readonly sha256: string },
  deployment: Deployment,
  more: Pick<DoctorTarget, 'archives' | 'apiToken' | 'teamsApiToken' | 'numbers' | 'clock'>,
): DoctorTarget {
  const { project_id: project, region, pool_roles } = deployment;
  const pooled = Object.values(policy.credentials).flatMap((credential) =>
    accountsOf(credential).flatMap(({ email, use }) =>
      use === 'pooled' ? [[email, credential.environment] as const] : [],
    ),
  );
  return {
    ...targetOf(policy, {
      project,
      region,
      schedulerRegion: deployment.scheduler_region ?? region,
      ledgerLocation: region,
      touched: [
        ...new Set(Object.values(pool_roles).flatMap((roles) => Object.values(roles).map((one) => one.project))),
      ],
      createPolicyAccounts: false,
      logArchive: Boolean(deployment.log_archive),
      poolGroups: Object.keys(deployment.pool_groups).length > 0,
      projectNumbers: deployment.project_numbers,
    }),
    policy,
    policySha256: sha256,
    deployment,
    ledgerDatabase: deployment.ledger_database,
    prefix: deployment.name_prefix,
    pooled: new Map(pooled),
    ...more,
  };
}

/** @throws CouldNotLook when it is not known */
export function numberOf({ numbers }: DoctorTarget, project: string): string {
  const number = numbers[project];
  if (number !== undefined) return number;
  throw new CouldNotLook(`the number of ${project} is not known`, `Get ${READS.ancestry.permission} on ${project}.`);
}

/** The account of a function, of the scheduler or of the build. */
export function identityOf({ project, prefix }: DoctorTarget, name: string): string {
  return `${prefix}-${name}@${project}.iam.gserviceaccount.com`;
}

/** Every account that acts for Keydesk by itself. */
export function ownAccounts(target: DoctorTarget): string[] {
  return [...FUNCTIONS.map(({ name }) => name), 'scheduler', 'build'].map((name) => identityOf(target, name));
}

/** Of the log archive, where there is one. */
export function logBucketOf({ project, prefix, region, deployment: { log_archive } }: DoctorTarget) {
  const location = log_archive?.location ?? region;
  const bucket = `${prefix}-logs`;
  return { bucket, location, name: `projects/${project}/locations/${location}/buckets/${bucket}` };
}

export function accountPath(email: string): string {
  return `projects/${projectOfAccount(email) ?? '-'}/serviceAccounts/${email}`;
}
