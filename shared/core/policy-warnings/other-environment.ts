// Credentials that open what is of another environment than their own. The guards of that environment do not hold for them.

import type { WrittenPolicy } from '../policy/policy.ts';
import { homesOf, type Place, placesOf, sharingPools } from '../policy-analysis/common-places.ts';
import type { PolicyWarning } from './codes.ts';
import { isCritical } from './environments.ts';

/** A credential of the environment that a place is of; undefined where only the name of the place says so. */
interface Owner {
  readonly environment: string;
  readonly credential: string | undefined;
}

export function otherEnvironmentWarnings(policy: WrittenPolicy): PolicyWarning[] {
  const owners = ownersOf(policy);
  return Object.entries(policy.credentials).flatMap(([name, { environment }]) =>
    placesOf(name, policy).flatMap((place) => {
      const owner = owners.get(place.id);
      if (!owner || owner.environment === environment || sharingPools(place, policy).includes(environment)) return [];
      return [
        {
          code: 'other_environment' as const,
          path: ['credentials', name, 'environment'],
          message: `is ${environment}, and the credential ${wordsFor(place, owner)}. Guards of ${owner.environment} do not hold for it. Correct environment, or what it opens.`,
        },
      ];
    }),
  );
}

function wordsFor({ kind, name }: Place, { environment, credential }: Owner): string {
  if (credential === undefined) return `opens the database ${name}, and ${environment} is another environment`;
  if (kind === 'project')
    return `has an account of the project ${name}, which is where ${credential} of ${environment} is`;
  return `opens the ${kind} ${name}, which ${credential} of ${environment} opens too`;
}

/** The environment that each place is of: the one that it is named after, else the most guarded, else the one with the most credentials. */
function ownersOf(policy: WrittenPolicy): ReadonlyMap<string, Owner> {
  const users = new Map<string, { readonly place: Place; readonly credentials: string[] }>();
  for (const name of Object.keys(policy.credentials))
    for (const place of homesOf(name, policy)) {
      const known = users.get(place.id) ?? { place, credentials: [] };
      known.credentials.push(name);
      users.set(place.id, known);
    }
  return new Map([...users].map(([id, { place, credentials }]) => [id, ownerOf(place, credentials, policy)]));
}

function ownerOf(place: Place, names: readonly string[], policy: WrittenPolicy): Owner {
  const { credentials, environments } = policy;
  const byEnvironment = Map.groupBy(names, (name) => credentials[name]?.environment ?? '');
  if (place.kind === 'database' && Object.hasOwn(environments, place.name))
    return { environment: place.name, credential: byEnvironment.get(place.name)?.[0] };
  const sharing = sharingPools(place, policy);
  const weights = ({ environment }: Owner) => [
    Number(sharing.includes(environment)),
    Number(isCritical(environment, environments[environment] ?? {})),
    byEnvironment.get(environment)?.length ?? 0,
  ];
  const owners = [...byEnvironment].map(([environment, [credential]]) => ({ environment, credential }));
  return owners.reduce((one, other) => (isGreater(weights(other), weights(one)) ? other : one));
}

/** Compares the first numbers that differ. */
function isGreater(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((number, index) => number !== other[index]);
  return at >= 0 && Number(one[at]) > Number(other[at]);
}
