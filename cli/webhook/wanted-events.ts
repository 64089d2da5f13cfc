// Which events the notification service has to send: the ends of jobs always, and what rules with conditions need of builds.

import type { Policy } from '../../shared/core/policy/policy.ts';
import { BUILD_EVENTS, JOB_END_EVENTS } from '../../shared/core/webhook/event.ts';

export interface WantedEvents {
  /** Without them the ends of jobs do not arrive. */
  readonly ends: readonly string[];
  /** Without them approvals are found by looks at Buildkite alone. */
  readonly approvals: readonly string[];
  /** Without them a look at Buildkite finds who started a build. */
  readonly creators: readonly string[];
  /** May be sent or not: without a policy nobody knows whether a rule needs them. */
  readonly unknown: readonly string[];
}

/** @param policy undefined where the command has none */
export function wantedEvents(policy: Pick<Policy, 'rules'> | undefined): WantedEvents {
  const ends = JOB_END_EVENTS;
  if (!policy) return { ends, approvals: [], creators: [], unknown: BUILD_EVENTS };
  const has = (condition: 'approval' | 'created_by') =>
    policy.rules.some(({ conditions }) => conditions[condition] !== undefined);
  return {
    ends,
    approvals: has('approval') ? ['job.activated'] : [],
    creators: has('created_by') ? ['build.scheduled'] : [],
    unknown: [],
  };
}

/** What the service should send, when it sends `events` now. */
export function toSend({ ends, approvals, creators, unknown }: WantedEvents, events: readonly string[]): string[] {
  return [...ends, ...approvals, ...creators, ...events.filter((event) => unknown.includes(event))];
}
