// The privileges that the Terraform module grants: terraform/privileges.json, the one source of the module, of PRIVILEGES.md, of
// keydesk doctor and of the fake of Google.

import * as z from 'zod';
import file from './terraform/privileges.json' with { type: 'json' };

const privilegesSchema = z.strictObject({
  /** By name, who that is. */
  identities: z.record(z.string(), z.string()),
  /** Keydesk's own roles. */
  roles: z.record(z.string(), z.strictObject({ title: z.string(), in: z.string(), permissions: z.array(z.string()) })),
  /** By the address of the resource that grants it. */
  grants: z.record(
    z.string(),
    z.strictObject({
      on: z.string(),
      /** `role` is the name of one of Keydesk's own, one of Google's, or words where a variable says it. */
      to: z.record(z.string(), z.strictObject({ role: z.string(), why: z.string() })),
    }),
  ),
});

export const PRIVILEGES = privilegesSchema.parse(file);

export interface Privilege {
  readonly identity: string;
  /** The permissions of one of Keydesk's own roles; undefined for another role. */
  readonly permissions: readonly string[] | undefined;
  readonly role: string;
  readonly on: string;
  readonly why: string;
  /** Of the resource that grants it. */
  readonly address: string;
}

/** Every privilege, in the order of the file. @throws Error when it names an identity that is not described */
export function allPrivileges(): Privilege[] {
  return Object.entries(PRIVILEGES.grants).flatMap(([address, { on, to }]) =>
    Object.entries(to).map(([identity, { role, why }]) => {
      if (PRIVILEGES.identities[identity] === undefined) throw new Error(`${identity} is not described`);
      return { identity, permissions: PRIVILEGES.roles[role]?.permissions, role, on, why, address };
    }),
  );
}

/** The permissions that an identity has by Keydesk's own roles, on any resource. */
export function permissionsOf(identity: string): ReadonlySet<string> {
  const held = allPrivileges().filter((privilege) => privilege.identity === identity);
  return new Set(held.flatMap(({ permissions = [] }) => permissions));
}
