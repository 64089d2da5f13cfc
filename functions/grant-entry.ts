// The audit lines of a grant's life, the same wherever it ended.

import type { AuditEntry } from '../shared/audit.ts';
import type { Grant } from '../shared/core/grant.ts';
import { grantId } from '../shared/core/grant-id.ts';

const WHAT_HAPPENED = {
  'grant.issued': 'issued',
  'grant.revoked': 'revoked: access was taken away',
  'grant.renewal_ended': 'not renewed any more: its tokens die at expires_at',
  'grant.expired': 'expired: its time was up',
} as const;

/** One line about one grant, with everything an auditor asks of it. Times are ISO 8601. */
export function grantEntry(
  event: keyof typeof WHAT_HAPPENED,
  grant: Grant,
  facts: Readonly<Record<string, unknown>> = {},
): AuditEntry {
  const { tokens: _, delete_at: __, ...told } = grant;
  return {
    event,
    severity: 'INFO',
    message: `${grant.credential} of job ${grant.job_id}: ${WHAT_HAPPENED[event]}`,
    grant_id: grantId(grant.job_id, grant.credential),
    ...toIsoTimes(told),
    ...toIsoTimes(facts),
    labels: { credential: grant.credential, environment: grant.environment },
  };
}

function toIsoTimes(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      name.endsWith('_at') && typeof value === 'number' ? new Date(value).toISOString() : value,
    ]),
  );
}
