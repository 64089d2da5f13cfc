// What a job did with documents, from an entry of Firestore's Data Access log that carries the job's grant.
// Sources: docs.cloud.google.com/firestore/native/docs/audit-logging; google/firestore/v1/firestore.proto. Nothing here was compared
// with an entry of the real Google: what an entry does not say is unclear, and never nothing.

import * as z from 'zod';
import type { Verb } from '../kinds/firestore.ts';
import type { LogEntry } from './log-entry.ts';

/** Documents, and the methods of the security rules. One of them allowed it. */
export interface DocumentTouch {
  /** Such as `projects/acme-staging/databases/(default)`. */
  readonly database: string;
  /** `set` without a precondition creates or updates: the entry does not say which. */
  readonly verbs: readonly Verb[];
  /** Names of collections and documents; null for a document whose name is not known, such as those that a query finds. */
  readonly path: readonly (string | null)[];
  /** A query of collections at any depth below `path`. */
  readonly isGroup?: true;
}

export interface GrantTouches {
  readonly at: number | undefined;
  readonly grant_id: string;
  readonly method: string;
  /** Undefined when the entry does not say what was touched. */
  readonly touches: readonly DocumentTouch[] | undefined;
}

const SERVICES = ['firestore.googleapis.com', 'datastore.googleapis.com'];
const PERMISSION_DENIED = 7;

const auditLogSchema = z.object({
  serviceName: z.string(),
  methodName: z.string(),
  status: z.object({ code: z.number().optional() }).optional(),
  request: z.record(z.string(), z.unknown()).default({}),
  authenticationInfo: z.object({
    thirdPartyPrincipal: z.object({ payload: z.object({ keydesk_grant: z.string() }) }),
  }),
});

/** @returns undefined for an entry of anything else, and for a request that was denied */
export function toGrantTouches({ at, auditLog }: LogEntry): GrantTouches | undefined {
  const read = auditLogSchema.safeParse(auditLog);
  if (!read.success || !SERVICES.includes(read.data.serviceName)) return undefined;
  const { methodName, status, request, authenticationInfo } = read.data;
  if (status?.code === PERMISSION_DENIED) return undefined;
  const method = methodName.split('.').at(-1) ?? '';
  const readRequest = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  return {
    ...{ at, grant_id: authenticationInfo.thirdPartyPrincipal.payload.keydesk_grant, method },
    touches: readRequest?.(request),
  };
}

type Request = Readonly<Record<string, unknown>>;
type Touches = readonly DocumentTouch[] | undefined;

const METHODS: Readonly<Record<string, (request: Request) => Touches>> = {
  GetDocument: ({ name }) => touchesOf(['get'], [name]),
  BatchGetDocuments: ({ documents }) => touchesOf(['get'], documents),
  ListDocuments: ({ parent, collectionId }) => listOf(parent, { from: [{ collectionId }] }),
  RunQuery: ({ parent, structuredQuery }) => listOf(parent, structuredQuery),
  PartitionQuery: ({ parent, structuredQuery }) => listOf(parent, structuredQuery),
  RunAggregationQuery: ({ parent, structuredAggregationQuery }) =>
    listOf(
      parent,
      z.object({ structuredQuery: z.unknown() }).safeParse(structuredAggregationQuery).data?.structuredQuery,
    ),
  Listen: toListened,
  CreateDocument: ({ parent, collectionId, documentId }) => {
    const path = z.string().min(1).safeParse(collectionId);
    const above = placeOf(parent, true);
    if (!path.success || !above) return undefined;
    const name = typeof documentId === 'string' && documentId !== '' ? documentId : null;
    return [{ ...above, verbs: ['create'], path: [...above.path, path.data, name] }];
  },
  UpdateDocument: ({ document, currentDocument }) => toWritten([{ update: document, currentDocument }]),
  DeleteDocument: ({ name }) => touchesOf(['delete'], [name]),
  Commit: ({ writes }) => toWritten(writes),
  Write: ({ writes }) => toWritten(writes),
  BatchWrite: ({ writes }) => toWritten(writes),
  BeginTransaction: () => [],
  Rollback: () => [],
};

const target = z.object({
  documents: z.object({ documents: z.unknown() }).optional(),
  query: z.object({ parent: z.unknown(), structuredQuery: z.unknown() }).optional(),
});

function toListened({ addTarget, removeTarget }: Request): Touches {
  if (removeTarget !== undefined && addTarget === undefined) return [];
  const { documents, query } = target.safeParse(addTarget).data ?? {};
  if (documents) return touchesOf(['get'], documents.documents);
  return query && listOf(query.parent, query.structuredQuery);
}

const named = z.object({ name: z.string() });
const write = z.object({
  update: named.optional(),
  delete: z.string().optional(),
  transform: z.object({ document: z.string() }).optional(),
  currentDocument: z.object({ exists: z.boolean().optional(), updateTime: z.unknown().optional() }).nullish(),
});

function toWritten(writes: unknown): Touches {
  const read = z.array(write).min(1).safeParse(writes);
  if (!read.success) return undefined;
  const touches = read.data.map(({ update, delete: deleted, transform, currentDocument }): Touches => {
    if (deleted !== undefined) return touchesOf(['delete'], [deleted]);
    const exists = currentDocument?.exists ?? (currentDocument?.updateTime === undefined ? undefined : true);
    const verbs =
      exists === undefined ? (['create', 'update'] as const) : exists ? (['update'] as const) : (['create'] as const);
    return touchesOf(verbs, [update?.name ?? transform?.document]);
  });
  return touches.every((one) => one !== undefined) ? touches.flat() : undefined;
}

const query = z.object({
  from: z.tuple([z.object({ collectionId: z.string().min(1), allDescendants: z.boolean().optional() })]),
});

function listOf(parent: unknown, structuredQuery: unknown): Touches {
  const above = placeOf(parent, true);
  const [from] = query.safeParse(structuredQuery).data?.from ?? [];
  if (!above || !from) return undefined;
  if (from.allDescendants) return [{ ...above, verbs: ['list'], isGroup: true }];
  return [{ ...above, verbs: ['list'], path: [...above.path, from.collectionId, null] }];
}

function touchesOf(verbs: readonly Verb[], names: unknown): Touches {
  const read = z.array(z.string()).min(1).safeParse(names);
  if (!read.success) return undefined;
  const places = read.data.map((name) => placeOf(name, false));
  return places.every((place) => place !== undefined) ? places.map((place) => ({ ...place, verbs })) : undefined;
}

interface Place {
  readonly database: string;
  readonly path: readonly string[];
}

/** Of a resource name such as `projects/P/databases/D/documents/config/release`. @param isParent it may be the root */
function placeOf(name: unknown, isParent: boolean): Place | undefined {
  const [, database, path] = /^(projects\/[^/]+\/databases\/[^/]+)\/documents(?:\/(.+))?$/.exec(String(name)) ?? [];
  if (database === undefined) return undefined;
  if (path === undefined) return isParent && String(name).endsWith('/documents') ? { database, path: [] } : undefined;
  const segments = path.split('/');
  const isDocument = segments.length % 2 === 0 && segments.every((segment) => segment !== '');
  return isDocument ? { database, path: segments } : undefined;
}
