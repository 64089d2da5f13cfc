// Service accounts that a policy names twice, once of them in a pool.

import type { WrittenCredential } from './credential.ts';
import type { Databases } from './databases.ts';
import type { PolicyProblem } from './problems.ts';

interface Named {
  readonly databases: Databases;
  readonly credentials: Readonly<Record<string, WrittenCredential>>;
}

/** A pooled account is disabled when its job ends, so nothing else may use it. */
export function sharedAccountProblems({ databases, credentials }: Named): PolicyProblem[] {
  const signers = Object.entries(databases).map(([name, { signer }]) => ({
    email: signer,
    pooled: false,
    path: ['databases', name, 'signer'],
  }));
  const ofCredentials = Object.entries(credentials).flatMap(([name, credential]) =>
    accountPaths(credential).map((place) => ({ ...place, path: ['credentials', name, ...place.path] })),
  );
  const accounts = [...signers, ...ofCredentials];
  return accounts.flatMap(({ email, pooled, path }, index) => {
    const other = accounts.find((place, at) => at < index && place.email === email && (pooled || place.pooled));
    if (!other) return [];
    return [
      { path, message: `${email} also stands at ${other.path.join('.')}: a pooled account serves one job alone` },
    ];
  });
}

function accountPaths(credential: WrittenCredential): { email: string; pooled: boolean; path: (string | number)[] }[] {
  switch (credential.kind) {
    case 'firestore':
      return [];
    case 'service_account': {
      const path = credential.storage ? ['storage', 'serviceAccount'] : ['serviceAccount', 'email'];
      return [{ email: credential.email, pooled: false, path }];
    }
    case 'pooled_service_account': {
      const kind = credential.storage ? 'storage' : 'serviceAccount';
      return credential.pool.map((email, at) => ({ email, pooled: true, path: [kind, 'pool', at] }));
    }
  }
}
