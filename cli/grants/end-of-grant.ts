// Who or what ended a grant, and what gives its job access again.

import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';
import type { EndOfGrant } from '../../shared/core/security-rules/explain-access.ts';

/** Undefined for a grant that has not ended. */
export function endOf({ ended_at, ended_by, kill_switch_id, kill_switch }: GrantDetails): EndOfGrant | undefined {
  if (ended_at === null) return undefined;
  const ended = `The grant ended at ${ended_at}`;
  switch (ended_by) {
    case 'kill_switch':
      return {
        text: kill_switch
          ? `${ended}: ${kill_switch.actor} activated the kill switch (${kill_switch.reason}).`
          : `${ended}: an operator activated the kill switch (${kill_switch_id ?? 'the act is not on record'}).`,
        fix: 'Its job does not get this credential again. Ask who ended it, and then retry the job. A block may refuse it: keydesk blocks list.',
      };
    case 'released':
      return {
        text: `${ended}: a holder of its token released it.`,
        fix: 'Its job does not get this credential again. Retry the job, and release the grant after its last use.',
      };
    case 'job.finished':
    case 'job.reconciled':
      return { text: `${ended}: Buildkite says that the job has finished.`, fix: 'Retry the job.' };
    case 'expiry':
    case null:
      return { text: `${ended}: its time was up.`, fix: 'Request the credential again, inside the step that uses it.' };
  }
}
