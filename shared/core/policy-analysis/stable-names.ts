// Two policies may give one name to different pipelines.

import type { Policy } from '../policy/policy.ts';

/** The policy with only those names of pipelines that do not mean another pipeline in `other`. */
export function withStableNames(policy: Policy, other: Policy): Policy {
  const pipelines = Object.entries(policy.pipelines).filter(
    ([name, id]) => !Object.hasOwn(other.pipelines, name) || other.pipelines[name] === id,
  );
  return { ...policy, pipelines: Object.fromEntries(pipelines) };
}
