// The audit line about a Firebase user that somebody changed.

import type { ChangedFirebaseUser } from '../google/mint-id-token.ts';
import type { AuditEvent } from './logger.ts';

/** Names the job whose request found it, which is not the job that did it. Holds no value that the user was given. */
export function firebaseUserChangedEvent(changed: ChangedFirebaseUser): AuditEvent {
  const { subject, credentialName, credential, grant_id, uid, generation, next_uid, found } = changed;
  const { project, database, tenant = null } = credential;
  return {
    event: 'firebase_user.changed',
    severity: 'CRITICAL',
    message: `somebody changed the Firebase user ${uid} of pipeline ${subject.pipeline_slug} and credential ${credentialName}: ${found.join(', ')}`,
    uid,
    generation,
    next_uid,
    found,
    project,
    database,
    tenant,
    credential: credentialName,
    environment: credential.environment,
    pipeline_slug: subject.pipeline_slug,
    pipeline_id: subject.pipeline_id,
    found_by_job: subject.id,
    found_by_grant: grant_id,
    labels: { credential: credentialName, environment: credential.environment, pipeline: subject.pipeline_slug },
  };
}
