// The accounts of a deployment: those of the functions and the pools exist, and no account has a key.
// Sources: docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts and projects.serviceAccounts.keys. The preflight looks at
// signers and shared accounts.

import * as z from 'zod';
import { shellCommand } from '../../shared/core/shell-quote.ts';
import type { CheckKind } from '../checks/check.ts';
import { accountsOf } from './iam/places.ts';
import { READS } from './reads.ts';
import { accountPath, type DoctorTarget, ownAccounts } from './target.ts';

const API = 'iam.googleapis.com';
const accountShape = z.object({ disabled: z.boolean().default(false) });

type Name = 'own_account_missing' | 'own_account_disabled' | 'pooled_account_missing';

export const accounts: CheckKind<DoctorTarget, Name> = {
  name: 'accounts',
  looksAt: 'Whether the account of each function exists and is enabled, and each pooled account exists.',
  findings: {
    own_account_missing: {
      severity: 'error',
      what: 'The account {account} does not exist.',
      why: 'What runs as it fails.',
      fix: 'Run terraform apply. If it was deleted less than 30 days ago: gcloud beta iam service-accounts undelete UNIQUE_ID',
      undo: 'gcloud iam service-accounts delete {account}',
    },
    own_account_disabled: {
      severity: 'error',
      what: 'The account {account} is disabled.',
      why: 'What runs as it fails. If it is the webhook or the sweep, access of jobs that ended is not revoked.',
      fix: 'gcloud iam service-accounts enable {account}',
      undo: 'gcloud iam service-accounts disable {account}',
    },
    pooled_account_missing: {
      severity: 'error',
      what: 'The pooled account {account} does not exist.',
      why: 'The pool is smaller than the policy says. A new account of the same name has none of its roles.',
      fix: 'Run terraform apply, with this policy.',
      undo: 'gcloud iam service-accounts delete {account}',
    },
  },
  checksOf: (target) =>
    [
      ...ownAccounts(target).map((email) => ({ email, pooled: false })),
      ...[...target.pooled.keys()].map((email) => ({ email, pooled: true })),
    ].map(({ email, pooled }) => ({
      subject: email,
      look: async (google) => {
        const account = await google.find({
          api: API,
          path: `v1/${accountPath(email)}`,
          shape: accountShape,
          ...READS.account,
          on: email,
          gcloud: { command: shellCommand`gcloud iam service-accounts describe ${email}` },
        });
        const finding = pooled ? ('pooled_account_missing' as const) : ('own_account_missing' as const);
        if (!account) return { found: [{ finding, facts: { account: email } }] };
        // Keydesk disables pooled accounts, and its sweep enables them.
        if (pooled || !account.disabled) return { found: [] };
        return { found: [{ finding: 'own_account_disabled' as const, facts: { account: email } }] };
      },
    })),
};

const keysShape = z.object({
  keys: z
    .array(z.object({ name: z.string(), disabled: z.boolean().default(false), validAfterTime: z.string().default('') }))
    .default([]),
});

type KeyName = 'account_key';

export const accountKeys: CheckKind<DoctorTarget, KeyName> = {
  name: 'keys of accounts',
  looksAt: 'Whether a signer, a shared or pooled account or an account of Keydesk has a key of its own.',
  findings: {
    account_key: {
      severity: 'error',
      what: 'The account {account} has the key {key}, since {since}{disabled}.',
      why: 'Who has the key acts as the account for as long as the key exists. No rule, no grant and no end of a job limits that.',
      fix: 'gcloud iam service-accounts keys disable {key} --iam-account={account}. Delete it when nothing fails: gcloud iam service-accounts keys delete {key} --iam-account={account}',
      undo: 'gcloud iam service-accounts keys enable {key} --iam-account={account}. A deleted key does not come back.',
    },
  },
  checksOf: (target) =>
    accountsOf(target).map(([email]) => ({
      subject: email,
      look: async (google) => {
        const listed = await google.find({
          api: API,
          path: `v1/${accountPath(email)}/keys`,
          query: [['keyTypes', 'USER_MANAGED']],
          shape: keysShape,
          ...READS.accountKeys,
          on: email,
          gcloud: {
            command: shellCommand`gcloud iam service-accounts keys list --iam-account=${email} --managed-by=user`,
            list: 'keys',
          },
        });
        return {
          found: (listed?.keys ?? []).map(({ name, disabled, validAfterTime }) => {
            const key = name.replace(/^.*\//, '');
            return {
              finding: 'account_key' as const,
              resource: `${email} key ${key}`,
              facts: {
                account: email,
                key,
                since: validAfterTime || 'an unknown time',
                disabled: disabled ? ', disabled' : '',
              },
            };
          }),
        };
      },
    })),
};
