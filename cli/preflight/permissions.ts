// The permissions that the person who applies needs, by project. Google says which of a list the caller has.
// Source: docs.cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions.

import * as z from 'zod';
import { type CheckKind, quotedWords } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { neededPermissions, READS } from './needed-permissions.ts';
import type { Target } from './target.ts';

/** `permissions` is absent when the caller has none of them. */
export const heldShape = z.object({ permissions: z.array(z.string()).default([]) });

type Name = 'permission_missing' | 'permission_not_testable';

export const permissions: CheckKind<Target, Name> = {
  name: 'permissions',
  looksAt: 'Whether you have the permissions to apply the module, in each project.',
  findings: {
    permission_missing: {
      severity: 'error',
      what: 'You lack permissions on {project}: {permissions}.',
      why: 'The apply fails at the first resource that needs one.',
      fix: 'Get these roles, or roles/owner: {roles}. For each: gcloud projects add-iam-policy-binding {project} --member=user:YOUR_EMAIL --role=ROLE --condition=None',
    },
    permission_not_testable: {
      severity: 'warning',
      what: 'Google does not test permissions on {project}: {permissions}. This command could not look whether you have them.',
      why: 'If you lack one, the apply fails at the first resource that needs it.',
      fix: 'Check that you have these roles on {project}, or roles/owner: {roles}. Then accept this finding.',
    },
  },
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: project,
      look: async (google) => {
        const needs = neededPermissions(target, project);
        const tested = await testOnProject(google, project, [...needs.keys()]);
        // Not for one of them: Google's message says why.
        if (tested.untestable.length === needs.size) await heldOnProject(google, project, tested.untestable);
        const missing = [...needs.keys()].filter(
          (one) => !tested.held.includes(one) && !tested.untestable.includes(one),
        );
        const withRoles = (some: readonly string[]) => ({
          project,
          permissions: some.join(', '),
          roles: quotedWords([...new Set(some.flatMap((permission) => needs.get(permission) ?? []))], ', '),
        });
        return {
          found: [
            ...(missing.length > 0 ? [{ finding: 'permission_missing' as const, facts: withRoles(missing) }] : []),
            ...(tested.untestable.length > 0
              ? [{ finding: 'permission_not_testable' as const, facts: withRoles(tested.untestable) }]
              : []),
          ],
        };
      },
    })),
};

/** Those of the permissions that the caller has. @throws CouldNotLook when Google does not test one of them on a project */
export async function heldOnProject(google: Google, project: string, wanted: readonly string[]): Promise<string[]> {
  return (await google.read(testCall(project, wanted))).permissions;
}

interface Tested {
  /** Those of the permissions that the caller has. */
  readonly held: readonly string[];
  /** Those that Google does not test on a project. */
  readonly untestable: readonly string[];
}

/**
 * Google answers 400 when it does not test one of the permissions on a project, and does not always say which. Each half is then tested on its own:
 * fewer than twice as many requests as permissions.
 */
export async function testOnProject(google: Google, project: string, wanted: readonly string[]): Promise<Tested> {
  const reply = await google.find(testCall(project, wanted), (status) => status === 400);
  if (reply) return { held: reply.permissions, untestable: [] };
  if (wanted.length === 1) return { held: [], untestable: wanted };
  const middle = Math.ceil(wanted.length / 2);
  const first = await testOnProject(google, project, wanted.slice(0, middle));
  const second = await testOnProject(google, project, wanted.slice(middle));
  return { held: [...first.held, ...second.held], untestable: [...first.untestable, ...second.untestable] };
}

function testCall(project: string, wanted: readonly string[]) {
  return {
    api: 'cloudresourcemanager.googleapis.com',
    path: `v3/projects/${project}:testIamPermissions`,
    json: { permissions: wanted },
    shape: heldShape,
    ...READS.project,
    on: project,
  };
}
