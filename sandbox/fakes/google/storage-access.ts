// What an access token may do in Cloud Storage. Every service account is taken to be an admin of the objects in every
// bucket: its tokens' scopes and boundaries only ever subtract. Refuses to know what is stored.
// Sources: docs.cloud.google.com/storage/docs/access-control/iam-json; docs.cloud.google.com/storage/docs/oauth-scopes.

import type { LocalResponse } from '../../local-server.ts';
import { type AccessRequest, allows, OBJECT_ADMIN } from './boundary.ts';
import { storageError } from './error.ts';
import type { Tokens } from './tokens.ts';

const AUTH = 'https://www.googleapis.com/auth';
const WRITING = ['cloud-platform', 'devstorage.read_write', 'devstorage.full_control'].map((one) => `${AUTH}/${one}`);
const READING = [...WRITING, `${AUTH}/devstorage.read_only`];
const READS: readonly string[] = ['storage.objects.get', 'storage.objects.list', 'storage.buckets.get'];

/** How Cloud Storage refuses a wish; undefined when it does not. */
export type AccessJudge = (accessRequest: AccessRequest) => LocalResponse | undefined;

/** @param unexpected takes the conditions that could not be read */
export function judgeOf(tokens: Tokens, accessToken: string, unexpected: string[]): AccessJudge {
  return (accessRequest) => {
    const judged = tokens.judge(accessToken);
    if ('refusal' in judged) return judged.refusal;
    const { account, scope, boundary } = judged.token;
    const enough = READS.includes(accessRequest.permission) ? READING : WRITING;
    if (!scope.some((one) => enough.includes(one)))
      return storageError(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.');
    const unread = (expression: string) => {
      unexpected.push(`a condition that cannot be read: ${expression}`);
    };
    if (OBJECT_ADMIN.includes(accessRequest.permission) && (!boundary || allows(boundary, accessRequest, unread)))
      return undefined;
    return denied(account, accessRequest);
  };
}

function denied(account: string, { permission, name }: AccessRequest): LocalResponse {
  const resource = name === undefined ? 'bucket' : 'object';
  return storageError(
    403,
    'forbidden',
    `${account} does not have ${permission} access to the Google Cloud Storage ${resource}. Permission '${permission}' denied on resource (or it may not exist).`,
  );
}
