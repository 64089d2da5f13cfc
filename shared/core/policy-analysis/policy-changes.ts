// What differs between two policies besides their credentials: what they demand of every job, limits, and guards.

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

/** Guards of environments that both policies have. Credentials of others are new or gone. */
function guardChanges(before: Policy, after: Policy): Change[] {
  return Object.keys(before.environments).flatMap((name) => {
    const [old, new_] = [before.environments[name], after.environments[name]];
    return old && new_ ? changesOfGuards(`environments.${name}`, old, new_) : [];
  });
}

function changesOfGuards(where: string, before: Guards, after: Guards): Change[] {
  return [
    ...compareDuration(`${where}.maxTtl`, before.maxTtl, after.maxTtl),
    ...compareLists(`${where}.revocation`, before.revocation, after.revocation, 'allows'),
    ...compareLists(`${where}.require`, before.require ?? [], after.require ?? [], 'demands'),
  ];
}

/** @param entries what each entry of the list does. A list that is absent allows everything. */
function compareLists(
  what: string,
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
  entries: 'allows' | 'demands',
): Change[] {
  const more =
    after === undefined ? before !== undefined : before !== undefined && after.some((one) => !before.includes(one));
  const fewer =
    before === undefined ? after !== undefined : after !== undefined && before.some((one) => !after.includes(one));
  const direction = entries === 'allows' ? directionOf(more, fewer) : directionOf(fewer, more);
  const show = (list: readonly string[] | undefined) =>
    list === undefined ? 'all' : list.length === 0 ? 'none' : list.join(', ');
  return direction ? [{ what, direction, before: show(before), after: show(after) }] : [];
}
