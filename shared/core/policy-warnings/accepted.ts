// Which warnings the file accepts. `accept` of a rule or a credential is for the warnings about it; that at the top is for all others.

import { meantOrKnown } from '../closest-name.ts';
import type { Accept } from '../policy/accept.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import { type PolicyWarning, WARNING_CODES } from './codes.ts';

export interface AcceptedWarning extends PolicyWarning {
  /** Why, in the words of the file. */
  readonly reason: string;
}

export interface CheckedPolicy {
  /** Those that the file does not accept. */
  readonly warnings: readonly PolicyWarning[];
  readonly accepted: readonly AcceptedWarning[];
  /** What is certainly wrong: patterns that match nothing, scopes that are none, and `accept` of what is not there. */
  readonly problems: readonly PolicyProblem[];
}

/** A part of the file that may have `accept`: its path, and what a message calls it. */
interface Place {
  readonly path: PolicyWarning['path'];
  readonly name: string;
  readonly accept: Accept;
}

export function sortAccepted(policy: WrittenPolicy, all: readonly PolicyWarning[]): CheckedPolicy {
  const places = placesOf(policy);
  const warnings: PolicyWarning[] = [];
  const accepted: AcceptedWarning[] = [];
  const given = new Map<string, Set<Place>>();
  for (const warning of all) {
    const place = places.get(keyOf(warning.path)) ?? (places.get('') as Place);
    given.set(warning.code, (given.get(warning.code) ?? new Set()).add(place));
    const reason = Object.hasOwn(place.accept, warning.code) ? place.accept[warning.code] : undefined;
    if (reason === undefined) warnings.push(warning);
    else accepted.push({ ...warning, reason: reason.trim().replaceAll(/\s+/g, ' ') });
  }
  const problems = [...places.values()].flatMap((place) =>
    Object.entries(place.accept).flatMap(([code, reason]): PolicyProblem[] => {
      const message = problemWith(code, place, [...(given.get(code) ?? [])]) ?? problemWithReason(reason);
      return message === undefined ? [] : [{ path: [...place.path, 'accept', code], message }];
    }),
  );
  return { warnings, accepted, problems };
}

function placesOf({ rules, credentials, accept = {} }: WrittenPolicy): ReadonlyMap<string, Place> {
  const places: Place[] = [
    { path: [], name: 'the top of the file', accept },
    ...Object.entries(credentials).map(([name, credential]) => ({
      path: ['credentials', name],
      name: `credential ${name}`,
      accept: credential.accept ?? {},
    })),
    ...rules.map((rule, index) => ({
      path: ['rules', index],
      name: `rule "${rule.name}"`,
      accept: rule.accept ?? {},
    })),
  ];
  return new Map(places.map((place) => [keyOf(place.path), place]));
}

/** The same for a place and for everything in it. */
function keyOf(path: PolicyWarning['path']): string {
  return path[0] === 'rules' || path[0] === 'credentials' ? path.slice(0, 2).join('/') : '';
}

function problemWith(code: string, place: Place, given: readonly Place[]): string | undefined {
  if (given.includes(place)) return undefined;
  if (!(WARNING_CODES as readonly string[]).includes(code)) {
    return `"${code}" is not the code of a warning. ${meantOrKnown(code, WARNING_CODES)}`;
  }
  const [other] = given;
  return other
    ? `Nothing to accept: ${other.name} has the warning ${code}, and ${place.name} does not. Move it there.`
    : `Nothing to accept: ${place.name} does not have the warning ${code}. Remove it.`;
}

function problemWithReason(reason: string): string | undefined {
  return /\S\s+\S+\s+\S/.test(reason) ? undefined : 'must have a reason of three words or more';
}
