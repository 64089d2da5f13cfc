// Whether the service accounts of the pools fit into the quota of their project. Google does not say the quota here: its page gave 100
// as the default, and says by now that it varies.
// Sources: docs.cloud.google.com/iam/quotas; docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/list.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import type { Target } from './target.ts';

/** Accounts of a project that Google's page gave as the default. */
const DEFAULT_QUOTA = 100;

const accountsShape = z.object({
  accounts: z.array(z.object({ email: z.string() })).default([]),
  nextPageToken: z.string().optional(),
});

type Name = 'account_quota';

export const accountQuota: CheckKind<Target, Name> = {
  name: 'account quota',
  looksAt: `Whether the accounts of a pool's project, with those of the policy, are more than ${DEFAULT_QUOTA}.`,
  findings: {
    account_quota: {
      severity: 'warning',
      what: '{project} has {present} service accounts, and the policy needs {missing} more.',
      why: `The sum is more than ${DEFAULT_QUOTA}, which was Google's default quota. The quota varies by project. The apply fails when it is reached.`,
      fix: 'Look at "Service Account Count" and request more: https://console.cloud.google.com/iam-admin/quotas?service=iam.googleapis.com&project={project}',
    },
  },
  checksOf: ({ pools }) =>
    pools.map(({ project, accounts }) => ({
      subject: project,
      look: async (google) => {
        const pages = await google.readAll({
          api: 'iam.googleapis.com',
          path: `v1/projects/${project}/serviceAccounts`,
          query: [['pageSize', '100']],
          shape: accountsShape,
          ...READS.accounts,
          on: project,
        });
        const present = new Set(pages.flatMap((page) => page.accounts.map(({ email }) => email)));
        return judgeCount(project, present, accounts);
      },
    })),
};

function judgeCount(project: string, present: ReadonlySet<string>, wanted: readonly string[]) {
  const missing = wanted.filter((email) => !present.has(email)).length;
  const detail = `${present.size} accounts, ${missing} more needed`;
  if (missing === 0 || present.size + missing <= DEFAULT_QUOTA) return { found: [], detail };
  const facts = { project, present: String(present.size), missing: String(missing) };
  return { found: [{ finding: 'account_quota' as const, facts }] };
}
