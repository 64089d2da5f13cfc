// The audit events of what Buildkite said of a build.

import type { BuildNews, Unblock } from '../core/conditions/build-record.ts';
import { type AuditEvent, auditEvent } from './events.ts';
import { toIsoTimes } from './iso-times.ts';

/** One for each step that was unblocked. */
export function unblockEvents(
  { pipeline_id, build_number, build_id, creator }: BuildNews,
  unblocks: readonly Unblock[],
  found_by: 'webhook' | 'look',
): AuditEvent[] {
  return unblocks.map(({ step_key, job_id, unblocked_by, unblocked_at }) =>
    auditEvent('build.unblocked', {
      ...{ pipeline_id, build_number, build_id, step_key },
      ...{ block_job_id: job_id, unblocked_by, ...toIsoTimes({ unblocked_at }), creator, found_by },
    }),
  );
}
