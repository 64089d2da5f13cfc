// The Firebase user whose ID tokens a pipeline gets for one `firestore` credential, and its generations. A job holds such a
// token, so it can change the user: then the next generation, which is another user, takes its place for good.
// Knows nothing about Google and Firestore.

import { createHash } from 'node:crypto';
import * as z from 'zod';
import { pipelineKey, type Subject } from './subject/buildkite-job.ts';

/** One user per pipeline and credential: a user per job would exhaust Google's limit on new accounts. */
export interface FirebaseUser {
  /** The pipeline's UUID in lower case; `organization/pipeline` by their slugs where the job token has no `pipeline_id`. */
  readonly pipeline: string;
  readonly credential: string;
}

/** Only the ledger's record of a user that was changed; the others have none, and are of generation 0. */
export const firebaseUserSchema = z.object({
  /** The generation in force. */
  generation: z.int().min(1),
  /** When the generation before it was found changed, in milliseconds since the epoch. */
  changed_at: z.number(),
  /** A random mark, by which the writer of this record recognizes it. */
  write_id: z.string(),
});

export function firebaseUserOf(subject: Subject, credential: string): FirebaseUser {
  return { pipeline: pipelineKey(subject), credential };
}

/** The id of the user's record in the ledger. */
export function firebaseUserId({ pipeline, credential }: FirebaseUser): string {
  return hash(`${pipeline}\n${credential}`);
}

/** The user's uid in Firebase. No claim of a token changes it, so security rules can tell Keydesk's users by its form. */
export function firebaseUid({ pipeline, credential }: FirebaseUser, generation: number): string {
  return `keydesk-${hash(`${pipeline}\n${credential}\n${generation}`)}`;
}

/** The form of every uid of Keydesk's, as a regular expression of the rules language (RE2). */
export const FIREBASE_UID_PATTERN = 'keydesk-[0-9a-f]{40}';

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
