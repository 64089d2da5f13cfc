// Organization policies that forbid keys of service accounts, in Keydesk's project and in the pools' projects.

import type { CheckKind } from '../checks/check.ts';
import { effectiveRules, isEnforced } from '../preflight/effective-policy.ts';
import type { DoctorTarget } from './target.ts';

/** Google's managed constraints forbid the same. */
const CONSTRAINTS = ['iam.disableServiceAccountKeyCreation', 'iam.disableServiceAccountKeyUpload'];

type Name = 'keys_not_forbidden';

export const keyPolicies: CheckKind<DoctorTarget, Name> = {
  name: 'keys forbidden',
  looksAt: `Whether organization policies forbid that keys are created and uploaded (\`${CONSTRAINTS.join('`, `')}\`, or the managed constraints).`,
  findings: {
    keys_not_forbidden: {
      severity: 'error',
      what: 'Service account keys are allowed in {project}: {constraint} is not enforced.',
      why: 'A key of a pooled account works after its job has ended.',
      fix: 'gcloud resource-manager org-policies enable-enforce {constraint} --project={project}',
      undo: 'gcloud resource-manager org-policies disable-enforce {constraint} --project={project}',
    },
  },
  checksOf: (target) =>
    [...new Set([target.project, ...target.pools.map(({ project }) => project)])].map((project) => ({
      subject: project,
      look: async (google) => {
        const enforced = async (constraint: string) => isEnforced(await effectiveRules(google, project, constraint));
        const forbidden = await Promise.all(
          CONSTRAINTS.map(
            async (one) => (await enforced(one)) || (await enforced(one.replace('iam.', 'iam.managed.'))),
          ),
        );
        return {
          found: CONSTRAINTS.filter((_, index) => !forbidden[index]).map((constraint) => ({
            finding: 'keys_not_forbidden' as const,
            facts: { project, constraint },
          })),
        };
      },
    })),
};
