// Grants as the tests of their life start from: one valid request of either kind, and a grant in each of its states.

import type { JobClaims } from '../../../shared/core/claims.ts';
import { activate, confirmRevoked, expire, type Grant, type Request, reserve } from '../../../shared/core/grant.ts';
import { grantId } from '../../../shared/core/grant-id.ts';
import type { Credential } from '../../../shared/core/policy.ts';
import type { Refusal } from '../../../shared/core/refusal.ts';

export const NOW = 1_790_000_000_000;
export const TTL = 900;

const claims: JobClaims = {
  organization_slug: 'acme-inc',
  organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  pipeline_slug: 'app',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_id: undefined,
  build_number: 42,
  build_branch: 'main',
  build_tag: undefined,
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  build_source: 'webhook',
  step_key: 'deploy',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  runner_environment: undefined,
  cluster_id: undefined,
  cluster_name: undefined,
  queue_id: undefined,
  queue_key: undefined,
  agentTags: new Map(),
};
export const firestore = {
  kind: 'firestore',
  environment: 'staging',
  ttl: TTL,
  project: 'acme-staging',
  database: '(default)',
  apiKey: 'web-key',
  signer: 'signer@acme-staging.iam.gserviceaccount.com',
  allow: [{ path: 'config/{document}', verbs: ['get'] }],
} as const satisfies Credential;
export const serviceAccount = {
  kind: 'service_account',
  environment: 'staging',
  ttl: TTL,
  email: 'export@acme-staging.iam.gserviceaccount.com',
  scopes: ['https://www.googleapis.com/auth/datastore'],
} satisfies Credential;
export const CREDENTIALS = { firestore, serviceAccount } as const;
export type Kind = keyof typeof CREDENTIALS;
export const KINDS = ['firestore', 'serviceAccount'] as const;

export const request = (credential: Credential, more: Partial<Request> = {}): Request => ({
  claims,
  credentialName: 'staging-config',
  credential,
  rule: 'deploy to staging',
  policySha256: 'a'.repeat(64),
  ttl: TTL,
  ...more,
});
export const GRANT_ID = grantId(claims.job_id, 'staging-config');
export const newToken = (expires_at: number, sha256 = 'b'.repeat(64)) => ({ grant_id: GRANT_ID, sha256, expires_at });

export type Written = { grant: Grant } | { refusal: Refusal };
export function granted(written: Written): Grant {
  if ('refusal' in written) throw new Error(`refused: ${written.refusal.reason}`);
  return written.grant;
}
export function must(grant: Grant | undefined): Grant {
  if (!grant) throw new Error('nothing changed');
  return grant;
}

export const STATES = ['issuing', 'active', 'revoking', 'revoked', 'expired'] as const;
export type State = (typeof STATES)[number];

/** A grant in `state`, brought there by the transitions themselves; `revoked` by hand for a kind that cannot be. */
export function grantIn(state: State, kind: Kind): Grant {
  const issuing = granted(reserve(undefined, undefined, request(CREDENTIALS[kind]), NOW));
  const active = granted(activate(issuing, undefined, newToken(NOW + TTL * 1000), NOW + 100));
  const revoking: Grant = { ...active, state: 'revoking', ended_at: NOW + 200, ended_by: 'job.finished' };
  switch (state) {
    case 'issuing':
      return issuing;
    case 'active':
      return active;
    case 'revoking':
      return revoking;
    case 'revoked':
      return must(confirmRevoked(revoking, NOW + 300));
    case 'expired':
      return must(expire(active, active.expires_at));
  }
}
export const outcomeOf = (written: Written) => ('grant' in written ? written.grant.state : written.refusal.reason);
export const LATER = NOW + 1000;
