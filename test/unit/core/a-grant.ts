// Grants as the tests of their life start from: one valid request of each kind, and a grant in each of its states.

import { CLOCK_MARGIN_MS } from '../../../shared/core/clock-margin.ts';
import type { Credential } from '../../../shared/core/credential.ts';
import type { Grant, PooledGrant } from '../../../shared/core/grant.ts';
import { grantId } from '../../../shared/core/grant-id.ts';
import {
  activate,
  type Circumstances,
  confirmTakenAway,
  expire,
  type Request,
  type Reservation,
  reserve,
} from '../../../shared/core/grant-life.ts';
import type { Refusal } from '../../../shared/core/refusal.ts';
import { jobClaims } from '../../fixtures/job-claims.ts';

export const NOW = 1_790_000_000_000;
export const TTL = 900;

export const claims = jobClaims({
  organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_number: 42,
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  build_source: 'webhook',
  step_key: 'deploy',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
});
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
  storage: null,
} satisfies Credential;
export const ACCOUNTS = [1, 2, 3].map((n) => `ci-00${n}@acme-staging.iam.gserviceaccount.com`) as [
  string,
  string,
  string,
];
export const pool = {
  kind: 'pooled_service_account',
  environment: 'staging',
  ttl: TTL,
  pool: [...ACCOUNTS],
  scopes: ['https://www.googleapis.com/auth/datastore'],
  storage: null,
} satisfies Credential;
/** Its tokens are narrowed, so that nothing says that they die with their account. */
const narrowedPool = {
  ...pool,
  storage: { bucket: 'acme-cache', prefix: 'warm/', role: 'roles/storage.objectUser' },
} satisfies Credential;
export const CREDENTIALS = { firestore, serviceAccount, pool, narrowedPool } as const;
export type Kind = keyof typeof CREDENTIALS;
export const KINDS = ['firestore', 'serviceAccount', 'pool', 'narrowedPool'] as const;
/** The job runs, nothing is barred, and its pipeline holds nothing else. */
export const FREE: Circumstances = { jobEndedAt: undefined, blocks: [], pipelineHolds: 0 };
export const CAPS = { tokensPerMinute: 60, liveGrantsPerPipeline: 1000 };

export const request = (credential: Credential, more: Partial<Request> = {}): Request => ({
  claims,
  credentialName: 'staging-config',
  credential,
  rule: 'deploy to staging',
  policySha256: 'a'.repeat(64),
  ttl: TTL,
  limits: CAPS,
  ...(credential.kind === 'pooled_service_account' ? { lease: ACCOUNTS[0] } : {}),
  ...more,
});
export const GRANT_ID = grantId(claims.job_id, 'staging-config');
export const newToken = (expires_at: number, sha256 = 'b'.repeat(64)) => ({
  grant_id: GRANT_ID,
  sha256,
  expires_at,
  service_account: ACCOUNTS[0],
});
/** The same as it stands in the record. */
export const onRecord = (expires_at: number, sha256 = 'b'.repeat(64)) => ({ sha256, expires_at });

export type Written = Reservation | { grant: Grant } | { refusal: Refusal };
export function granted(written: Written): Grant {
  if ('grant' in written) return written.grant;
  throw new Error(`not granted: ${outcomeOf(written)}`);
}
export function pooled(grant: Grant): PooledGrant {
  if (grant.kind !== 'pooled_service_account') throw new Error(`a grant of kind ${grant.kind}`);
  return grant;
}
export function must<T>(record: T | undefined): T {
  if (!record) throw new Error('nothing changed');
  return record;
}

export const STATES = ['issuing', 'active', 'revoking', 'revoked', 'expired'] as const;
export type State = (typeof STATES)[number];

/** A grant in `state`, brought there by the transitions themselves; `revoked` by hand for a kind that cannot be. */
export function grantIn(state: State, kind: Kind): Grant {
  const issuing = granted(reserve(undefined, FREE, request(CREDENTIALS[kind]), NOW));
  const active = granted(activate(issuing, FREE, newToken(NOW + TTL * 1000), NOW + 100));
  const revoking: Grant = {
    ...active,
    state: 'revoking',
    ended_at: NOW + 200,
    ended_by: 'released',
  };
  switch (state) {
    case 'issuing':
      return issuing;
    case 'active':
      return active;
    case 'revoking':
      return revoking;
    case 'revoked':
      return { ...must(confirmTakenAway(revoking, NOW + 300)), state: 'revoked', access_ended_at: NOW + 300 };
    case 'expired':
      return must(expire(active, active.expires_at + CLOCK_MARGIN_MS));
  }
}
export function outcomeOf(written: Written): string {
  if ('grant' in written) return written.grant.state;
  return 'refusal' in written ? written.refusal.reason : 'needs a lease';
}
export const LATER = NOW + 1000;
