// A line of JSON for each measurement, as Cloud Logging takes it. deploy/monitoring/metrics.json has the metric that reads it. It has
// no names, whatever the document has.
// Source: docs.cloud.google.com/logging/docs/structured-logging#special-payload-fields.

import { FORMAT, type LiveDocument } from './document.ts';

const LOG_EVENT = 'observed_revocation_latency';

export function logLinesOf({ trials, runs, method }: LiveDocument): string[] {
  return trials.flatMap(({ targets, run, revocation }) =>
    targets.map((measured) => {
      const { api, outcome, last_accepted_s, last_accepted_from_sending_s, accepted, rejected, errors, flips } =
        measured;
      const { place = null, started_at } = runs[run] ?? {};
      return JSON.stringify({
        severity: outcome === 'ended' ? 'NOTICE' : 'ERROR',
        message: `${api}: the last accepted request was sent ${last_accepted_s} s after the response to the release (${outcome})`,
        event: LOG_EVENT,
        format: FORMAT,
        api,
        revocation,
        outcome,
        observed_revocation_latency_s: last_accepted_s,
        from_sending_s: last_accepted_from_sending_s,
        accepted,
        rejected,
        errors,
        flips,
        rejections_in_a_row: method.rejections_in_a_row,
        place,
        started_at,
      });
    }),
  );
}
