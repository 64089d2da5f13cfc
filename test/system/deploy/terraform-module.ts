// The Terraform module's folder, what of it grants something, and the table of privileges.

import { readFileSync } from 'node:fs';

export const MODULE = 'deploy/terraform';

export interface Privilege {
  readonly identity: string;
  /** A role, or permissions in order, separated by spaces. */
  readonly what: string;
  readonly address: string;
}

/** The rows of PRIVILEGES.md. */
export function readPrivileges(): Privilege[] {
  const text = readFileSync(`${MODULE}/PRIVILEGES.md`, 'utf8');
  const [, ...rows] = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| --- '));
  return rows.map((row) => {
    const [identity = '', what = '', on = '', why = '', address = '', ...more] = row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (on === '' || why === '' || more.length > 0) throw new Error(`not a row of the table: ${row}`);
    return { identity, what: what.replaceAll('`', ''), address: address.replaceAll('`', '') };
  });
}

/** Whether a resource type grants somebody something. */
export function grants(type: string): boolean {
  return /_iam_(member|binding|policy)$/.test(type);
}
