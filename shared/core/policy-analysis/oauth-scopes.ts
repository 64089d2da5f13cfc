// Which OAuth scope of Google includes another. One includes another if every method that accepts the other accepts it too.
// Source: the discovery documents of Google's APIs (google-api-python-client 2.202.0, October 2026), which list the scopes that a method
// accepts. `bigquery.readonly` and `bigtable.data` are of APIs without such a list: developers.google.com/identity/protocols/oauth2/scopes,
// and the default scopes of google/bigtable/v2/bigtable.proto.

const PREFIX = 'https://www.googleapis.com/auth/';

/** Scopes of Google Cloud that cloud-platform includes. */
const CLOUD = (
  'aiplatform apikeys apikeys.readonly appengine.admin bigquery bigquery.insertdata bigquery.readonly bigtable.admin ' +
  'bigtable.admin.cluster bigtable.admin.instance bigtable.admin.table bigtable.data cloud-billing cloud-billing.readonly ' +
  'cloud-platform.read-only cloudasset cloudcomposer cloudcomposer.readonly cloudkms compute compute.readonly container ' +
  'container.read-only dataplex.read-write dataplex.readonly dataproc dataproc.read-only datastore devstorage.full_control ' +
  'devstorage.read_only devstorage.read_write firebase.messaging firebase.readonly logging.admin logging.read logging.write ' +
  'monitoring monitoring.read monitoring.write ndev.clouddns.readonly ndev.clouddns.readwrite organizationpolicy ' +
  'organizationpolicy.readonly pubsub redis.read-only redis.read-write run run.readonly securitycenter service.management ' +
  'service.management.readonly servicecontrol spanner.admin spanner.data sqlservice.admin trace.append trace.readonly'
).split(' ');

/**
 * What else includes others: a scope and those that it includes. `devstorage.read_write` does not include `devstorage.read_only`: the
 * methods projects.hmacKeys.get and list accept the second, and not the first.
 */
const INCLUDED: Readonly<Record<string, readonly string[]>> = {
  apikeys: ['apikeys.readonly'],
  bigquery: ['bigquery.insertdata', 'bigquery.readonly'],
  'bigtable.admin': ['bigtable.admin.cluster', 'bigtable.admin.instance', 'bigtable.admin.table'],
  'cloud-billing': ['cloud-billing.readonly'],
  cloudcomposer: ['cloudcomposer.readonly'],
  compute: ['compute.readonly'],
  container: ['container.read-only'],
  'dataplex.read-write': ['dataplex.readonly'],
  dataproc: ['dataproc.read-only'],
  'devstorage.full_control': ['devstorage.read_only', 'devstorage.read_write'],
  'logging.admin': ['logging.read', 'logging.write'],
  monitoring: ['monitoring.read', 'monitoring.write'],
  'ndev.clouddns.readwrite': ['ndev.clouddns.readonly'],
  organizationpolicy: ['organizationpolicy.readonly'],
  'redis.read-write': ['redis.read-only'],
  run: ['run.readonly'],
  'service.management': ['service.management.readonly'],
};

/** Whether a token with `scope` can do at least what one with `other` can; false where that is not documented. */
export function coversScope(scope: string, other: string): boolean {
  if (scope === other) return true;
  if (!scope.startsWith(PREFIX) || !other.startsWith(PREFIX)) return false;
  const [name, included] = [scope.slice(PREFIX.length), other.slice(PREFIX.length)];
  if (name === 'cloud-platform') return CLOUD.includes(included);
  return Object.hasOwn(INCLUDED, name) && (INCLUDED[name]?.includes(included) ?? false);
}

/** Whether a token with one of these can do with Cloud Storage whatever its service account may. */
export function coversStorage(scopes: readonly string[]): boolean {
  return scopes.some((scope) => coversScope(scope, `${PREFIX}devstorage.full_control`));
}

/** The scopes that methods of the two APIs accept. Source: the same discovery documents. */
const OPENING = {
  documents: ['cloud-platform', 'datastore'],
  objects: [
    ...['cloud-platform', 'cloud-platform.read-only'],
    ...['devstorage.full_control', 'devstorage.read_only', 'devstorage.read_write'],
  ],
} as const;
const OF_PEOPLE = ['openid', 'email', 'profile', 'userinfo.email', 'userinfo.profile'];

/** Whether a token with one of these may open documents of Firestore, or objects of Cloud Storage. A scope that is not known may. */
export function mayOpen(what: keyof typeof OPENING, scopes: readonly string[]): boolean {
  const opening: readonly string[] = OPENING[what];
  return scopes.some((scope) => {
    const name = scope.startsWith(PREFIX) ? scope.slice(PREFIX.length) : scope;
    return opening.includes(name) || !(CLOUD.includes(name) || OF_PEOPLE.includes(name));
  });
}
