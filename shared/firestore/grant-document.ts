// The document that security rules look up to judge a Firestore token. It is opened before the token is returned and closed
// when access ends. Once closed it stays closed: a request that was still in flight cannot open it.

import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { GRANT_COLLECTION } from '../core/policy/document-path.ts';
import type { CloseGrantDocument, GrantDocumentName, OpenGrantDocument } from '../operations/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { createTimeout, withTimeout } from '../runtime/errors.ts';
import type { Database, OpenDatabase } from './database.ts';
import { alreadyExists, parseRecord, retryOnConflict } from './records.ts';
import { toStoredRecord } from './stored-record.ts';

const DEADLINE_MS = 3_000;
/** How long a closed document outlives its grant, so that no request still on its way can open it again. */
export const GRANT_DOCUMENT_RETENTION_MS = 30 * 86_400_000;

/** What is read of a grant document. */
export const grantDocumentSchema = z.object({
  state: z.enum(['active', 'ended']),
  expires_at: z.number(),
  roles: z.array(z.string()),
});

export function createGrantDocumentOpener(openDatabase: OpenDatabase, clock: Clock): OpenGrantDocument {
  /** By database: each has a client of its own, which is built at its first use. */
  const timeouts = new Map<string, ReturnType<typeof createTimeout>>();
  return (name, { roles, expires_at }) => {
    const database = openDatabase(name);
    const key = `${name.project}/${name.database}`;
    const withDeadline =
      timeouts.get(key) ?? createTimeout({ clock, milliseconds: DEADLINE_MS, dependency: 'grant document' });
    timeouts.set(key, withDeadline);
    const document = (until: number) =>
      toStoredRecord({ state: 'active', roles, expires_at: until, delete_at: until + GRANT_DOCUMENT_RETENTION_MS });
    const open = async (): Promise<boolean> => {
      try {
        await documentIn(database, name).create(document(expires_at));
        return true;
      } catch (error) {
        if (!alreadyExists(error)) throw error;
      }
      return retryOnConflict(clock, async () => {
        const snapshot = await documentIn(database, name).get();
        const existing = parseRecord(grantDocumentSchema, snapshot);
        if (!existing) throw new Error('the grant document was deleted while it was being opened');
        if (existing.state === 'ended') return false;
        if (existing.expires_at >= expires_at && isDeepStrictEqual(existing.roles, roles)) return true;
        const lastUpdateTime = snapshot.updateTime;
        if (!lastUpdateTime) throw new Error('a document without an update time');
        await documentIn(database, name).update(document(Math.max(existing.expires_at, expires_at)), {
          lastUpdateTime,
        });
        return true;
      });
    };
    return withDeadline(open());
  };
}

export function createGrantDocumentCloser(openDatabase: OpenDatabase, clock: Clock): CloseGrantDocument {
  return async (name, now) => {
    const ended = { state: 'ended', roles: [], expires_at: now, delete_at: now + GRANT_DOCUMENT_RETENTION_MS };
    await withTimeout(
      { clock, milliseconds: DEADLINE_MS, dependency: 'grant document' },
      documentIn(openDatabase(name), name).set(toStoredRecord(ended)),
    );
  };
}

function documentIn(database: Database, { grant_id }: GrantDocumentName) {
  return database.collection(GRANT_COLLECTION).doc(grant_id);
}
