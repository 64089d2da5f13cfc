// `databases`: what a `firestore` credential needs to know about a Firestore database, written once and used by name.

import * as z from 'zod';
import type { Credential, WrittenCredential } from './credential.ts';
import { projectIdSchema, serviceAccountSchema, tenantSchema } from './google-names.ts';
import type { PolicyProblem } from './problems.ts';

const databaseId = z.string().regex(/^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$/, 'must be a Firestore database ID');

export const databaseSchema = z.strictObject({
  project: projectIdSchema,
  database: databaseId.default('(default)'),
  apiKey: z
    .string()
    .regex(
      /^[A-Za-z0-9_-]{1,128}$/,
      'must be a web API key of the project, or to-be-created until the first apply creates it',
    ),
  signer: serviceAccountSchema,
  /** The Identity Platform tenant of Keydesk's users; undefined for users of the project itself. A credential may override it. */
  tenant: tenantSchema.optional(),
});

export type Database = z.output<typeof databaseSchema>;

/** The databases of a policy, by name. */
export type Databases = Readonly<Record<string, Database>>;

/** The credential with the fields of its database instead of the name; undefined when no database has that name. */
export function resolveDatabase(credential: WrittenCredential, databases: Databases): Credential | undefined {
  if (credential.kind !== 'firestore') return credential;
  const { database: name, tenant, ...rest } = credential;
  const database = Object.hasOwn(databases, name) ? databases[name] : undefined;
  return database && { ...rest, ...database, ...(tenant === undefined ? {} : { tenant }) };
}

/** A database has one set of generated rules, and the rules demand one tenant. */
export function tenantProblems(credentials: Readonly<Record<string, Credential>>): PolicyProblem[] {
  const seen = new Map<string, { readonly name: string; readonly tenant: string | undefined }>();
  return Object.entries(credentials).flatMap(([name, credential]) => {
    if (credential.kind !== 'firestore') return [];
    const { project, database, tenant } = credential;
    const other = seen.get(`${project}/${database}`);
    if (!other) seen.set(`${project}/${database}`, { name, tenant });
    if (!other || other.tenant === tenant) return [];
    return [
      {
        path: ['credentials', name, 'firestore', 'tenant'],
        message: `must be the same for every credential of ${project}/${database}. Here it is ${tenant ?? 'absent'}, and in credential ${other.name} it is ${other.tenant ?? 'absent'}`,
      },
    ];
  });
}
