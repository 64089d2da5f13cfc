// Keydesk's own roles: each has the permissions of deploy/terraform/privileges.json, in each project in which it is used.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.roles.

import type { CheckKind } from '../../checks/check.ts';
import type { DoctorTarget } from '../target.ts';
import { ownRoles } from './needed.ts';
import { readRole } from './policy.ts';

type Name = 'own_role_missing' | 'own_role_has_more' | 'own_role_has_less';

export const roles: CheckKind<DoctorTarget, Name> = {
  name: 'own roles',
  looksAt: "Whether Keydesk's custom roles exist, with exactly the permissions of privileges.json.",
  findings: {
    own_role_missing: {
      severity: 'error',
      what: 'The role {role} does not exist, or is deleted.',
      why: 'Its members have none of its permissions. What they do for Keydesk fails.',
      fix: 'Run terraform apply. If it was deleted less than seven days ago: gcloud iam roles undelete {id} --project={project}',
      undo: 'gcloud iam roles delete {id} --project={project}',
    },
    own_role_has_more: {
      severity: 'error',
      what: 'The role {role} has more permissions than Keydesk needs: {permissions}.',
      why: 'Each function that has the role has them too.',
      fix: 'gcloud iam roles update {id} --project={project} --remove-permissions={permissions}',
      undo: 'gcloud iam roles update {id} --project={project} --add-permissions={permissions}',
    },
    own_role_has_less: {
      severity: 'error',
      what: 'The role {role} lacks permissions that Keydesk needs: {permissions}.',
      why: 'What a function does by them fails: it issues nothing, or does not end access.',
      fix: 'gcloud iam roles update {id} --project={project} --add-permissions={permissions}',
      undo: 'gcloud iam roles update {id} --project={project} --remove-permissions={permissions}',
    },
  },
  checksOf: (target) =>
    ownRoles(target).map(({ role, permissions: needed }) => ({
      subject: role,
      look: async (google) => {
        const [, project = '', , id = ''] = role.split('/');
        const found = await readRole(google, role);
        if (!found || found.deleted)
          return { found: [{ finding: 'own_role_missing' as const, facts: { role, id, project } }] };
        const held = found.includedPermissions;
        const facts = (some: readonly string[]) => ({ role, id, project, permissions: some.join(',') });
        const more = held.filter((permission) => !needed.includes(permission));
        const less = needed.filter((permission) => !held.includes(permission));
        return {
          found: [
            ...(more.length > 0
              ? [{ finding: 'own_role_has_more' as const, facts: facts(more), held: { permissions: more.toSorted() } }]
              : []),
            ...(less.length > 0
              ? [{ finding: 'own_role_has_less' as const, facts: facts(less), held: { permissions: less.toSorted() } }]
              : []),
          ],
        };
      },
    })),
};
