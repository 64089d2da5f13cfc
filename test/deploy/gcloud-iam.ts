// The IAM of gcloud-world.ts: accounts, roles of projects' own, and the policies of whatever has one. A binding to somebody who is not
// known, or with a role that is not there, fails as it does at Google.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { type Answer, type Command, expectFlag, Refused, refuse } from './gcloud-command.ts';

const FLATTENED = 'value(bindings.role,bindings.members,bindings.condition.expression)';

export interface Binding {
  readonly role: string;
  readonly member: string;
  readonly title?: string;
  readonly expression?: string;
}

const iamPolicy = z.object({
  version: z.literal(3).or(z.literal(1)),
  etag: z.string(),
  bindings: z
    .array(
      z.object({
        role: z.string(),
        members: z.array(z.string()),
        condition: z.object({ title: z.string(), expression: z.string() }).optional(),
      }),
    )
    .default([]),
  auditConfigs: z.array(z.unknown()).default([]),
});

export function createIam() {
  /** Address => project. */
  const accounts = new Map<string, string>();
  /** Bindings of one that was just created that fail, for it is not known everywhere yet. */
  const lag = { bindings: 0, of: new Map<string, number>() };
  const roles = new Map<string, { permissions: string; deleted: boolean }>();
  /** "GROUP NAME", such as "projects acme-keydesk". */
  const policies = new Map<string, Binding[]>();
  const auditConfigs = new Map<string, unknown[]>();

  const find = (group: string, name: string) => {
    const bindings = policies.get(`${group} ${name}`);
    if (bindings) return bindings;
    if (group === 'projects') return [];
    // As the SDK's own help has it.
    if (group === 'iam service-accounts')
      throw new Refused(`PERMISSION_DENIED: Permission denied on resource (or it may not exist): ${name}`);
    throw new Refused(`NOT_FOUND: ${name} was not found`);
  };
  const addAccount = (email: string, project: string) => {
    if (accounts.has(email)) throw new Refused(`ALREADY_EXISTS: ${email}`);
    accounts.set(email, project);
    policies.set(`iam service-accounts ${email}`, []);
  };
  const etagOf = (project: string) =>
    createHash('sha256')
      .update(JSON.stringify([policies.get(`projects ${project}`) ?? [], auditConfigs.get(project) ?? []]))
      .digest('base64');

  function bind(group: string, { name, flag }: Command): Answer {
    const bindings = find(group, name);
    const member = flag('member');
    const email = /^serviceAccount:(.+)$/.exec(member)?.[1];
    if (email !== undefined && !accounts.has(email))
      throw new Refused(`INVALID_ARGUMENT: Service account ${email} does not exist.`);
    const left = lag.of.get(email ?? '') ?? 0;
    if (email !== undefined && left > 0) {
      lag.of.set(email, left - 1);
      throw new Refused(`INVALID_ARGUMENT: Service account ${email} does not exist.`);
    }
    const role = flag('role');
    if (!role.startsWith('roles/') && roles.get(role)?.deleted !== false)
      throw new Refused(`INVALID_ARGUMENT: Role ${role} does not exist in the resource's hierarchy.`);
    const condition = conditionOf(flag('condition'));
    // AddBindingToIamPolicyWithCondition of command_lib/iam/iam_util.py, with prompts off.
    if (condition === undefined && bindings.some(({ expression }) => expression))
      throw new Refused(
        'Adding a binding without specifying a condition to a policy containing conditions is prohibited',
      );
    bindings.push({ role, member, ...(condition === 'None' ? {} : condition) });
    policies.set(`${group} ${name}`, bindings);
    return [];
  }

  function show(group: string, { name, flag }: Command): Answer {
    const bindings = find(group, name);
    if (group === 'projects' && flag('format') === 'json')
      return JSON.stringify(
        {
          auditConfigs: auditConfigs.get(name),
          bindings: bindings.map(({ role, member, title, expression }) => ({
            role,
            members: [member],
            ...(expression === undefined ? {} : { condition: { title, expression } }),
          })),
          etag: etagOf(name),
          version: 3,
        },
        null,
        2,
      ).split('\n');
    expectFlag(flag, 'flatten', 'bindings[].members');
    expectFlag(flag, 'format', FLATTENED);
    return bindings.map(({ role, member, expression = '' }) => [role, member, expression].join('\t'));
  }

  function setPolicy({ names: [project = '', file = ''] }: Command): Answer {
    const policy = iamPolicy.parse(JSON.parse(readFileSync(file, 'utf8')));
    if (policy.etag !== etagOf(project)) throw new Refused('ABORTED: There were concurrent policy changes.');
    policies.set(
      `projects ${project}`,
      policy.bindings.flatMap(({ role, members: each, condition }) =>
        each.map((member) => ({ role, member, ...condition })),
      ),
    );
    auditConfigs.set(project, policy.auditConfigs);
    return [];
  }

  const handlers: Readonly<Record<string, (command: Command) => Answer>> = {
    'projects set-iam-policy': setPolicy,
    'iam service-accounts list': ({ project }) =>
      [...accounts].flatMap(([email, of]) => (of === project ? [email] : [])),
    'iam service-accounts create': ({ name, project }) => {
      const email = `${name}@${project}.iam.gserviceaccount.com`;
      addAccount(email, project);
      lag.of.set(email, lag.bindings);
      return [];
    },
    'iam service-accounts describe': ({ name, flag }) => {
      expectFlag(flag, 'format', 'value(projectId)');
      return [accounts.get(name) ?? refuse(`NOT_FOUND: Unknown service account ${name}`)];
    },
    'iam roles describe': ({ name, project, flag }) => {
      expectFlag(flag, 'format', 'value(includedPermissions,deleted)');
      const role =
        roles.get(`projects/${project}/roles/${name}`) ?? refuse(`NOT_FOUND: The role named ${name} was not found.`);
      return [`${role.permissions.replaceAll(',', ';')}\t${role.deleted ? 'True' : ''}`];
    },
    'iam roles create': ({ name, project, flag }) => {
      const key = `projects/${project}/roles/${name}`;
      if (roles.has(key)) throw new Refused(`ALREADY_EXISTS: ${key}`);
      roles.set(key, { permissions: flag('permissions'), deleted: false });
      return [];
    },
    'iam roles update': ({ name, project, flag }) => {
      const role = roles.get(`projects/${project}/roles/${name}`) ?? refuse(`NOT_FOUND: ${name}`);
      if (role.deleted) throw new Refused(`FAILED_PRECONDITION: ${name} is deleted`);
      role.permissions = flag('permissions');
      return [];
    },
    'iam roles undelete': ({ name, project }) => {
      const role = roles.get(`projects/${project}/roles/${name}`) ?? refuse(`NOT_FOUND: ${name}`);
      role.deleted = false;
      return [];
    },
  };

  return { handlers, bind, show, find, addAccount, accounts, lag, roles, policies, auditConfigs };
}

/** As the SDK's ArgDict reads it. */
function conditionOf(flag: string): { title: string; expression: string } | 'None' | undefined {
  if (flag === '' || flag === 'None') return flag === '' ? undefined : 'None';
  const parts = Object.fromEntries(
    flag.split(',').map((part) => [part.split('=')[0], part.split('=').slice(1).join('=')]),
  );
  return z.strictObject({ title: z.string(), expression: z.string() }).parse(parts);
}
