// IAM policies and roles as Google's APIs and gcloud write them.
// Sources: docs.cloud.google.com/iam/docs/reference/rest/v1/Policy and /v1/Role. Version 3 has conditions.

import * as z from 'zod';
import { shellCommand } from '../../../shared/core/shell-quote.ts';
import { type Call, CouldNotLook, type Google } from '../../checks/google.ts';
import { READS } from '../reads.ts';

const bindingShape = z.object({
  role: z.string(),
  members: z.array(z.string()).default([]),
  condition: z.object({ title: z.string().default(''), expression: z.string().default('') }).optional(),
});

export const policyShape = z.object({
  bindings: z.array(bindingShape).default([]),
  auditConfigs: z
    .array(
      z.object({
        service: z.string(),
        auditLogConfigs: z
          .array(z.object({ logType: z.string(), exemptedMembers: z.array(z.string()).default([]) }))
          .default([]),
      }),
    )
    .default([]),
});

export type Binding = z.output<typeof bindingShape>;
export type IamPolicy = z.output<typeof policyShape>;

/** The body by which a policy is read with its conditions. */
export const WITH_CONDITIONS = { options: { requestedPolicyVersion: 3 } };

export function projectPolicyCall(project: string): Call<IamPolicy> {
  return {
    api: 'cloudresourcemanager.googleapis.com',
    path: `v3/projects/${project}:getIamPolicy`,
    json: WITH_CONDITIONS,
    shape: policyShape,
    ...READS.projectPolicy,
    on: project,
    gcloud: { command: shellCommand`gcloud projects get-iam-policy ${project}` },
  };
}

const roleShape = z.object({
  includedPermissions: z.array(z.string()).default([]),
  deleted: z.boolean().default(false),
});

/** @param role `roles/NAME`, `projects/PROJECT/roles/NAME` or `organizations/ID/roles/NAME` */
export async function readRole(google: Google, role: string): Promise<z.output<typeof roleShape> | undefined> {
  const [kind, owner] = role.split('/');
  const of =
    kind === 'projects' || kind === 'organizations' ? shellCommand` --${kind.slice(0, -1)}=${owner ?? ''}` : '';
  const name = kind === 'roles' ? role : role.replace(/^.*\//, '');
  return google.find({
    api: 'iam.googleapis.com',
    path: `v1/${role}`,
    shape: roleShape,
    ...READS.role,
    on: role,
    gcloud: { command: shellCommand`gcloud iam roles describe ${name}${{ quoted: of }}` },
  });
}

/** @throws CouldNotLook for a role that is not found: what its members may do is then not known. One that is deleted gives nothing */
export async function permissionsIn(google: Google, role: string): Promise<readonly string[]> {
  const found = await readRole(google, role);
  if (!found)
    throw new CouldNotLook(
      `the role ${role} was not found, so what its members may do is not known`,
      'Look at the role in the console. If it does not exist any more, remove its bindings.',
    );
  return found.deleted ? [] : found.includedPermissions;
}
