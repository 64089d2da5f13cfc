// Who an IAM member is to a deployment.
// Sources: docs.cloud.google.com/iam/docs/principal-identifiers; docs.cloud.google.com/iam/docs/service-account-types.

import type { DoctorTarget } from '../target.ts';
import { accountsOfProject } from './needed.ts';
import { accountsOf } from './places.ts';
import { isServiceAgent } from './service-agent.ts';

export type MemberKind =
  | 'public'
  /** Google keeps the name of what was deleted. It can do nothing. */
  | 'deleted'
  /** One of the deployment's own accounts, or all accounts of a pool's project. */
  | 'own'
  /** A shared account of the policy: what it may do elsewhere than with Keydesk is for its owner to decide. */
  | 'shared'
  /** An account by which a service of Google acts by itself, for a project of the deployment. */
  | 'agent'
  /** An account that Google creates in each project, and that people's code runs as. */
  | 'default'
  /** Owners or editors of Keydesk's project, as Google names them on each bucket. The project's own policy says who they are. */
  | 'project role'
  | 'group'
  | 'person'
  | 'other';

const DEFAULT_ACCOUNT =
  /^serviceAccount:(?:[0-9]+-compute@developer|[a-z0-9.:-]+@appspot|[0-9]+@cloudbuild)\.gserviceaccount\.com$/;

export function kindOfMember(target: DoctorTarget, member: string): MemberKind {
  if (member === 'allUsers' || member === 'allAuthenticatedUsers') return 'public';
  if (member.startsWith('deleted:')) return 'deleted';
  if (target.sharedAccounts.some((email) => member === `serviceAccount:${email}`)) return 'shared';
  if (isOwn(target, member)) return 'own';
  if (isServiceAgent(target, member)) return 'agent';
  if (DEFAULT_ACCOUNT.test(member)) return 'default';
  if ([`projectOwner:${target.project}`, `projectEditor:${target.project}`].includes(member)) return 'project role';
  if (member.startsWith('group:')) return 'group';
  return member.startsWith('user:') ? 'person' : 'other';
}

/** @param email of a group's member */
export function isOwnAccount(target: DoctorTarget, email: string): boolean {
  return accountsOf(target).some(([own]) => own === email);
}

function isOwn(target: DoctorTarget, member: string): boolean {
  const { pools, numbers } = target;
  return (
    isOwnAccount(target, member.replace(/^serviceAccount:/, '')) ||
    pools.some(({ project }) => member === accountsOfProject(numbers[project] ?? project))
  );
}
