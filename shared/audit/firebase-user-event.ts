// The audit event about a Firebase user that somebody changed.

import type { ChangedFirebaseUser } from '../google/mint-id-token.ts';
import { type AuditEvent, auditEvent } from './events.ts';

/** Names the job whose request found it, which is not the job that did it. Holds no value that the user was given. */
export function firebaseUserChangedEvent(changed: ChangedFirebaseUser): AuditEvent {
  const { subject, credentialName, credential, grant_id, uid, generation, next_uid, found } = changed;
  return auditEvent('firebase_user.changed', {
    uid,
    generation,
    next_uid,
    found,
    project: credential.project,
    database: credential.database,
    tenant: credential.tenant ?? null,
    credential: credentialName,
    environment: credential.environment,
    pipeline_slug: subject.pipeline_slug,
    pipeline_id: subject.pipeline_id,
    found_by_job: subject.id,
    found_by_grant: grant_id,
  });
}
