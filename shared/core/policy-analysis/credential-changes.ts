// What differs between a credential of one policy and the same credential of another, apart from the jobs that get it.

import { REVOCATIONS } from '../kinds/kind.ts';
import { accountsOf, revocationOf, scopesOf } from '../kinds/kinds.ts';
import { isPooled } from '../kinds/pooled-service-account.ts';
import type { Credential, FirestoreCredential } from '../policy/credential.ts';
import type { StorageScope } from '../policy/storage-key.ts';
import { type Change, compareDuration, compareSets, compareText, directionOf } from './change.ts';
import { touchOutside } from './documents.ts';
import type { Tools } from './jobs.ts';
import { coversScope, coversStorage } from './oauth-scopes.ts';
import { permissionsOfStorageRole } from './storage-roles.ts';

type AccountCredential = Exclude<Credential, FirestoreCredential>;

/** What is compared of two credentials of one name. */
export function credentialChanges(before: Credential, after: Credential, newTools: () => Tools): Change[] {
  return [
    ...compareText('environment', before.environment, after.environment, 'cannot tell', OTHER_ENVIRONMENT),
    ...accessChanges(before, after, newTools),
    ...compareDuration('ttl', before.ttl, after.ttl),
    ...revocationChanges(before, after),
  ];
}

const OTHER_ENVIRONMENT = 'Guards and tests of an environment hold for its credentials only.';
const OTHER_KIND =
  'IAM roles of service accounts are not in the policy, so what they open cannot be compared with paths.';
const OTHER_ACCOUNT = 'IAM roles of service accounts are not in the policy.';
const OTHER_SIGNER = 'Who else can sign tokens with it is not in the policy.';
const OTHER_TENANT = 'What users of a tenant can do elsewhere is not in the policy.';

function accessChanges(before: Credential, after: Credential, newTools: () => Tools): Change[] {
  if (before.kind === 'firestore' && after.kind === 'firestore') return firestoreChanges(before, after, newTools);
  if (before.kind !== 'firestore' && after.kind !== 'firestore') return accountChanges(before, after);
  return compareText('kind', kindOf(before), kindOf(after), 'cannot tell', OTHER_KIND);
}

function kindOf({ kind }: Credential): string {
  return kind === 'firestore' ? 'firestore' : 'service account';
}

function firestoreChanges(before: FirestoreCredential, after: FirestoreCredential, newTools: () => Tools): Change[] {
  const databaseOf = ({ project, database }: FirestoreCredential) => `${project} ${database}`;
  const entriesOf = ({ allow }: FirestoreCredential) => allow.map(({ path, verbs }) => `${path}: ${verbs.join(', ')}`);
  const allowOf = (one: FirestoreCredential, other: FirestoreCredential) =>
    without(entriesOf(one), entriesOf(other)).join('; ') || 'no such path';
  return [
    ...compareText('database', databaseOf(before), databaseOf(after), 'both'),
    ...compareSets(
      {
        what: 'paths',
        before: allowOf(before, after),
        after: allowOf(after, before),
        note: 'The paths are too many or too complex to compare.',
      },
      {
        gained: () => touchOutside(after.allow, before.allow, newTools()),
        lost: () => touchOutside(before.allow, after.allow, newTools()),
      },
      (touch) => ({ touch }),
    ),
    ...compareText('signer', before.signer, after.signer, 'cannot tell', OTHER_SIGNER),
    ...compareText('tenant', before.tenant, after.tenant, 'cannot tell', OTHER_TENANT),
    ...compareText('apiKey', before.apiKey, after.apiKey, 'neither'),
  ];
}

function accountChanges(before: AccountCredential, after: AccountCredential): Change[] {
  return [
    ...accountsChange(before, after),
    ...sharingChange(before.kind, after.kind),
    ...(before.storage && after.storage ? storageChanges(before.storage, after.storage) : []),
    ...narrowingChange(before, after),
    ...(before.storage || after.storage ? [] : scopesChange(scopesOf(before), scopesOf(after))),
  ];
}

function emailsOf(credential: AccountCredential): string[] {
  return accountsOf(credential).map(({ email }) => email);
}

/** An account that retires serves no job that does not have it already. */
function accountsChange(before: AccountCredential, after: AccountCredential): Change[] {
  const [old, new_] = [emailsOf(before), emailsOf(after)];
  const added = [...without(leasedBy(after), leasedBy(before)), ...without(retiringOf(after), old)];
  const removed = without(old, new_);
  const retired = retiringOf(after).filter((email) => leasedBy(before).includes(email));
  if (added.length === 0 && removed.length === 0 && retired.length === 0) return [];
  const texts = {
    what: 'accounts',
    before: countOrName(old),
    after: [
      countOrName(new_),
      ...(new_.length > 1 ? added.map((email) => `new ${email}`) : []),
      ...(old.length > 1 ? removed.map((email) => `without ${email}`) : []),
      ...retired.map((email) => `retiring ${email}`),
    ].join(', '),
  };
  return [
    added.length > 0
      ? { ...texts, direction: 'cannot tell', note: OTHER_ACCOUNT }
      : { ...texts, direction: 'narrower' },
  ];
}

function retiringOf(credential: AccountCredential): readonly string[] {
  return isPooled(credential) ? (credential.retiring ?? []) : [];
}

/** Its accounts from which a new job may get tokens. */
function leasedBy(credential: AccountCredential): string[] {
  return without(emailsOf(credential), retiringOf(credential));
}

function countOrName(emails: readonly string[]): string {
  return emails.length === 1 ? (emails[0] ?? '') : `${new Set(emails).size} accounts`;
}

/** A pooled account serves one job at a time, and is disabled when the job ends. */
function sharingChange(before: AccountCredential['kind'], after: AccountCredential['kind']): Change[] {
  const [shared, pooled] = ['shared by jobs', 'one job at a time'];
  if (before === after) return [];
  return after === 'service_account'
    ? [{ what: 'pool', direction: 'wider', before: pooled, after: shared }]
    : [{ what: 'pool', direction: 'narrower', before: shared, after: pooled }];
}

/** Whether a token is narrowed to a bucket at all. What is narrowed can use Cloud Storage whatever the scopes were before. */
function narrowingChange(before: AccountCredential, after: AccountCredential): Change[] {
  if (Boolean(before.storage) === Boolean(after.storage)) return [];
  const unnarrowed = before.storage ? after : before;
  const show = ({ storage, scopes }: AccountCredential) =>
    storage ? showStorage(storage) : `all that its account may, with scopes ${scopes.join(' ')}`;
  const texts = { what: 'storage', before: show(before), after: show(after) };
  if (coversStorage(unnarrowed.scopes)) return [{ ...texts, direction: after.storage ? 'narrower' : 'wider' }];
  return [{ ...texts, direction: 'both', note: 'A token for a bucket has all scopes for Cloud Storage.' }];
}

function showStorage({ bucket, prefix, role }: StorageScope): string {
  return `gs://${bucket}/${prefix ?? ''} with ${role}`;
}

function storageChanges(before: StorageScope, after: StorageScope): Change[] {
  const [old, new_] = [before.prefix ?? '', after.prefix ?? ''];
  const samePrefix = old === new_;
  return [
    ...compareText('bucket', before.bucket, after.bucket, 'both'),
    ...(samePrefix
      ? []
      : compareText(
          'prefix',
          old || 'whole bucket',
          new_ || 'whole bucket',
          directionOf(!new_.startsWith(old), !old.startsWith(new_)) ?? 'both',
        )),
    ...roleChange(before.role, after.role),
  ];
}

function roleChange(before: string, after: string): Change[] {
  if (before === after) return [];
  const [old, new_] = [permissionsOfStorageRole(before), permissionsOfStorageRole(after)];
  const texts = { what: 'role', before, after };
  if (!old || !new_)
    return [{ ...texts, direction: 'cannot tell', note: 'The permissions of a custom role are not in the policy.' }];
  const direction = directionOf(without(new_, old).length > 0, without(old, new_).length > 0);
  return [{ ...texts, direction: direction ?? 'neither' }];
}

function scopesChange(before: readonly string[], after: readonly string[]): Change[] {
  const covers = (scopes: readonly string[], scope: string) => scopes.some((one) => coversScope(one, scope));
  const added = after.filter((scope) => !covers(before, scope));
  const removed = before.filter((scope) => !covers(after, scope));
  const direction = directionOf(added.length > 0, removed.length > 0);
  if (!direction) return sameSet(before, after) ? [] : [{ ...scopesTexts(before, after), direction: 'neither' }];
  const hmac = (differing: readonly string[], others: readonly string[]) =>
    differing.includes(READ_ONLY) && others.includes(READ_WRITE);
  const note = hmac(added, before) || hmac(removed, after) ? HMAC_KEYS : undefined;
  return [{ ...scopesTexts(before, after), direction, ...(note && { note }) }];
}

const READ_ONLY = 'https://www.googleapis.com/auth/devstorage.read_only';
const READ_WRITE = 'https://www.googleapis.com/auth/devstorage.read_write';

/** Source: cloud.google.com/storage/docs/json_api/v1/projects/hmacKeys/list (authorization). */
const HMAC_KEYS =
  'Google lets a token with devstorage.read_only list HMAC keys, and one with devstorage.read_write not.';

function scopesTexts(before: readonly string[], after: readonly string[]) {
  return { what: 'scopes', before: before.join(' '), after: after.join(' ') };
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return without(one, other).length === 0 && without(other, one).length === 0;
}

/** A credential whose access ends later after its job is wider. */
function revocationChanges(before: Credential, after: Credential): Change[] {
  const [old, new_] = [revocationOf(before), revocationOf(after)];
  const direction = directionOf(
    REVOCATIONS.indexOf(new_) > REVOCATIONS.indexOf(old),
    REVOCATIONS.indexOf(new_) < REVOCATIONS.indexOf(old),
  );
  return direction ? [{ what: 'revocation', direction, before: old, after: new_ }] : [];
}

function without(list: readonly string[], others: readonly string[]): string[] {
  return list.filter((one) => !others.includes(one));
}
