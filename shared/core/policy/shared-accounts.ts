// Service accounts that a policy names twice, once of them in a pool.

import { accountsOf } from '../kinds/kinds.ts';
import type { Credential } from './credential.ts';
import type { Databases } from './databases.ts';
import type { PolicyProblem } from './problems.ts';

interface Named {
  readonly databases: Databases;
  readonly credentials: Readonly<Record<string, Credential>>;
}

/** A pooled account is disabled when its job ends, so nothing else may use it. */
export function sharedAccountProblems({ databases, credentials }: Named): PolicyProblem[] {
  const signers = Object.entries(databases).map(([name, { signer }]) => ({
    email: signer,
    pooled: false,
    path: ['databases', name, 'signer'],
  }));
  const ofCredentials = Object.entries(credentials).flatMap(([name, credential]) =>
    accountsOf(credential).flatMap(({ email, use, path }) =>
      path ? [{ email, pooled: use === 'pooled', path: ['credentials', name, ...path] }] : [],
    ),
  );
  const accounts = [...signers, ...ofCredentials];
  return accounts.flatMap(({ email, pooled, path }, index) => {
    const other = accounts.find((place, at) => at < index && place.email === email && (pooled || place.pooled));
    if (!other) return [];
    return [
      {
        path,
        message: `"${email}" is also at ${other.path.join('.')}. A pooled account serves one job at a time: use it in one place`,
      },
    ];
  });
}
