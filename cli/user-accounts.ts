// Creates Firebase users by the rights of the operator.
// Source: docs.cloud.google.com/identity-platform/docs/reference/rest/v1/projects.accounts/batchCreate.

import * as z from 'zod';
import { chunksOf } from '../shared/core/chunks.ts';
import type { UserGroup } from '../shared/core/policy/firebase-users.ts';
import { stripTrailingSlash } from '../shared/google/response.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import type { HttpClient } from '../shared/runtime/http-client.ts';
import { EXIT, fail, note } from './terminal.ts';

/** Users that Google takes in one request. */
const BATCH = 1_000;
const DEADLINE_MS = 60_000;

const uploadResponse = z.object({
  error: z.array(z.object({ index: z.int().default(0), message: z.string() })).default([]),
});

export async function createUsers(
  send: HttpClient,
  group: UserGroup,
): Promise<{ created: number; existing: number; failed: number }> {
  const uids = [...group.uids];
  let existing = 0;
  let failed = 0;
  for (const batch of chunksOf(BATCH, uids)) {
    for (const { index, message } of await upload(send, group, batch)) {
      // Google names no code here. Its text, and the Auth emulator's: "localId belongs to an existing account".
      if (/existing account/i.test(message)) existing += 1;
      else {
        failed += 1;
        note(`${nameOf(group)}: ${batch[index] ?? `user ${index}`} was not created: ${message}`);
      }
    }
  }
  return { created: uids.length - existing - failed, existing, failed };
}

/** @returns what was not created, and why */
async function upload(send: HttpClient, { project, tenant }: UserGroup, uids: readonly string[]) {
  const api = stripTrailingSlash(process.env.KEYDESK_IDENTITYTOOLKIT_URL || 'https://identitytoolkit.googleapis.com');
  const parent = `projects/${project}${tenant === undefined ? '' : `/tenants/${tenant}`}`;
  const dependency = 'identitytoolkit accounts.batchCreate';
  const response = await send({
    dependency,
    url: `${api}/v1/${parent}/accounts:batchCreate`,
    method: 'POST',
    headers: { 'x-goog-user-project': project },
    json: { users: uids.map((localId) => ({ localId })), allowOverwrite: false },
    deadlineMs: DEADLINE_MS,
  }).catch((error: unknown) => fail(EXIT.failure, `${parent}: ${errorMessage(error)}`));
  if (response.status !== 200) {
    const rejected = z.object({ error: z.object({ message: z.string() }) }).safeParse(response.json);
    return fail(
      EXIT.failure,
      `${parent}: ${dependency} returned ${response.status}${rejected.success ? `: ${rejected.data.error.message}` : ''}. You need firebaseauth.users.create there, and a tenant that policy names must exist`,
    );
  }
  return uploadResponse.parse(response.json).error;
}

export function nameOf({ project, tenant }: UserGroup): string {
  return tenant === undefined ? project : `${project}, tenant ${tenant}`;
}
