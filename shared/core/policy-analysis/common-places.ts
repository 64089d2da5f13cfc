// The places that credentials open: databases, buckets, and projects whose IAM roles decide. For credentials of different environments
// that open the same one.

import { accountsOf } from '../kinds/kinds.ts';
import { projectOfAccount } from '../policy/account-email.ts';
import type { WrittenPolicy } from '../policy/policy.ts';

export interface Place {
  readonly kind: 'database' | 'bucket' | 'project';
  /** As in the policy: a name from `databases`, the name of a bucket, or a project ID. */
  readonly name: string;
  /** The same for the same place. */
  readonly id: string;
}

/** A place, and a credential of the environment in question that opens it. */
export interface CommonPlace extends Place {
  readonly credential: string;
}

type Names = Pick<WrittenPolicy, 'credentials' | 'databases'>;

/**
 * What a credential opens. The token of a service account may open all of the account's project, unless it is narrowed to a bucket. The
 * token of a `firestore` credential opens one database.
 */
export function placesOf(name: string, { credentials, databases }: Names): Place[] {
  const credential = credentials[name];
  if (!credential) return [];
  if (credential.kind === 'firestore') {
    const { project, database } = databases[credential.database] ?? {};
    return [{ kind: 'database', name: credential.database, id: `database ${project} ${database}` }];
  }
  if (credential.storage) {
    const { bucket } = credential.storage;
    return [{ kind: 'bucket', name: bucket, id: `bucket ${bucket}` }];
  }
  const projects = accountsOf(credential).flatMap(({ email }) => projectOfAccount(email) ?? []);
  return [...new Set(projects)].map(toProject);
}

/** Also the project of its database, which accounts of the project may open. */
export function homesOf(name: string, names: Names): Place[] {
  const credential = names.credentials[name];
  const project = credential?.kind === 'firestore' ? names.databases[credential.database]?.project : undefined;
  return [...placesOf(name, names), ...(project === undefined ? [] : [toProject(project)])];
}

function toProject(project: string): Place {
  return { kind: 'project', name: project, id: `project ${project}` };
}

/** What a credential opens, and a credential of `environment` too. */
export function commonPlaces(name: string, environment: string, names: Names): CommonPlace[] {
  const own = names.credentials[name]?.environment ?? '';
  const others = Object.keys(names.credentials)
    .filter((other) => other !== name && names.credentials[other]?.environment === environment)
    .map((credential) => ({ credential, homes: new Set(homesOf(credential, names).map(({ id }) => id)) }));
  return placesOf(name, names).flatMap((place) => {
    if (sharingPools(place, names).includes(own)) return [];
    const other = others.find(({ homes }) => homes.has(place.id));
    return other ? [{ ...place, credential: other.credential }] : [];
  });
}

/**
 * Of a project that has nothing but pooled accounts: the environments all of whose pooled accounts are there. They may share it, because
 * each account has its own roles.
 */
export function sharingPools(place: Place, names: Names): string[] {
  if (place.kind !== 'project') return [];
  const others = Object.values(names.databases).map(({ project }) => project);
  const pools = new Map<string, Set<string>>();
  for (const credential of Object.values(names.credentials)) {
    if (credential.kind === 'firestore') continue;
    const projects = accountsOf(credential).map(({ email }) => projectOfAccount(email) ?? '');
    if (credential.kind === 'service_account') others.push(...projects);
    else pools.set(credential.environment, new Set([...(pools.get(credential.environment) ?? []), ...projects]));
  }
  if (others.includes(place.name)) return [];
  return [...pools].flatMap(([environment, projects]) =>
    projects.size === 1 && projects.has(place.name) ? [environment] : [],
  );
}
