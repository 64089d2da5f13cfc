// A change of a policy as data for programs.

import type { Policy } from '../policy/policy.ts';
import type { Change, Example } from './change.ts';
import { isConditionClaim } from './condition-claims.ts';
import { exampleConditions } from './example-conditions.ts';
import { claimLine } from './example-lines.ts';
import type { ExampleJob } from './jobs.ts';
import type { PolicyVersion, Review } from './review.ts';
import { withStableNames } from './stable-names.ts';

/** Verdicts and directions have an underscore where people read a space: `cannot_tell`. */
export function toDiffData({ before, after, diff, others, lostTests }: Review): object {
  const old = withStableNames(before.policy, after.policy);
  const new_ = withStableNames(after.policy, before.policy);
  const toData = (change: Change) => changeData(change, old, new_);
  return {
    widens: diff.widens,
    before: versionData(before),
    after: versionData(after),
    changes: diff.changes.map(toData),
    credentials: diff.credentials.map(({ credential, verdict, changes, example }) => ({
      credential,
      verdict: toCode(verdict),
      changes: changes.map(toData),
      ...(example && { example: jobData(example, verdict === 'gone' ? old : new_) }),
    })),
    other_changes: others.map(toData),
    lost_tests: lostTests,
  };
}

function versionData({ name, sha256 }: PolicyVersion): object {
  return { name, sha256: sha256 ?? null };
}

function changeData({ what, direction, before, after, note, gained, lost }: Change, old: Policy, new_: Policy): object {
  return {
    what,
    direction: toCode(direction),
    before,
    after,
    ...(note !== undefined && { note }),
    ...(gained && { gained: exampleData(gained, new_) }),
    ...(lost && { lost: exampleData(lost, old) }),
  };
}

function exampleData(example: Example, policy: Policy): object {
  return 'job' in example ? jobData(example.job, policy) : example.touch;
}

/** A claim that is null is not in the token. */
function jobData(job: ExampleJob, policy: Policy): object {
  const conditions = exampleConditions(job, policy);
  return {
    claims: Object.fromEntries([...job].filter(([claim]) => !isConditionClaim(claim))),
    ...(conditions.length > 0 && { conditions }),
    claim_line: claimLine(policy, job),
  };
}

function toCode(text: string): string {
  return text.replaceAll(' ', '_');
}
