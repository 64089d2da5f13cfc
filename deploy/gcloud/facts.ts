// `node deploy/gcloud/facts.ts OPTIONS`: what deploy.sh has to know of the policy, of firestore.indexes.json and of the
// packages, a line each, its fields separated by tabs: so the files stay the one source, and the shell parses none of them.
// Or, when they must not be deployed, every reason why, and exit code 1.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fail, readPolicy } from '../../cli/policy-file.ts';
import { projectOfAccount } from '../../shared/core/account-name.ts';
import { databasesOf } from '../../shared/core/firestore-rules.ts';
import type { Policy } from '../../shared/core/policy.ts';
import { placesIn } from '../../shared/policy-text.ts';
import { accountsOf, type Desk, placementProblems } from './boundaries.ts';
import { readPackages, rulesProblems } from './packages.ts';

interface Indexes {
  readonly indexes: readonly {
    readonly collectionGroup: string;
    readonly fields: readonly { readonly fieldPath: string; readonly order: string }[];
  }[];
  readonly fieldOverrides: readonly {
    readonly collectionGroup: string;
    readonly fieldPath: string;
    readonly ttl?: boolean;
  }[];
}

const options = readOptions();
const desk: Desk = { project: options.project, database: options.database };
const { policy, text } = readPolicy(options.policy);
const packages = readPackages({ policyFile: options.policy, folder: options.archives });
const place = placesIn(text, options.policy);
const problems = [
  ...placementProblems(policy, desk).map(({ path, message }) => `${place(path)} ${message}`),
  ...packages.problems,
  ...rulesProblems(databasesOf(policy), {
    policyFile: options.policy,
    files: options.rules,
    elsewhere: options['rules-elsewhere'],
    sha256: packages.rules,
  }),
  ...groupProblems(options.group),
];
if (problems.length > 0) fail(1, problems.join('\n'));

const indexes: Indexes = JSON.parse(readFileSync(new URL('../../firestore.indexes.json', import.meta.url), 'utf8'));
const lines = [
  ['version', packages.version],
  ['audience', policy.audience],
  ...Object.keys(policy.credentials).map((name) => ['credential', name]),
  ...[...packages.archives].map(([name, sha256]) => ['archive', name, sha256]),
  ...factsOfPolicy(policy),
  ...factsOfIndexes(indexes),
];
process.stdout.write([...new Set(lines.map((fields) => `${fields.join('\t')}\n`))].join(''));

function factsOfPolicy(policy: Policy): string[][] {
  const databases = databasesOf(policy);
  const accounts = accountsOf(policy).map((account) => ({ ...account, project: projectOf(account.email) }));
  const narrowed = accounts.filter(({ storage }) => storage !== null);
  return [
    ...databases.map(({ project, database }) => ['database', project, database]),
    ...accounts.map(({ use, email, project, environment }) =>
      use === 'pooled' ? [use, email, project, environment] : [use, email, project],
    ),
    ...narrowed.flatMap(({ use, email, storage }) =>
      use === 'shared' && storage ? [['bucket', email, storage.bucket, storage.role]] : [],
    ),
    // As the Terraform module has it: who minted, who narrowed, what was touched.
    ...accounts.flatMap(({ project }) => audited(project, 'iam')),
    ...(narrowed.length > 0 ? audited(desk.project, 'sts') : []),
    ...narrowed.flatMap(({ project }) => audited(project, 'sts')),
    ...databases.flatMap(({ project }) => audited(project, 'datastore')),
  ];
}

function audited(project: string, service: string): string[][] {
  return project === '-' ? [] : [['audited', project, `${service}.googleapis.com`]];
}

/** "-" where the address does not tell it: Google's default accounts. */
function projectOf(email: string): string {
  return projectOfAccount(email) ?? '-';
}

function factsOfIndexes({ indexes, fieldOverrides }: Indexes): string[][] {
  return [
    ...indexes.map(({ collectionGroup, fields }) => [
      'index',
      collectionGroup,
      fields.map(({ fieldPath, order }) => `${fieldPath}:${order.toLowerCase()}`).join(','),
    ]),
    ...fieldOverrides.map(({ collectionGroup, fieldPath }) => ['exempt', collectionGroup, fieldPath]),
    ...fieldOverrides.flatMap(({ collectionGroup, fieldPath, ttl }) =>
      ttl ? [['ttl', collectionGroup, fieldPath]] : [],
    ),
  ];
}

/** A group of an environment in which nothing is pooled is misspelt. */
function groupProblems(groups: readonly string[]): string[] {
  const environments = new Set(
    accountsOf(policy).flatMap(({ use, environment }) => (use === 'pooled' ? [environment] : [])),
  );
  return groups.flatMap((group) =>
    environments.has(group.split('=')[0] ?? '')
      ? []
      : [
          `--group ${group}: the policy has no pool in that environment; those with one: ${[...environments].join(', ')}`,
        ],
  );
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      policy: { type: 'string', default: 'policy.yaml' },
      project: { type: 'string', default: '' },
      database: { type: 'string', default: 'keydesk' },
      archives: { type: 'string', default: 'packages' },
      rules: { type: 'string', multiple: true, default: [] },
      'rules-elsewhere': { type: 'string', multiple: true, default: [] },
      group: { type: 'string', multiple: true, default: [] },
    },
  });
  return values;
}
