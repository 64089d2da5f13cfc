// What a policy says, credential by credential, in lines for a terminal.

import { describeAccess, revocationOf } from '../kinds/kinds.ts';
import { conditionLines } from './condition-words.ts';
import type { Credential } from './credential.ts';
import { formatDuration } from './duration.ts';
import type { Policy } from './policy.ts';

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
    const granting = rules.filter(({ grants }) => grants.includes(name));
    return [
      line.trimEnd(),
      ...describeAccess(credential).map((opened) => `  opens       ${opened}`),
      ...grantedBy(granting),
    ];
  });
}

/** Rules with conditions have a line of their own, and under it one for each condition. */
function grantedBy(rules: Policy['rules']): string[] {
  if (rules.length === 0) return ['  granted by  no rule'];
  const described = rules.map(({ name, conditions }) => ({ name: `"${name}"`, lines: conditionLines(conditions) }));
  const plain = described.filter(({ lines }) => lines.length === 0).map(({ name }) => name);
  return [
    ...(plain.length > 0 ? [`  granted by  ${plain.join(', ')}`] : []),
    ...described
      .filter(({ lines }) => lines.length > 0)
      .flatMap(({ name, lines }) => [`  granted by  ${name}, with`, ...lines.map((one) => `              ${one}`)]),
  ];
}

/** By the key of the credential in the file. */
export function kindOf(credential: Credential): string {
  if (credential.kind === 'firestore') return 'firestore';
  const key = credential.storage ? 'storage' : 'serviceAccount';
  return credential.kind === 'pooled_service_account' ? `${key}, pooled` : key;
}

function facts(credential: Credential): string[] {
  return [credential.environment, kindOf(credential), revocationOf(credential), formatDuration(credential.ttl)];
}
