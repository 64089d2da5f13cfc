// `node deploy/gcloud/facts.ts POLICY`: what deploy.sh has to know of the policy and of firestore.indexes.json, a line each,
// its fields separated by tabs. So both files stay the one source, and the shell parses neither.

import { readFileSync } from 'node:fs';
import type { Credential } from '../../shared/core/credential.ts';
import { databasesOf } from '../../shared/core/firestore-rules.ts';
import type { Policy } from '../../shared/core/policy.ts';
import { parsePolicyText } from '../../shared/policy-text.ts';

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

const [file = 'policy.yaml'] = process.argv.slice(2);
const result = parsePolicyText(readFileSync(file, 'utf8'), file);
if ('problems' in result) {
  process.stderr.write(`${result.problems.join('\n')}\n`);
  process.exit(1);
}
const indexes: Indexes = JSON.parse(readFileSync(new URL('../../firestore.indexes.json', import.meta.url), 'utf8'));
const lines = [...factsOfPolicy(result.policy), ...factsOfIndexes(indexes)];
process.stdout.write([...new Set(lines.map((fields) => `${fields.join('\t')}\n`))].join(''));

function factsOfPolicy(policy: Policy): string[][] {
  const credentials = Object.values(policy.credentials);
  return [
    ...databasesOf(policy).map(({ project, database }) => ['database', project, database]),
    ...credentials.flatMap(factsOfCredential),
  ];
}

function factsOfCredential(credential: Credential): string[][] {
  switch (credential.kind) {
    case 'firestore':
      return [['standing', credential.signer, projectOf(credential.signer)]];
    case 'service_account':
      return [['standing', credential.email, projectOf(credential.email)]];
    case 'pooled_service_account':
      return credential.pool.map((email) => ['pooled', email, projectOf(email)]);
  }
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

/** As a user-managed account's address tells it; "-" for Google's own accounts, whose address does not. */
function projectOf(email: string): string {
  return /@([a-z][a-z0-9-]*)\.iam\.gserviceaccount\.com$/.exec(email)?.[1] ?? '-';
}
