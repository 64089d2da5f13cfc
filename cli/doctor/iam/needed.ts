// The bindings that a deployment needs, each on its resource: deploy/terraform/privileges.json with the names of the deployment. The module's
// privileges.tf makes the same of it.

import { PRIVILEGES } from '../../../deploy/privileges.ts';
import { projectOfAccount } from '../../../shared/core/policy/account-email.ts';
import { FUNCTIONS } from '../functions.ts';
import { type DoctorTarget, numberOf } from '../target.ts';
import { archivesBucket, memberOf, repositoryName } from './places.ts';

export interface Needed {
  /** As a place has it. */
  readonly resource: string;
  readonly role: string;
  readonly member: string;
  /** The expression of its condition. */
  readonly condition?: string;
  readonly why: string;
}

/** A binding of a role that the privileges name, or of `role`. */
interface Spot {
  readonly resource: string;
  readonly member: string;
  readonly condition?: string;
  /** Where a role of Keydesk's own is defined; undefined where an account's address does not name its project. */
  readonly project?: string | undefined;
  readonly role?: string;
}

type Spots = (target: DoctorTarget, identity: string) => readonly Spot[];

/** Where each grant of privileges.json is, by the name of its resource in the module. */
export const SPOTS: Readonly<Record<string, Spots>> = {
  ledger: (target, identity) => [
    {
      resource: `project ${target.project}`,
      member: memberOf(target, identity),
      condition: onlyDatabase(target.project, target.ledgerDatabase),
      project: target.project,
    },
  ],
  data: (target, identity) =>
    target.databases.map(({ project, database }) => ({
      resource: `project ${project}`,
      member: memberOf(target, identity),
      condition: onlyDatabase(project, database),
      project,
    })),
  sign: onAccounts(({ signers }) => signers.map(({ email }) => email)),
  mint: onAccounts(({ sharedAccounts }) => sharedAccounts),
  mint_pooled: onAccounts(({ pooled }) => [...pooled.keys()]),
  disable_pooled: onAccounts(({ pooled }) => [...pooled.keys()]),
  enable_pooled: onAccounts(({ pooled }) => [...pooled.keys()]),
  public: ({ prefix, deployment }) =>
    deployment.public_access !== 'all_users'
      ? []
      : FUNCTIONS.filter(({ callers }) => callers === 'anyone').map(({ name }) => ({
          resource: `service ${prefix}-${name}`,
          member: 'allUsers',
        })),
  sweep: (target, identity) => [{ resource: `service ${target.prefix}-sweep`, member: memberOf(target, identity) }],
  reader: calledBy('readers'),
  admin: calledBy('admins'),
  webhook_tokens: onSecret('webhook-tokens'),
  buildkite_api_token: onSecret('buildkite-api-token'),
  buildkite_teams_api_token: onSecret('buildkite-teams-api-token'),
  build_logs: (target, identity) => [{ resource: `project ${target.project}`, member: memberOf(target, identity) }],
  build_images: (target, identity) => [
    { resource: `repository ${repositoryName(target)}`, member: memberOf(target, identity) },
  ],
  build_archives: (target, identity) => [
    { resource: `bucket ${archivesBucket(target)}`, member: memberOf(target, identity) },
  ],
  shared: ({ policy, deployment }) =>
    !deployment.grant_bucket_roles
      ? []
      : Object.values(policy.credentials).flatMap((credential) =>
          'storage' in credential && credential.storage && 'email' in credential
            ? [
                {
                  resource: `bucket ${credential.storage.bucket}`,
                  member: `serviceAccount:${credential.email}`,
                  role: credential.storage.role,
                },
              ]
            : [],
        ),
  pool: (target) =>
    Object.entries(target.deployment.pool_roles).flatMap(([environment, roles]) =>
      Object.values(roles).flatMap(({ project, role, condition }) =>
        poolMembers(target, environment).map((member) => ({
          resource: `project ${project}`,
          member,
          role,
          ...(condition ? { condition: condition.expression } : {}),
        })),
      ),
    ),
  /** The check of the log archive looks at it: Google alone says who a sink is. */
  log_archive: () => [],
};

export function neededBindings(target: DoctorTarget): Needed[] {
  const all = grantsOf(target, () => true);
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** @param wanted takes the role as privileges.json has it */
function grantsOf(target: DoctorTarget, wanted: (role: string) => boolean): Needed[] {
  return Object.entries(PRIVILEGES.grants).flatMap(([address, { to }]) =>
    Object.entries(to).flatMap(([identity, { role, why }]) => {
      const spots = wanted(role) ? (SPOTS[address.replace(/^.*\./, '')]?.(target, identity) ?? []) : [];
      return spots.map(({ project, role: own, ...spot }) => ({
        ...spot,
        role: own ?? roleName(target, role, project),
        why,
      }));
    }),
  );
}

/** Keydesk's own roles, with their permissions: each in the projects in which it is used. */
export function ownRoles(target: DoctorTarget): { readonly role: string; readonly permissions: readonly string[] }[] {
  return Object.entries(PRIVILEGES.roles).flatMap(([name, { permissions }]) => {
    const used = new Set(grantsOf(target, (role) => role === name).map(({ role }) => role));
    return [...used].filter((role) => role.startsWith('projects/')).map((role) => ({ role, permissions }));
  });
}

/** The pooled accounts of an environment as IAM members: its group, or all accounts of each of its projects. */
function poolMembers(target: DoctorTarget, environment: string): string[] {
  const { pooled, deployment } = target;
  const group = deployment.pool_groups[environment];
  if (group) return [`group:${group.email}`];
  const projects = [...pooled].flatMap(([email, of]) => (of === environment ? [projectOfAccount(email) ?? ''] : []));
  return [...new Set(projects)].map((project) => accountsOfProject(numberOf(target, project)));
}

/** All service accounts of a project, as a member. Source: docs.cloud.google.com/iam/docs/principal-identifiers. */
export function accountsOfProject(number: string): string {
  return `principalSet://cloudresourcemanager.googleapis.com/projects/${number}/type/ServiceAccount`;
}

function roleName(target: DoctorTarget, role: string, project: string | undefined): string {
  if (PRIVILEGES.roles[role] === undefined) return role;
  // A role of one's own is not possible where the project is not known.
  if (project === undefined) return 'roles/iam.serviceAccountTokenCreator';
  return `projects/${project}/roles/${ownName(target, role)}`;
}

function ownName({ prefix }: DoctorTarget, role: string): string {
  return `${prefix.replaceAll('-', '_')}_${role}`;
}

function onlyDatabase(project: string, database: string): string {
  return `resource.name == "projects/${project}/databases/${database}"`;
}

/** Each member that the setting names, on each function that is theirs to call. */
function calledBy(people: 'readers' | 'admins'): Spots {
  return ({ prefix, deployment }) =>
    FUNCTIONS.filter(({ callers }) => callers === people).flatMap(({ name }) =>
      Object.values(deployment[people]).map((member) => ({ resource: `service ${prefix}-${name}`, member })),
    );
}

function onAccounts(emails: (target: DoctorTarget) => readonly string[]): Spots {
  return (target, identity) =>
    emails(target).map((email) => ({
      resource: `account ${email}`,
      member: memberOf(target, identity),
      project: projectOfAccount(email),
    }));
}

function onSecret(secret: string): Spots {
  return (target, identity) => [{ resource: `secret ${target.prefix}-${secret}`, member: memberOf(target, identity) }];
}
