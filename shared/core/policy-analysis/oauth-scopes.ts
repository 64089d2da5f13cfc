// Which OAuth scope of Google includes another, as far as Google documents it.
// Source: developers.google.com/identity/protocols/oauth2/scopes, and each API's reference, which lists the scopes that a method accepts.

const PREFIX = 'https://www.googleapis.com/auth/';

/** APIs of Google Cloud, all of whose methods accept cloud-platform. */
const CLOUD = (
  'appengine.admin bigquery bigquery.insertdata bigquery.readonly bigtable.admin bigtable.data cloud-platform.read-only ' +
  'cloudkms compute compute.readonly datastore devstorage.full_control devstorage.read_only devstorage.read_write logging.admin ' +
  'logging.read logging.write monitoring monitoring.read monitoring.write ndev.clouddns.readonly ndev.clouddns.readwrite ' +
  'pubsub service.management service.management.readonly spanner.admin spanner.data sqlservice.admin trace.append trace.readonly'
).split(' ');

/** Of one API: each includes those after it. */
const CHAINS: readonly (readonly string[])[] = [
  ['bigquery', 'bigquery.readonly'],
  ['bigquery', 'bigquery.insertdata'],
  ['compute', 'compute.readonly'],
  ['devstorage.full_control', 'devstorage.read_write', 'devstorage.read_only'],
  ['logging.admin', 'logging.read'],
  ['logging.admin', 'logging.write'],
  ['monitoring', 'monitoring.read'],
  ['monitoring', 'monitoring.write'],
  ['ndev.clouddns.readwrite', 'ndev.clouddns.readonly'],
  ['service.management', 'service.management.readonly'],
];

/** Whether a token with `scope` can do at least what one with `other` can; false where that is not documented. */
export function coversScope(scope: string, other: string): boolean {
  if (scope === other) return true;
  if (!scope.startsWith(PREFIX) || !other.startsWith(PREFIX)) return false;
  const [name, included] = [scope.slice(PREFIX.length), other.slice(PREFIX.length)];
  if (name === 'cloud-platform') return CLOUD.includes(included);
  return CHAINS.some((chain) => chain.includes(name) && chain.indexOf(included) > chain.indexOf(name));
}
