// What differs between two policy files and changes nobody's access: names, accepted warnings, environments without credentials.

import type { Accept } from '../policy/accept.ts';
import { teamsOf } from '../policy/conditions.ts';
import { resolvePipelines } from '../policy/pipelines.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import type { Change } from './change.ts';
import { conditionDemands } from './condition-claims.ts';
import type { Demands } from './jobs.ts';

type Entries<Value> = Readonly<Record<string, Value>>;

/** Of what a file declares or does not. */
export const DECLARED = 'declared';
export const NOT_DECLARED = 'none';

/**
 * All of them `neither`: whatever else they change is a change of a credential.
 * @param unchanged credentials that the same jobs get as before
 */
export function writtenChanges(before: WrittenPolicy, after: WrittenPolicy, unchanged: ReadonlySet<string>): Change[] {
  const shown = new Set([before, after].flatMap(({ rules }) => rules.flatMap((rule) => shownTeams(rule, unchanged))));
  return [
    ...environmentChanges(before, after),
    ...renamed('pipeline', before.pipelines, after.pipelines),
    ...moved('pipelines', before.pipelines, after.pipelines),
    ...renamed('team', before.teams, after.teams),
    ...moved('teams', before.teams, after.teams).filter(({ what }) => !shown.has(what)),
    ...renamed('identity provider', before.identityProviders, after.identityProviders),
    ...declared('identity provider', before.identityProviders, after.identityProviders),
    ...renamed('database', before.databases, after.databases),
    ...renamed('rule', ruleBodies(before), ruleBodies(after)),
    ...rulesWithoutEffect(before, after, unchanged),
    ...orderChange(before, after),
    ...acceptChanges(before, after),
  ];
}

/** Teams of a rule that grants what other jobs get than before: the change of the credential shows them. */
function shownTeams({ conditions, grants }: Rule, unchanged: ReadonlySet<string>): string[] {
  return grants.every((name) => unchanged.has(name)) ? [] : teamsOf(conditions).map((name) => `teams.${name}`);
}

function environmentChanges(before: WrittenPolicy, after: WrittenPolicy): Change[] {
  const [old, new_] = [Object.keys(before.environments), Object.keys(after.environments)];
  return [
    ...new_.filter((name) => !old.includes(name)).map((name) => neither(`environment ${name}`, NOT_DECLARED, DECLARED)),
    ...old.filter((name) => !new_.includes(name)).map((name) => neither(`environment ${name}`, DECLARED, NOT_DECLARED)),
  ];
}

/** Entries that another name has by now. */
function renamed<Value>(noun: string, before: Entries<Value>, after: Entries<Value>): Change[] {
  const text = (value: Value) => JSON.stringify(value);
  const added = Object.entries(after).filter(([name]) => !Object.hasOwn(before, name));
  return Object.entries(before).flatMap(([name, value]) => {
    if (Object.hasOwn(after, name)) return [];
    const match = added.find(([, other]) => text(other) === text(value));
    return match ? [neither(`${noun} renamed`, name, match[0])] : [];
  });
}

/** Rules that are new, gone or changed, all of whose credentials the same jobs get: another rule covers them. */
function rulesWithoutEffect(before: WrittenPolicy, after: WrittenPolicy, unchanged: ReadonlySet<string>): Change[] {
  const [old, new_] = [ruleBodies(before), ruleBodies(after)];
  const text = (value: unknown) => JSON.stringify(value);
  const has = (bodies: Entries<unknown>, body: unknown) =>
    Object.values(bodies).some((one) => text(one) === text(body));
  const isWithoutEffect = ({ grants }: { readonly grants: readonly string[] }) =>
    grants.every((name) => unchanged.has(name));
  return [
    ...Object.entries(new_).flatMap(([name, body]) => {
      if (!isWithoutEffect(body)) return [];
      const was = Object.hasOwn(old, name) ? old[name] : undefined;
      if (!was) return has(old, body) ? [] : [neither(`rule ${name}`, NOT_DECLARED, DECLARED)];
      return text(was) === text(body) || !isWithoutEffect(was) ? [] : [neither(`rule ${name}`, text(was), text(body))];
    }),
    ...Object.entries(old).flatMap(([name, body]) =>
      Object.hasOwn(new_, name) || has(new_, body) || !isWithoutEffect(body)
        ? []
        : [neither(`rule ${name}`, DECLARED, NOT_DECLARED)],
    ),
  ];
}

/** Entries that are new or gone, and not only renamed. */
function declared<Value>(noun: string, before: Entries<Value>, after: Entries<Value>): Change[] {
  const added = (some: Entries<Value>, others: Entries<Value>) => {
    const known = new Set(Object.values(others).map((value) => JSON.stringify(value)));
    return Object.entries(some).flatMap(([name, value]) =>
      Object.hasOwn(others, name) || known.has(JSON.stringify(value)) ? [] : [name],
    );
  };
  return [
    ...added(after, before).map((name) => neither(`${noun} ${name}`, NOT_DECLARED, DECLARED)),
    ...added(before, after).map((name) => neither(`${noun} ${name}`, DECLARED, NOT_DECLARED)),
  ];
}

/** Names of pipelines or teams that stand for another one by now. */
function moved(section: string, before: Entries<string>, after: Entries<string>): Change[] {
  return Object.entries(before).flatMap(([name, id]) => {
    const other = Object.hasOwn(after, name) ? after[name] : undefined;
    return other === undefined || other === id ? [] : [neither(`${section}.${name}`, id, other)];
  });
}

interface RuleBody extends Pick<Rule, 'match' | 'grants'> {
  /** Left out for a rule without conditions. */
  readonly conditions?: Demands;
}

/** Without names of pipelines, teams and providers, which may have changed too. */
function ruleBodies(policy: WrittenPolicy): Entries<RuleBody> {
  return Object.fromEntries(
    policy.rules.map((rule) => {
      const conditions = conditionDemands(rule.conditions, policy);
      const { match } = resolvePipelines(rule, policy.pipelines);
      return [`"${rule.name}"`, { match, ...(conditions.length > 0 && { conditions }), grants: rule.grants }];
    }),
  );
}

/** The first rule that matches is the one that a grant records. */
function orderChange(before: WrittenPolicy, after: WrittenPolicy): Change[] {
  const namesIn = (one: WrittenPolicy, other: WrittenPolicy) =>
    one.rules.map(({ name }) => name).filter((name) => other.rules.some((rule) => rule.name === name));
  const [old, new_] = [namesIn(before, after), namesIn(after, before)];
  const show = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
  return show(old) === show(new_) ? [] : [neither('rules, their order', show(old), show(new_))];
}

function acceptChanges(before: WrittenPolicy, after: WrittenPolicy): Change[] {
  const [old, new_] = [acceptedIn(before), acceptedIn(after)];
  return [...new Set([...old.keys(), ...new_.keys()])].flatMap((where) => {
    const [was, is] = [show(old.get(where)), show(new_.get(where))];
    return was === is ? [] : [neither(where, was, is)];
  });
}

/** By the place of each `accept`. */
function acceptedIn({ accept, credentials, rules }: WrittenPolicy): Map<string, Accept | undefined> {
  return new Map([
    ['accept', accept],
    ...Object.entries(credentials).map(([name, one]) => [`credentials.${name}.accept`, one.accept] as const),
    ...rules.map((rule) => [`rules "${rule.name}" accept`, rule.accept] as const),
  ]);
}

function show(accept: Accept = {}): string {
  return (
    Object.entries(accept)
      .map((entry) => entry.join(': '))
      .sort()
      .join('; ') || 'none'
  );
}

function neither(what: string, before: string, after: string): Change {
  return { what, direction: 'neither', before, after };
}
