// The checks of the notification service at Buildkite that calls the function `webhook`: the one place from which the doctor plans them.

import type { CheckKind } from '../checks/check.ts';
import type { Planned } from '../checks/run.ts';
import type { DoctorTarget } from './target.ts';

/** What the documentation and the exceptions know of a kind of check. */
export type DescribedKind = Pick<CheckKind<never>, 'name' | 'looksAt' | 'findings'>;

/** Every kind of check about that service. */
export const WEBHOOK_KINDS: readonly DescribedKind[] = [];

export function planWebhookChecks(_target: DoctorTarget): readonly Planned[] {
  return [];
}
