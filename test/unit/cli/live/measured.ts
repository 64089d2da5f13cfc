// Documents of runs that never took place.

import type { LiveDocument, Measured, Method, Trial } from '../../../../cli/live/document.ts';
import { summarize } from '../../../../cli/live/summary.ts';

export const METHOD: Method = { requests_per_second: 5, rejections_in_a_row: 20, bound_s: 300, ended_by: 'release' };

export function measured(more: Partial<Measured> = {}): Measured {
  return {
    api: 'firestore',
    outcome: 'ended',
    accepted: 3,
    rejected: 20,
    errors: 0,
    flips: 0,
    last_accepted_s: 0.2,
    last_accepted_from_sending_s: 0.6,
    next_rejected_s: 0.4,
    watched_s: 4.4,
    ...more,
  };
}

export function trialOf(more: Partial<Trial> = {}): Trial {
  return {
    run: 0,
    credential: 'credential-1',
    revocation: 'immediate',
    released: true,
    not_measured: null,
    targets: [measured()],
    ...more,
  };
}

export function runOf(trials: readonly Trial[], nth = 0, method: Method = METHOD): LiveDocument {
  const at = (minute: number) => `2026-11-30T01:${String(minute).padStart(2, '0')}:00.000Z`;
  const run = { started_at: at(nth), ended_at: at(nth + 1), place: 'europe-west1', keydesk_version: '0.1.0' };
  return summarize({ method, runs: [run], trials });
}
