// The lines about grants whose end was on record only after the response of the request that began it.

import type { AuditLogger } from '../../shared/audit/logger.ts';
import { endEvents } from '../../shared/audit/result-events.ts';
import { byOutcome } from '../../shared/operations/end-job.ts';
import type { RevokeDeps } from '../../shared/operations/revoke-grant.ts';

export function logLateEnds(audit: AuditLogger): Required<Pick<RevokeDeps, 'onLateEnd'>> {
  return {
    onLateEnd: (grant) => {
      for (const event of endEvents(byOutcome([grant]))) audit(event);
    },
  };
}
