// What differs between two policies besides their credentials: what they demand of every job, limits, and guards.

import { REVOCATIONS } from '../kinds/kind.ts';
import { MAX_TTL } from '../policy/credential.ts';
import { formatDuration } from '../policy/duration.ts';
import type { IdentityProvider } from '../policy/identity-providers.ts';
import type { Policy } from '../policy/policy.ts';
import { type Change, compareDuration, compareLimit, compareText, directionOf } from './change.ts';
import { toIdentity } from './stable-names.ts';

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
    ...compareDuration('limits.teamsMaxAge', before.limits.teamsMaxAge, after.limits.teamsMaxAge),
    ...compareText('contact', before.contact, after.contact, 'neither'),
    ...guardChanges(before, after),
    ...providerChanges(before, after),
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

/**
 * Identity providers that both policies have, by what tells their tokens apart, or else by their names. What rules demand of their tokens
 * is a change of the credentials.
 */
function providerChanges({ identityProviders: before }: Policy, { identityProviders: after }: Policy): Change[] {
  return Object.entries(before).flatMap(([name, old]) => {
    const same = Object.values(after).find((one) => toIdentity(one) === toIdentity(old));
    const new_ = same ?? (Object.hasOwn(after, name) ? after[name] : undefined);
    return new_ ? changesOfProvider(`identityProviders.${name}`, old, new_) : [];
  });
}

const OTHER_KEYS = 'The keys at this address sign the tokens of the provider.';

function changesOfProvider(where: string, before: IdentityProvider, after: IdentityProvider): Change[] {
  return [
    ...compareText(`${where}.issuer`, before.issuer, after.issuer, 'both'),
    ...compareText(`${where}.keys`, before.keys, after.keys, 'cannot tell', OTHER_KEYS),
    ...compareText(`${where}.audience`, before.audience, after.audience, 'both'),
    ...compareLists(`${where}.algorithms`, before.algorithms, after.algorithms, 'allows'),
    ...compareDuration(`${where}.maxTokenLifetime`, before.maxTokenLifetime, after.maxTokenLifetime),
    ...compareLists(`${where}.claims`, pathsOf(before), pathsOf(after), 'demands'),
    ...nameChanges(where, before, after),
    ...setterChanges(where, before, after),
  ];
}

/** Where in a token each claim is that every token must have. A member may have a dot in its name. */
function pathsOf({ claims }: IdentityProvider): string[] {
  return Object.entries(claims).map(([name, { at = [name] }]) =>
    at.map((member) => member.replace(/[\\.]/g, '\\$&')).join('.'),
  );
}

/** Of claims that are the same in a token. */
function nameChanges(where: string, before: IdentityProvider, after: IdentityProvider): Change[] {
  const [old, new_] = [before, after].map(({ claims }) => Object.keys(claims).sort().join(', '));
  const isSame = JSON.stringify(pathsOf(before).sort()) === JSON.stringify(pathsOf(after).sort());
  return isSame ? compareText(`${where}.claims, their names`, old, new_, 'neither') : [];
}

/** Who sets a claim changes warnings alone. */
function setterChanges(where: string, { claims: before }: IdentityProvider, { claims: after }: IdentityProvider) {
  return Object.entries(before).flatMap(([name, { setBy }]) => {
    const new_ = Object.hasOwn(after, name) ? after[name] : undefined;
    return new_ ? compareText(`${where}.claims.${name}.setBy`, setBy, new_.setBy, 'neither') : [];
  });
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
