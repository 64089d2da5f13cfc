// How grants and tokens are known: by hashes, which spread evenly over Firestore's key space and give nothing away.

import { createHash } from 'node:crypto';
import type { Grant } from './grant.ts';

/** The id of the one grant a job can have of a credential; spreads evenly over the key space. */
export function grantId(jobId: string, credentialName: string): string {
  return createHash('sha256').update(`${jobId}\n${credentialName}`).digest('hex').slice(0, 32);
}

/** The id of a grant's document. */
export function grantIdOf({ subject, credential }: Pick<Grant, 'subject' | 'credential'>): string {
  return grantId(subject.id, credential);
}

/** How an access token is known to the ledger. */
export function tokenSha256(accessToken: string): string {
  return createHash('sha256').update(accessToken).digest('hex');
}

/** How what is done for a job is marked in Google's audit log. */
export function auditReason(jobId: string): string {
  return `buildkite-job/${jobId}`;
}
