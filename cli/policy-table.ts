// What a policy says, credential by credential, in lines for a terminal. Pure: a policy in, text out.

import { targetFields } from '../shared/core/grant/fields.ts';
import type { Credential } from '../shared/core/policy/credential.ts';
import type { Policy } from '../shared/core/policy/policy.ts';

const HEADER = ['CREDENTIAL', 'ENVIRONMENT', 'KIND', 'REVOCATION', 'TTL'];

/** A row per credential, and under it what it opens and the rules that grant it. */
export function credentialTable({ credentials, rules }: Policy): string[] {
  const named = Object.entries(credentials);
  const rows = [HEADER, ...named.map(([name, credential]) => [name, ...facts(credential)])];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return lines.flatMap((line, index) => {
    const [name, credential] = named[index - 1] ?? [];
    if (name === undefined || credential === undefined) return [line.trimEnd()];
    const granting = rules.filter(({ grants }) => grants.includes(name)).map((rule) => `"${rule.name}"`);
    return [
      line.trimEnd(),
      ...opens(credential).map((opened) => `  opens       ${opened}`),
      `  granted by  ${granting.join(', ') || 'no rule'}`,
    ];
  });
}

function facts(credential: Credential): string[] {
  return [credential.environment, credential.kind, revocationOf(credential), inMinutes(credential.ttl)];
}

/** As it will stand on a grant. */
export function revocationOf(credential: Credential): string {
  return targetFields(credential, undefined, '', 0).revocation;
}

/** Seconds as a policy has them: 90s, 15m. */
export function inMinutes(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

function opens(credential: Credential): string[] {
  if (credential.kind === 'firestore') {
    const { project, database, allow } = credential;
    return allow.map(({ path, verbs }) => `${project} ${database} ${path}: ${verbs.join(', ')}`);
  }
  const as = credential.kind === 'service_account' ? credential.email : `one of a pool of ${credential.pool.length}`;
  const { storage, scopes } = credential;
  if (!storage) return [`what ${as} may, with scopes ${scopes.join(' ')}`];
  return [`gs://${storage.bucket}/${storage.prefix ?? ''} with ${storage.role}, as ${as}`];
}
