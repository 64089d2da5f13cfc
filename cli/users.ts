// `npm run users`: creates the Firebase users that a policy needs, before the first job asks for them. Runs with the rights of
// whoever deploys: no function may create, change or delete a user. Safe to repeat: users that are there stay as they are.
// Source: docs.cloud.google.com/identity-platform/docs/reference/rest/v1/projects.accounts/batchCreate.

import { parseArgs } from 'node:util';
import * as z from 'zod';
import { chunksOf } from '../shared/core/chunks.ts';
import { stripTrailingSlash } from '../shared/google/response.ts';
import { createServiceIdentity } from '../shared/google/service-identity.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient, type HttpClient } from '../shared/runtime/http-client.ts';
import { HELP, readFlags } from './flags.ts';
import { fail, readPolicy } from './policy-file.ts';
import { DEFAULT_GENERATIONS, policyUsers, type UserGroup } from './policy-users.ts';

const USAGE = `usage: npm run users -- [options]
  --policy FILE    the policy; default KEYDESK_POLICY, else policy.yaml
  --project ID     only users of this project
  --database ID    only users of credentials that open this database
  --generations N  users of each pipeline and credential, 1 to 1000; default ${DEFAULT_GENERATIONS}
  --dry-run        create nothing; list the users

Creates the users with your application default credentials (gcloud auth application-default login), or with the access
token in GOOGLE_OAUTH_ACCESS_TOKEN. You need firebaseauth.users.create in each project. No function has that permission.

Google limits NEW users by sign-in to 100 an hour and IP address. Users that this command creates do not count.

Each pipeline uses one user for each credential. A user that a job changed is replaced by that of the next generation.
Where new users may not sign in, the next one must exist, so several are created. An alert of a changed user names its
generation G: then run this with --generations G+4.

exit: 0 every user is there; 1 one is not; 2 usage`;

/** Users that Google takes in one request. */
const BATCH = 1_000;
const DEADLINE_MS = 60_000;
const MOST_GENERATIONS = 1_000;

const uploadResponse = z.object({
  error: z.array(z.object({ index: z.int().default(0), message: z.string() })).default([]),
});

const options = readFlags(USAGE, () => {
  const { values } = parseArgs({
    options: {
      policy: { type: 'string', default: process.env.KEYDESK_POLICY || 'policy.yaml' },
      project: { type: 'string' },
      database: { type: 'string' },
      generations: { type: 'string', default: String(DEFAULT_GENERATIONS) },
      'dry-run': { type: 'boolean', default: false },
      help: HELP,
    },
  });
  const generations = /^[1-9][0-9]{0,3}$/.test(values.generations) ? Number(values.generations) : Number.NaN;
  if (!(generations <= MOST_GENERATIONS))
    throw new Error(`--generations takes a whole number from 1 to ${MOST_GENERATIONS}`);
  return { ...values, generations };
});
const { policy } = readPolicy(options.policy);
const { groups, unknown } = policyUsers(policy, options, options.generations);
const sendAsOperator = createOperatorClient();

for (const group of groups) {
  if (options['dry-run']) for (const uid of group.uids) console.log(`${nameOf(group)}: ${uid}`);
  else await create(group);
}
if (groups.length === 0) console.log(`${options.policy} names no pipeline by its id for these: no user is known`);
for (const { rule, credential } of unknown)
  console.log(
    `cannot be created ahead: users of ${credential} for rule "${rule}", which does not name every pipeline by a pipeline_id in full`,
  );
if (unknown.length > 0)
  console.log(
    'Each of them is created at the first request of its pipeline. Google limits new users by sign-in to 100 an hour and IP address.',
  );

async function create(group: UserGroup): Promise<void> {
  const uids = [...group.uids];
  let existing = 0;
  let failed = 0;
  for (const batch of chunksOf(BATCH, uids)) {
    for (const { index, message } of await upload(group, batch)) {
      // Google names no code here. Its text, and the Auth emulator's: "localId belongs to an existing account".
      if (/existing account/i.test(message)) existing += 1;
      else {
        failed += 1;
        console.error(`${nameOf(group)}: ${batch[index] ?? `user ${index}`} was not created: ${message}`);
      }
    }
  }
  console.log(`${nameOf(group)}: ${uids.length - existing - failed} users created, ${existing} were there already`);
  if (failed > 0) process.exitCode = 1;
}

/** @returns what was not created, and why */
async function upload({ project, tenant }: UserGroup, uids: readonly string[]) {
  const api = stripTrailingSlash(process.env.KEYDESK_IDENTITYTOOLKIT_URL || 'https://identitytoolkit.googleapis.com');
  const parent = `projects/${project}${tenant === undefined ? '' : `/tenants/${tenant}`}`;
  const dependency = 'identitytoolkit accounts.batchCreate';
  const response = await sendAsOperator({
    dependency,
    url: `${api}/v1/${parent}/accounts:batchCreate`,
    method: 'POST',
    headers: { 'x-goog-user-project': project },
    json: { users: uids.map((localId) => ({ localId })), allowOverwrite: false },
    deadlineMs: DEADLINE_MS,
  }).catch((error: unknown) => fail(1, `${parent}: ${errorMessage(error)}`));
  if (response.status !== 200) {
    const rejected = z.object({ error: z.object({ message: z.string() }) }).safeParse(response.json);
    return fail(
      1,
      `${parent}: ${dependency} answered ${response.status}${rejected.success ? `: ${rejected.data.error.message}` : ''}. You need firebaseauth.users.create there, and a tenant that policy names must exist`,
    );
  }
  return uploadResponse.parse(response.json).error;
}

function createOperatorClient(): HttpClient {
  const sendRequest = createHttpClient(systemClock);
  const operatorToken = process.env.GOOGLE_OAUTH_ACCESS_TOKEN;
  if (!operatorToken) return createServiceIdentity(sendRequest, systemClock).sendRequest;
  return (request) =>
    sendRequest({ ...request, headers: { ...request.headers, authorization: `Bearer ${operatorToken}` } });
}

function nameOf({ project, tenant }: UserGroup): string {
  return tenant === undefined ? project : `${project}, tenant ${tenant}`;
}
