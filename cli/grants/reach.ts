// What a grant could reach: from its record, and from the policy that allowed it. Pure.

import { describeAccess } from '../../shared/core/kinds/kinds.ts';
import type { GrantDetails } from '../../shared/core/operator-api/grant.ts';
import type { ReadPolicy } from '../../shared/core/policy/parse-yaml.ts';

export interface Reach {
  /** `policy`: the file at hand allowed the grant. `other_policy`: it did not. `record`: there is no file. */
  readonly from: 'record' | 'policy' | 'other_policy';
  readonly file: string | null;
  /** Of the file. */
  readonly sha256: string | null;
  /** A line each. */
  readonly lines: readonly string[];
}

/** @param given the policy in a file; undefined without one */
export function reachOf(
  grant: GrantDetails,
  given: { readonly file: string; readonly policy: ReadPolicy } | undefined,
): Reach {
  const lines = fromRecord(grant);
  if (!given) return { from: 'record', file: null, sha256: null, lines };
  const { file, policy } = given;
  const credential = Object.hasOwn(policy.policy.credentials, grant.credential)
    ? policy.policy.credentials[grant.credential]
    : undefined;
  if (policy.sha256 !== grant.policy_sha256 || !credential)
    return { from: 'other_policy', file, sha256: policy.sha256, lines };
  return { from: 'policy', file, sha256: policy.sha256, lines: [...lines, ...describeAccess(credential)] };
}

function fromRecord({ kind, database, service_account, storage, scopes, superseded }: GrantDetails): string[] {
  if (kind === 'firestore') return [`database ${database}, by its security rules`];
  const how = kind === 'pooled_service_account' ? 'which served this job alone' : 'which jobs share';
  const now = describeScope(storage, scopes);
  return [
    `what ${service_account} may, ${how}: ${now}`,
    ...superseded
      .filter((earlier) => describeScope(earlier.storage, earlier.scopes) !== now)
      .map(
        (earlier) => `earlier tokens, until ${earlier.expires_at}: ${describeScope(earlier.storage, earlier.scopes)}`,
      ),
  ];
}

function describeScope(storage: GrantDetails['storage'], scopes: readonly string[]): string {
  if (storage) return `narrowed to gs://${storage.bucket}/${storage.prefix ?? ''} with ${storage.role}`;
  return `with scopes ${scopes.join(' ')}`;
}
