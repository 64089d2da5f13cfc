// The ledger's own collections, and the credentials that would open them.

import type { Policy } from './policy.ts';

export const LEDGER_COLLECTIONS = [
  'grants',
  'jobs',
  'service_accounts',
  'builds',
  'blocks',
  'kill_switches',
  'locks',
  'firebase_users',
  'deployments',
  'policies',
  'teams',
];

/** What in a policy would let a job into the ledger itself, should a credential open the database it is in. */
export function ledgerExposureProblems(policy: Policy, ledger: { project: string; database: string }): string[] {
  return Object.entries(policy.credentials).flatMap(([name, credential]) => {
    if (credential.kind !== 'firestore') return [];
    if (credential.project !== ledger.project || credential.database !== ledger.database) return [];
    return credential.allow
      .filter(({ path }) => LEDGER_COLLECTIONS.includes(path.split('/', 1)[0] ?? ''))
      .map(
        ({ path }) => `KEYDESK_DATABASE is the database that credential ${name} opens, and "${path}" is the ledger's`,
      );
  });
}
