// The signers and the shared accounts in the policy: each exists, is enabled, and you can grant roles on it.
// Source: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.

import * as z from 'zod';
import { projectOfAccount } from '../../shared/core/policy/account-email.ts';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import { heldOnProject, heldShape } from './permissions.ts';
import type { Target } from './target.ts';

const API = 'iam.googleapis.com';
const SET_POLICY = READS.accountRights.permission;

const accountShape = z.object({ disabled: z.boolean().default(false), projectId: z.string() });
type Account = z.output<typeof accountShape>;

/** @param project whose database it signs for; undefined for a shared account */
interface Named {
  readonly email: string;
  readonly project: string | undefined;
}

type Name = 'account_missing' | 'account_disabled' | 'signer_of_another_project';

export const accounts: CheckKind<Target, Name> = {
  name: 'account',
  looksAt:
    "Whether each signer and each shared account in the policy exists and is enabled, and whether a signer is of its database's project.",
  findings: {
    account_missing: {
      severity: 'error',
      what: 'The service account {account} does not exist.',
      why: 'The apply fails at the role on it, unless create_policy_accounts = true.',
      fix: 'Set create_policy_accounts = true, and run this command with --create-policy-accounts. Or run: gcloud iam service-accounts create {name} --project={project}',
      undo: 'gcloud iam service-accounts delete {account}',
    },
    account_disabled: {
      severity: 'error',
      what: 'The service account {account} is disabled.',
      why: 'Google refuses to sign or to issue tokens for it.',
      fix: 'gcloud iam service-accounts enable {account}',
      undo: 'gcloud iam service-accounts disable {account}',
    },
    signer_of_another_project: {
      severity: 'error',
      what: 'The signer {account} is of {owner}, and its database is of {project}.',
      why: 'Google refuses the sign-in, because signer and API key must be of one project.',
      fix: 'gcloud iam service-accounts create keydesk-signer --project={project}. Put the new account into the policy as signer.',
      undo: 'Put the former account into the policy.',
    },
  },
  checksOf: (target) =>
    namedAccounts(target).map(({ email, project }) => ({
      subject: email,
      look: async (google) => {
        const found = await google.find({
          api: API,
          path: pathOf(email),
          shape: accountShape,
          ...READS.account,
          on: email,
          gcloud: { command: shellCommand`gcloud iam service-accounts describe ${email}` },
        });
        const created = !found && target.createPolicyAccounts && projectOfAccount(email) !== undefined;
        const judged = judgeAccount({ email, project }, found);
        return {
          found: judged.filter(({ finding }) => !created || finding !== 'account_missing'),
          ...(created ? { detail: 'the module creates it' } : {}),
        };
      },
    })),
};

function judgeAccount({ email, project }: Named, found: Account | undefined) {
  const owner = found?.projectId ?? projectOfAccount(email) ?? 'PROJECT';
  const [name = ''] = email.split('@', 1);
  return [
    ...(found ? [] : [{ finding: 'account_missing' as const, facts: { account: email, name, project: owner } }]),
    ...(found?.disabled ? [{ finding: 'account_disabled' as const, facts: { account: email } }] : []),
    ...(project !== undefined && owner !== project
      ? [{ finding: 'signer_of_another_project' as const, facts: { account: email, owner, project } }]
      : []),
  ];
}

type RightsName = 'account_role_missing';

export const accountRights: CheckKind<Target, RightsName> = {
  name: 'account permissions',
  looksAt: 'Whether you can grant roles on each signer and each shared account in the policy.',
  findings: {
    account_role_missing: {
      severity: 'error',
      what: `You lack ${SET_POLICY} on the service account {account}.`,
      why: 'The module grants Keydesk roles on the account. The apply fails there.',
      fix: 'gcloud iam service-accounts add-iam-policy-binding {account} --member=user:YOUR_EMAIL --role=roles/iam.serviceAccountAdmin --condition=None',
    },
  },
  checksOf: (target) =>
    namedAccounts(target).map(({ email }) => ({
      subject: email,
      look: async (google) => {
        const onAccount = await google.find({
          api: API,
          path: `${pathOf(email)}:testIamPermissions`,
          json: { permissions: [SET_POLICY] },
          shape: heldShape,
          ...READS.accountRights,
          on: email,
        });
        const project = projectOfAccount(email) ?? '';
        // An account that is to be created inherits from its project.
        const held = onAccount?.permissions ?? (await heldOnProject(google, project, [SET_POLICY]));
        if (held.includes(SET_POLICY)) return { found: [] };
        return { found: [{ finding: 'account_role_missing' as const, facts: { account: email } }] };
      },
    })),
};

function namedAccounts({ signers, sharedAccounts }: Target): Named[] {
  return [...signers, ...sharedAccounts.map((email) => ({ email, project: undefined }))];
}

/** `-` stands for the project of an address that does not name it. */
function pathOf(email: string): string {
  return `v1/projects/${projectOfAccount(email) ?? '-'}/serviceAccounts/${email}`;
}
