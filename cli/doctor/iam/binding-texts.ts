// The findings about IAM bindings, and the commands that remove and restore a binding.

import { shellCommand } from '../../../shared/core/shell-quote.ts';
import type { FindingTexts } from '../../checks/check.ts';
import { HAZARDS, type HazardName } from './hazards.ts';
import type { Place } from './places.ts';
import type { Binding } from './policy.ts';

const SEPARATORS = ['|', '~', ';', '#', '%', '@@'];
const REMOVED = { fix: '{remove}', undo: '{add}' };
const HELD = '{who} has {role} on {resource}{condition}.';

const ABOUT_HOLDERS = {
  privilege_missing: {
    severity: 'error',
    what: '{who} does not have {role} on {resource}{condition}.',
    why: 'The deployment needs it: {needed_for}.',
    fix: 'Run terraform apply. Or: {add}',
    undo: '{remove}',
  },
  privilege_not_needed: {
    severity: 'error',
    what: `${HELD} The deployment does not need that.`,
    why: 'What an identity of Keydesk can do, an attacker of its function can do. The separation of the functions holds only if each has what it needs.',
    ...REMOVED,
  },
  condition_lost: {
    severity: 'error',
    what: `${HELD} The condition that the deployment needs is: {expression}`,
    why: 'Without its condition the role holds for every database of the project, or for another one.',
    fix: '{add_needed} && {remove}',
    undo: '{add} && {remove_needed}',
  },
  public_binding: {
    severity: 'error',
    what: HELD,
    why: 'That is anybody on the internet, or anybody with a Google account.',
    ...REMOVED,
  },
  basic_role: {
    severity: 'error',
    what: HELD,
    why: 'A basic role has thousands of permissions: who holds it can change the functions, the accounts and the ledger of this deployment.',
    ...REMOVED,
  },
  person_bound: {
    severity: 'warning',
    what: HELD,
    why: 'The binding is to a person and not to a group: it stays when the person changes teams, and a review has to know each name.',
    ...REMOVED,
  },
  service_agent_role: {
    severity: 'warning',
    what: `${HELD} It is a service agent of Google, and the role is not the one that Google grants it.`,
    why: 'By it, a service of Google does to Keydesk what people ask of that service: {permissions}.',
    ...REMOVED,
  },
  default_account_bound: {
    severity: 'error',
    what: `${HELD} It is a default account of the project.`,
    why: 'Code of anybody who deploys there runs as it, and can do to Keydesk: {permissions}.',
    ...REMOVED,
  },
  group_not_readable: {
    severity: 'error',
    what: 'The members of {member} are not known: {problem}. It has {role} on {resource}.',
    why: 'Everybody in the group has what the group has. Who that is, this command cannot say.',
    fix: '{read}',
    undo: 'Nothing changes.',
  },
  identity_in_group: {
    severity: 'error',
    what: '{identity} is in {member}, which has {role} on {resource}.',
    why: 'An account of Keydesk has what the group has, besides what it needs.',
    fix: 'gcloud identity groups memberships delete --group-email={group} --member-email={identity}',
    undo: 'gcloud identity groups memberships add --group-email={group} --member-email={identity}',
  },
} as const satisfies Readonly<Record<string, FindingTexts>>;

export type BindingFinding = keyof typeof ABOUT_HOLDERS | HazardName;

const hazardTexts = Object.entries(HAZARDS).map(
  ([name, { texts }]) =>
    [name, { ...texts, what: '{who} has {role} on {resource}{condition}: {permissions}.', ...REMOVED }] as const,
);

export const BINDING_TEXTS = { ...ABOUT_HOLDERS, ...Object.fromEntries(hazardTexts) } as Readonly<
  Record<BindingFinding, FindingTexts>
>;

interface Held {
  readonly role: string;
  readonly member: string;
  readonly condition?: Binding['condition'];
}

/** The facts that every text about a binding has. `who` may say more than `member`. */
export function bindingFacts({ resource, command }: Place, { role, member, condition }: Held) {
  return {
    resource,
    role,
    member,
    who: member,
    condition: condition ? ` where ${condition.expression}` : '',
    add: { quoted: bindingCommand(command, 'add', { role, member, condition }) },
    remove: { quoted: bindingCommand(command, 'remove', { role, member, condition }) },
  };
}

export function bindingCommand(
  command: string,
  verb: 'add' | 'remove',
  { role, member, condition }: { role: string; member: string; condition: Binding['condition'] },
): string {
  const which = condition ? conditionFlag(condition) : 'None';
  // Secrets, buckets, repositories and services take the flag too: gcloud reference.
  return `${command.replace('VERB', verb)}${shellCommand` --member=${member} --role=${role} --condition=${which}`}`;
}

/** With a separator that is in neither part. Source: gcloud topic escaping. */
function conditionFlag({ title, expression }: NonNullable<Binding['condition']>): string {
  const separator = SEPARATORS.find((one) => !`${title}${expression}`.includes(one)) ?? ':-:-:';
  return `^${separator}^title=${title}${separator}expression=${expression}`;
}
