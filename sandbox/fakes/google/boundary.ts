// Credential Access Boundaries: their form, and what one leaves of the roles that its service account holds. Knows
// nothing of tokens and of what is stored. Sources: docs.cloud.google.com/iam/docs/downscoping-short-lived-credentials;
// docs.cloud.google.com/storage/docs/access-control/iam-roles.

import * as z from 'zod';

const RESOURCE = /^\/\/storage\.googleapis\.com\/projects\/_\/buckets\/([^/]+)$/;
const BUCKET = /^(?=.{3,222}$)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/;
const IN_ROLE = /^inRole:((?:(?:projects|organizations)\/[a-z0-9:.-]+\/)?roles\/[A-Za-z0-9_.]+)$/;

export const boundarySchema = z.strictObject({
  accessBoundaryRules: z
    .array(
      z.strictObject({
        availableResource: z.string().refine((resource) => BUCKET.test(RESOURCE.exec(resource)?.[1] ?? '')),
        availablePermissions: z.array(z.string().regex(IN_ROLE)).min(1),
        availabilityCondition: z
          .strictObject({
            expression: z.string().min(1).max(2048),
            title: z.string().optional(),
            description: z.string().optional(),
          })
          .optional(),
      }),
    )
    .min(1)
    .max(10),
});
export type Boundary = z.output<typeof boundarySchema>;

export type Permission = `storage.objects.${'get' | 'list' | 'create' | 'update' | 'delete'}` | 'storage.buckets.get';

const USER: readonly Permission[] = [
  'storage.objects.get',
  'storage.objects.list',
  'storage.objects.create',
  'storage.objects.update',
  'storage.objects.delete',
];
/** What of it matters here; in truth an admin of objects may change their access lists, too. */
export const OBJECT_ADMIN = USER;
/** A role that is not here grants nothing. */
const ROLES: ReadonlyMap<string, readonly Permission[]> = new Map([
  ['roles/storage.objectViewer', ['storage.objects.get', 'storage.objects.list']],
  ['roles/storage.objectCreator', ['storage.objects.create']],
  ['roles/storage.objectUser', USER],
  ['roles/storage.objectAdmin', OBJECT_ADMIN],
]);

export interface AccessRequest {
  readonly permission: Permission;
  readonly bucket: string;
  /** Of the object; undefined for what is done to the bucket, as listing is. */
  readonly name: string | undefined;
  /** The prefix of a requested list; empty for anything else. */
  readonly listPrefix: string;
}

/** @param unread takes a condition that could not be read, and so is false */
export function allows(
  boundary: Boundary,
  accessRequest: AccessRequest,
  unread: (expression: string) => void,
): boolean {
  return boundary.accessBoundaryRules.some(({ availableResource, availablePermissions, availabilityCondition }) => {
    if (RESOURCE.exec(availableResource)?.[1] !== accessRequest.bucket) return false;
    if (
      !availablePermissions.some((role) => ROLES.get(role.replace('inRole:', ''))?.includes(accessRequest.permission))
    )
      return false;
    if (!availabilityCondition) return true;
    const clauses = clausesOf(availabilityCondition.expression);
    if (!clauses) unread(availabilityCondition.expression);
    return clauses?.some((clause) => attributeOf(clause.of, accessRequest).startsWith(clause.start)) ?? false;
  });
}

interface Clause {
  readonly of: 'resource.name' | 'objectListPrefix';
  readonly start: string;
}

const CLAUSE =
  /(?:(resource\.name)|api\.getAttribute\('storage\.googleapis\.com\/(objectListPrefix)',\s*''\))\.startsWith\('([^'\\]*)'\)/y;
const OR = /\s*\|\|\s*/y;

/** The clauses of a condition as Google documents it for a prefix; undefined for any other, which Google may well take. */
function clausesOf(expression: string): readonly Clause[] | undefined {
  const clauses: Clause[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const taken = pattern.exec(expression);
    at = taken ? pattern.lastIndex : at;
    return taken;
  };
  do {
    const clause = take(CLAUSE);
    if (!clause) return undefined;
    clauses.push({ of: clause[1] ? 'resource.name' : 'objectListPrefix', start: clause[3] ?? '' });
  } while (take(OR));
  return at === expression.length ? clauses : undefined;
}

function attributeOf(attribute: Clause['of'], { bucket, name, listPrefix }: AccessRequest): string {
  if (attribute === 'objectListPrefix') return listPrefix;
  return `projects/_/buckets/${bucket}${name === undefined ? '' : `/objects/${name}`}`;
}
