// The projects: each exists and is active. Their numbers are what other APIs name them by.
// Source: docs.cloud.google.com/resource-manager/reference/rest/v3/projects.

import * as z from 'zod';
import type { CheckKind } from './check.ts';
import type { Google } from './google.ts';

const API = 'cloudresourcemanager.googleapis.com';

const projectShape = z.object({ name: z.string(), state: z.string().default('') });

type Name = 'project_not_active';

export const projects: CheckKind<Name> = {
  name: 'project',
  looksAt: 'Whether each project exists and is active.',
  findings: {
    project_not_active: {
      severity: 'error',
      what: '{project} is in the state {state}.',
      why: 'Google refuses requests to a project that is to be deleted.',
      fix: 'gcloud projects undelete {project}',
    },
  },
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: project,
      look: async (google) => judgeProject(project, await readProject(google, project)),
    })),
};

function judgeProject(project: string, { name, state }: z.output<typeof projectShape>) {
  if (state !== 'ACTIVE')
    return { found: [{ finding: 'project_not_active' as const, facts: { project, state: state || 'unknown' } }] };
  return { found: [], detail: `number ${name.replace('projects/', '')}` };
}

/** Such as `415104041262`. */
export async function projectNumber(google: Google, project: string): Promise<string> {
  const { name } = await readProject(google, project);
  return name.replace('projects/', '');
}

function readProject(google: Google, project: string) {
  return google.read({
    api: API,
    path: `v3/projects/${project}`,
    shape: projectShape,
    permission: 'resourcemanager.projects.get',
    role: 'roles/browser',
    on: project,
  });
}
