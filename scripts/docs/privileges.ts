// The tables about privileges: who holds which permission, on what and why.

import { allPrivileges, PRIVILEGES, type Privilege } from '../../deploy/privileges.ts';
import { type Blocks, name, names, sections, table } from './markdown.ts';

export function privilegeTables(): Blocks {
  const privileges = allPrivileges();
  return {
    privileges: sections(
      ...Object.entries(PRIVILEGES.identities).flatMap(([identity, description]) => [
        `### ${identity}`,
        `${description}.`,
        table(
          ['role or permissions', 'on', 'why'],
          privileges
            .filter((privilege) => privilege.identity === identity)
            .map((privilege) => [roleCell(privilege), privilege.on, `${privilege.why} (${name(privilege.address)})`]),
        ),
      ]),
    ),
  };
}

export function roleTables(): Blocks {
  return {
    roles: table(
      ['role', 'in', 'permissions'],
      Object.entries(PRIVILEGES.roles).map(([role, definition]) => [
        name(`PREFIX_${role}`),
        definition.in,
        names(definition.permissions),
      ]),
    ),
  };
}

/** Words where a variable says which role. */
function roleCell({ permissions, role }: Privilege): string {
  if (permissions) return names(permissions);
  return role.startsWith('roles/') ? name(role) : role;
}
