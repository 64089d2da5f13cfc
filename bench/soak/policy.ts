// The policy of a soak run: every kind of credential, with the shortest lifetimes that a policy may have, so that grants and
// accounts reach their final state soon after the run.

export const AUDIENCE = 'https://keydesk.acme.example';
export const DATA = { project: 'acme-soak-data', database: '(default)' };
export const LEDGER = { project: 'keydesk-soak', database: 'ledger' };
/** The longest `ttl` below. */
export const LONGEST_TTL_MS = 120_000;

const SHARED = 'export@acme-soak-data.iam.gserviceaccount.com';
const CACHE = 'ci-cache@acme-soak-data.iam.gserviceaccount.com';
const SIGNER = 'keydesk-signer@acme-soak-data.iam.gserviceaccount.com';
export const BUCKET = 'acme-soak-cache';

export const CREDENTIALS = [
  'shared',
  'shared-long',
  'pooled',
  'pooled-cache',
  'firestore',
  'firestore-long',
  'storage',
];

export interface SoakPolicy {
  readonly text: string;
  readonly pool: readonly string[];
  /** Every account, also those that are in no pool. */
  readonly accounts: readonly string[];
}

/** @param poolSize accounts of each of the two pools */
export function soakPolicy(poolSize: number): SoakPolicy {
  const accounts = (start: string) =>
    Array.from({ length: poolSize }, (_, index) => `${start}-${index + 1}@acme-soak-pool.iam.gserviceaccount.com`);
  const [admin, narrowed] = [accounts('admin'), accounts('narrowed')];
  const text = `version: 1
organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }
audience: ${AUDIENCE}
maxJobTokenLifetime: 2h
limits: { tokensPerMinute: 120, liveGrantsPerPipeline: 100000 }
environments: { staging: {} }
databases:
  data: { project: ${DATA.project}, apiKey: AIzaSyExampleWebKeyOfAcmeSoakData000, signer: ${SIGNER} }
credentials:
  shared: { environment: staging, ttl: 1m, serviceAccount: { email: ${SHARED}, scopes: [https://www.googleapis.com/auth/datastore] } }
  shared-long: { environment: staging, ttl: 2m, serviceAccount: { email: ${SHARED}, scopes: [https://www.googleapis.com/auth/datastore] } }
  pooled: { environment: staging, ttl: 1m, serviceAccount: { pool: [${admin.join(', ')}], scopes: [https://www.googleapis.com/auth/cloud-platform] } }
  pooled-cache: { environment: staging, ttl: 1m, storage: { pool: [${narrowed.join(', ')}], bucket: ${BUCKET}, prefix: warm/, role: roles/storage.objectUser } }
  firestore: { environment: staging, ttl: 1m, firestore: { database: data, allow: [{ path: "config/{document=**}", verbs: [get] }] } }
  firestore-long: { environment: staging, ttl: 2m, firestore: { database: data, allow: [{ path: "config/{document=**}", verbs: [get] }] } }
  storage: { environment: staging, ttl: 1m, storage: { serviceAccount: ${CACHE}, bucket: ${BUCKET}, prefix: warm/, role: roles/storage.objectUser } }
rules:
  - { name: all, match: { pipeline_slug: app }, grants: [${CREDENTIALS.join(', ')}] }
`;
  return { text, pool: [...admin, ...narrowed], accounts: [SHARED, CACHE, SIGNER, ...admin, ...narrowed] };
}
