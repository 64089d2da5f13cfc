// Organization policies on service accounts: creation must be allowed, and keys must not be.
// Source: docs.cloud.google.com/resource-manager/docs/organization-policy/restricting-service-accounts.

import { type CheckKind, quotedWords } from '../checks/check.ts';
import { effectiveRules, exceptionFrom, isEnforced } from './effective-policy.ts';
import { testOnProject } from './permissions.ts';
import type { Target } from './target.ts';

const CREATION = ['iam.disableServiceAccountCreation', 'iam.managed.disableServiceAccountCreation'];
/** The constraints that the module sets with forbid_keys. Google's managed ones forbid the same. */
const KEYS = ['iam.disableServiceAccountKeyCreation', 'iam.disableServiceAccountKeyUpload'];
const managed = (constraint: string) => constraint.replace('iam.', 'iam.managed.');
const SET_POLICY = 'orgpolicy.policy.set';

type CreationName = 'accounts_forbidden';

export const accountCreation: CheckKind<Target, CreationName> = {
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

type KeysName = 'keys_allowed' | 'keys_not_known';

export const accountKeys: CheckKind<Target, KeysName> = {
  name: 'account keys',
  looksAt: `Whether organization policies forbid that keys are created and uploaded (\`${KEYS.flatMap((one) => [one, managed(one)]).join('`, `')}\`), or you can set them.`,
  findings: {
    keys_allowed: {
      severity: 'warning',
      what: `Service account keys are allowed in {project}. Not enforced: {constraints}. You lack ${SET_POLICY}.`,
      why: 'A key of a pooled account works after its job has ended. With forbid_keys = true the module sets the policies, which needs roles/orgpolicy.policyAdmin.',
      fix: 'Ask an administrator to run, for each of {constraints}: gcloud resource-manager org-policies enable-enforce CONSTRAINT --project={project}. Then set forbid_keys = false.',
    },
    keys_not_known: {
      severity: 'warning',
      what: `Service account keys are allowed in {project}. Not enforced: {constraints}. Google does not test ${SET_POLICY} on a project, so this command does not know whether you have it.`,
      why: 'With forbid_keys = true the module sets the policies, and the apply fails there without roles/orgpolicy.policyAdmin on the organization.',
      fix: 'Ask an administrator to run, for each of {constraints}: gcloud resource-manager org-policies enable-enforce CONSTRAINT --project={project}. Then set forbid_keys = false. Or check that you have roles/orgpolicy.policyAdmin on the organization, and accept this finding.',
    },
  },
  checksOf: (target) =>
    projectsWithAccounts(target).map((project) => ({
      subject: project,
      look: async (google) => {
        const enforced = async (constraint: string) => isEnforced(await effectiveRules(google, project, constraint));
        const forbidden = await Promise.all(
          KEYS.map(async (one) => (await Promise.all([enforced(one), enforced(managed(one))])).includes(true)),
        );
        const missing = KEYS.filter((_, index) => !forbidden[index]);
        if (missing.length === 0) return { found: [], detail: 'forbidden: forbid_keys can be false' };
        const { held, untestable } = await testOnProject(google, project, [SET_POLICY]);
        if (held.includes(SET_POLICY)) return { found: [], detail: 'forbid_keys can set the policies' };
        const finding = untestable.length > 0 ? ('keys_not_known' as const) : ('keys_allowed' as const);
        return { found: [{ finding, facts: { project, constraints: quotedWords(missing, ', ') } }] };
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
