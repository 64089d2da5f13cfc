// What differs between two policies besides their credentials: what they demand of every job, limits, and guards.

import { REVOCATIONS } from '../kinds/kind.ts';
import { MAX_TTL } from '../policy/credential.ts';
import { formatDuration } from '../policy/duration.ts';
import type { Policy } from '../policy/policy.ts';
import { type Change, compareDuration, compareLimit, compareText, directionOf } from './change.ts';

type Guards = Policy['environments'][string];

export function policyChanges(before: Policy, after: Policy): Change[] {
  return [
    ...compareText('organization.slug', before.organization.slug, after.organization.slug, 'both'),
    ...organizationIdChange(before.organization.id, after.organization.id),
    ...compareText('audience', before.audience, after.audience, 'both'),
    ...compareDuration('maxJobTokenLifetime', before.maxJobTokenLifetime, after.maxJobTokenLifetime),
    ...compareLimit('limits.tokensPerMinute', before.limits.tokensPerMinute, after.limits.tokensPerMinute),
    ...compareLimit(
      'limits.liveGrantsPerPipeline',
      before.limits.liveGrantsPerPipeline,
      after.limits.liveGrantsPerPipeline,
    ),
    ...compareText('contact', before.contact, after.contact, 'neither'),
    ...guardChanges(before, after),
  ];
}

function organizationIdChange(before: string | undefined, after: string | undefined): Change[] {
  const direction = after === undefined ? 'wider' : before === undefined ? 'narrower' : 'both';
  return compareText('organization.id', before, after, direction);
}

/** Guards of environments that both policies have. Credentials of others are new, gone or moved. */
function guardChanges(before: Policy, after: Policy): Change[] {
  const guardsOf = ({ environments }: Policy, name: string) =>
    Object.hasOwn(environments, name) ? environments[name] : undefined;
  return Object.keys(before.environments).flatMap((name) => {
    const [old, new_] = [guardsOf(before, name), guardsOf(after, name)];
    return old && new_ ? changesOfGuards(`environments.${name}`, old, new_) : [];
  });
}

function changesOfGuards(where: string, before: Guards, after: Guards): Change[] {
  return [
    ...maxTtlChange(`${where}.maxTtl`, before.maxTtl, after.maxTtl),
    ...compareLists(`${where}.revocation`, before.revocation ?? REVOCATIONS, after.revocation ?? REVOCATIONS, 'allows'),
    ...compareLists(`${where}.require`, requiredBy(before), requiredBy(after), 'demands'),
  ];
}

/** No guard is the longest ttl that there is. */
function maxTtlChange(what: string, before: number | undefined, after: number | undefined): Change[] {
  const show = (value: number | undefined) => (value === undefined ? 'none' : formatDuration(value));
  const changes = compareDuration(what, before ?? MAX_TTL, after ?? MAX_TTL);
  return changes.map((change) => ({ ...change, before: show(before), after: show(after) }));
}

/** A guard means the same with `pipeline` and with `pipeline_id`. */
function requiredBy({ require = [] }: Guards): string[] {
  return [...new Set(require.map((claim) => (claim === 'pipeline_id' ? 'pipeline' : claim)))];
}

/** @param entries what each entry of the list does */
function compareLists(
  what: string,
  before: readonly string[],
  after: readonly string[],
  entries: 'allows' | 'demands',
): Change[] {
  const more = after.some((one) => !before.includes(one));
  const fewer = before.some((one) => !after.includes(one));
  const direction = entries === 'allows' ? directionOf(more, fewer) : directionOf(fewer, more);
  const show = (list: readonly string[]) => list.join(', ') || 'none';
  return direction ? [{ what, direction, before: show(before), after: show(after) }] : [];
}
