// Organization policies on service accounts: creation must be allowed, and keys must not be.
// Source: docs.cloud.google.com/resource-manager/docs/organization-policy/restricting-service-accounts.

import type { CheckKind } from './check.ts';
import { effectiveRules, exceptionFrom, isEnforced } from './effective-policy.ts';
import { testableOnProject } from './permissions.ts';

const CREATION = ['iam.disableServiceAccountCreation', 'iam.managed.disableServiceAccountCreation'];
const KEYS = ['iam.disableServiceAccountKeyCreation', 'iam.managed.disableServiceAccountKeyCreation'];
const SET_POLICY = 'orgpolicy.policy.set';

type CreationName = 'accounts_forbidden';

export const accountCreation: CheckKind<CreationName> = {
  name: 'account creation',
  looksAt: `Whether an organization policy forbids new service accounts (\`${CREATION.join('`, `')}\`).`,
  findings: {
    accounts_forbidden: {
      severity: 'error',
      what: '{constraint} is enforced on {project}.',
      why: "The module creates service accounts in Keydesk's project and in the pools' projects. Google refuses that.",
      fix: `Ask for an exception for {project}: ${exceptionFrom('{constraint}')}`,
    },
  },
  checksOf: (target) =>
    projectsWithAccounts(target).map((project) => ({
      subject: project,
      look: async (google) => {
        const rules = await Promise.all(CREATION.map((constraint) => effectiveRules(google, project, constraint)));
        const enforced = CREATION.filter((_, index) => isEnforced(rules[index] ?? []));
        return {
          found: enforced.map((constraint) => ({
            finding: 'accounts_forbidden' as const,
            facts: { project, constraint },
          })),
        };
      },
    })),
};

type KeysName = 'keys_allowed';

export const accountKeys: CheckKind<KeysName> = {
  name: 'account keys',
  looksAt: `Whether an organization policy forbids service account keys (\`${KEYS.join('`, `')}\`), or you can set one.`,
  findings: {
    keys_allowed: {
      severity: 'warning',
      what: 'No organization policy forbids service account keys in {project}, and you cannot set one.',
      why: 'A key of a pooled account works after its job has ended. With forbid_keys = true the module sets the policy, which needs roles/orgpolicy.policyAdmin.',
      fix: 'Ask an administrator to run: gcloud resource-manager org-policies enable-enforce iam.disableServiceAccountKeyCreation --project={project}. Then set forbid_keys = false.',
    },
  },
  checksOf: (target) =>
    projectsWithAccounts(target).map((project) => ({
      subject: project,
      look: async (google) => {
        const rules = await Promise.all(KEYS.map((constraint) => effectiveRules(google, project, constraint)));
        if (rules.some(isEnforced)) return { found: [], detail: 'forbidden: forbid_keys can be false' };
        const permissions = await testableOnProject(google, project, [SET_POLICY]);
        if (permissions.includes(SET_POLICY)) return { found: [], detail: 'forbid_keys can set the policy' };
        return { found: [{ finding: 'keys_allowed' as const, facts: { project } }] };
      },
    })),
};

function projectsWithAccounts({
  project,
  pools,
}: {
  readonly project: string;
  readonly pools: readonly { readonly project: string }[];
}): string[] {
  return [...new Set([project, ...pools.map((pool) => pool.project)])];
}
