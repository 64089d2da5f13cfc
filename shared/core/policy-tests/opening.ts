// Which credentials open what a statement is about: documents of Firestore, or objects of a bucket.

import type { Verb } from '../kinds/firestore.ts';
import type { Credential } from '../policy/credential.ts';
import type { Policy } from '../policy/policy.ts';
import { touchInBoth } from '../policy-analysis/documents.ts';
import type { Tools } from '../policy-analysis/jobs.ts';
import { mayOpen } from '../policy-analysis/oauth-scopes.ts';
import { CannotTell } from '../policy-analysis/work.ts';

export type Target =
  | { readonly of: 'credentials'; readonly names: readonly string[] }
  | {
      readonly of: 'documents';
      readonly path: string;
      readonly verbs: readonly Verb[];
      /** Undefined for every database. */
      readonly databases: readonly { readonly project: string; readonly database: string }[] | undefined;
    }
  | { readonly of: 'objects'; readonly buckets: readonly string[]; readonly prefix: string };

/** `by IAM` where the roles of a service account decide, which are not in the policy; `too complex` where paths cannot be compared. */
export type Opens = 'yes' | 'no' | 'by IAM' | 'too complex';

/** The credentials of the policy that open the target, or perhaps do. */
export function credentialsOpening(
  { credentials }: Policy,
  target: Target,
  newTools: () => Tools,
): ReadonlyMap<string, Exclude<Opens, 'no'>> {
  const opening = new Map<string, Exclude<Opens, 'no'>>();
  for (const [name, credential] of Object.entries(credentials)) {
    const opens =
      target.of === 'credentials'
        ? target.names.includes(name)
          ? 'yes'
          : 'no'
        : opensPart(credential, target, newTools);
    if (opens !== 'no') opening.set(name, opens);
  }
  return opening;
}

function opensPart(
  credential: Credential,
  target: Exclude<Target, { of: 'credentials' }>,
  newTools: () => Tools,
): Opens {
  if (credential.kind === 'firestore')
    return target.of === 'documents' ? opensDocuments(credential, target, newTools()) : 'no';
  // A token without a boundary does whatever the roles of its account and its scopes allow.
  if (!credential.storage) return mayOpen(target.of, credential.scopes) ? 'by IAM' : 'no';
  if (target.of === 'documents') return 'no';
  const { bucket, prefix } = credential.storage;
  const own = prefix ?? '';
  const overlap = own.startsWith(target.prefix) || target.prefix.startsWith(own);
  return target.buckets.includes(bucket) && overlap ? 'yes' : 'no';
}

function opensDocuments(
  { project, database, allow }: Extract<Credential, { kind: 'firestore' }>,
  { path, verbs, databases }: Extract<Target, { of: 'documents' }>,
  tools: Tools,
): Opens {
  const same = databases?.some((one) => one.project === project && one.database === database) ?? true;
  if (!same) return 'no';
  try {
    return touchInBoth(allow, [{ path, verbs }], tools) ? 'yes' : 'no';
  } catch (error) {
    if (error instanceof CannotTell) return 'too complex';
    throw error;
  }
}
