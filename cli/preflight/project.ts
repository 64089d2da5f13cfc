// The projects: each exists and is active. Their numbers are what other APIs name them by.
// Source: docs.cloud.google.com/resource-manager/reference/rest/v3/projects.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';
import type { Target } from './target.ts';

const API = 'cloudresourcemanager.googleapis.com';

/** gcloud prints version 1 of the resource. */
const byVersion1 = z
  .object({ projectNumber: z.string(), lifecycleState: z.string() })
  .transform(({ projectNumber, lifecycleState }) => ({ name: `projects/${projectNumber}`, state: lifecycleState }));
const projectShape = z.union([byVersion1, z.object({ name: z.string(), state: z.string().default('') })]);

type Name = 'project_not_active' | 'project_number_differs';

export const projects: CheckKind<Target, Name> = {
  name: 'project',
  looksAt: 'Whether each project exists and is active, and has the number that --project-number names.',
  findings: {
    project_not_active: {
      severity: 'error',
      what: '{project} is in the state {state}.',
      why: 'Google refuses requests to a project that is to be deleted.',
      fix: 'gcloud projects undelete {project}',
      undo: 'gcloud projects delete {project}',
    },
    project_number_differs: {
      severity: 'error',
      what: 'The number of {project} is {number}. --project-number or project_numbers has {stated}.',
      why: "The module makes the functions' URLs from the number, and grants roles by it. With another number, service accounts of another project may receive the roles of the pool.",
      fix: 'In project_numbers of the Terraform variables, write {number} for {project}.',
      undo: 'Write the former number again.',
    },
  },
  checksOf: (target) =>
    target.projects.map((project) => ({
      subject: project,
      look: async (google) => judgeProject(project, await readProject(google, project), target.projectNumbers[project]),
    })),
};

/** @param stated its number by the operator */
function judgeProject(project: string, { name, state }: z.output<typeof projectShape>, stated: string | undefined) {
  const number = numberOf(name);
  return {
    found: [
      ...(state !== 'ACTIVE'
        ? [{ finding: 'project_not_active' as const, facts: { project, state: state || 'unknown' } }]
        : []),
      ...(stated !== undefined && stated !== number
        ? [{ finding: 'project_number_differs' as const, facts: { project, number, stated } }]
        : []),
    ],
    detail: `number ${number}`,
  };
}

/** Such as `415104041262`. */
export async function projectNumber(google: Google, project: string): Promise<string> {
  return numberOf((await readProject(google, project)).name);
}

function numberOf(name: string): string {
  return name.replace('projects/', '');
}

function readProject(google: Google, project: string) {
  return google.read({
    api: API,
    path: `v3/projects/${project}`,
    shape: projectShape,
    ...READS.project,
    on: project,
    gcloud: { command: shellCommand`gcloud projects describe ${project}` },
  });
}
