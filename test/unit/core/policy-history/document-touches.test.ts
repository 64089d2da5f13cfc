// What entries of Firestore's Data Access log say of documents; and what does not say it is unclear.

import { describe, expect, it } from 'vitest';
import { toGrantTouches } from '../../../../shared/core/policy-history/document-touches.ts';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { DOCUMENTS, touchEntry } from '../../../fixtures/touches.ts';

const NAME = `${DOCUMENTS}/config/release`;
const PATH = ['config', 'release'];
const QUERY = { from: [{ collectionId: 'config' }], limit: 10 };
const read = (...args: Parameters<typeof touchEntry>) => {
  const entry = toLogEntry(touchEntry(...args));
  return entry && toGrantTouches(entry);
};

describe('an entry of Google', () => {
  it.each([
    ['GetDocument', { name: NAME }, [{ verbs: ['get'], path: PATH }]],
    ['BatchGetDocuments', { documents: [NAME, `${NAME}/a/b`] }, [{ path: PATH }, { path: [...PATH, 'a', 'b'] }]],
    ['ListDocuments', { parent: DOCUMENTS, collectionId: 'config' }, [{ verbs: ['list'], path: ['config', null] }]],
    ['RunQuery', { parent: NAME, structuredQuery: QUERY }, [{ verbs: ['list'], path: [...PATH, 'config', null] }]],
    [
      'RunQuery',
      { parent: NAME, structuredQuery: { from: [{ collectionId: 'c', allDescendants: true }] } },
      [{ verbs: ['list'], path: PATH, isGroup: true }],
    ],
    [
      'RunAggregationQuery',
      { parent: DOCUMENTS, structuredAggregationQuery: { structuredQuery: QUERY, aggregations: [{ count: {} }] } },
      [{ verbs: ['list'], path: ['config', null] }],
    ],
    ['Listen', { addTarget: { documents: { documents: [NAME] } } }, [{ verbs: ['get'], path: PATH }]],
    ['Listen', { addTarget: { query: { parent: DOCUMENTS, structuredQuery: QUERY } } }, [{ verbs: ['list'] }]],
    ['Listen', { removeTarget: 1 }, []],
    [
      'CreateDocument',
      { parent: DOCUMENTS, collectionId: 'config', documentId: 'release' },
      [{ verbs: ['create'], path: PATH }],
    ],
    ['CreateDocument', { parent: DOCUMENTS, collectionId: 'config' }, [{ verbs: ['create'], path: ['config', null] }]],
    ['UpdateDocument', { document: { name: NAME } }, [{ verbs: ['create', 'update'], path: PATH }]],
    ['UpdateDocument', { document: { name: NAME }, currentDocument: { exists: true } }, [{ verbs: ['update'] }]],
    ['DeleteDocument', { name: NAME }, [{ verbs: ['delete'], path: PATH }]],
    [
      'Commit',
      { writes: [{ update: { name: NAME } }, { delete: NAME }] },
      [{ verbs: ['create', 'update'] }, { verbs: ['delete'] }],
    ],
    ['Commit', { writes: [{ update: { name: NAME }, currentDocument: { exists: false } }] }, [{ verbs: ['create'] }]],
    [
      'Commit',
      { writes: [{ update: { name: NAME }, currentDocument: { updateTime: '2026-11-01T00:00:00Z' } }] },
      [{ verbs: ['update'] }],
    ],
    ['BatchWrite', { writes: [{ transform: { document: NAME } }] }, [{ verbs: ['create', 'update'], path: PATH }]],
    ['BeginTransaction', {}, []],
  ])('of %s says which documents: %j', (method, request, touches) => {
    expect(read('2026-11-01T00:00:00Z', 'g', method, request)).toMatchObject({ grant_id: 'g', method, touches });
  });

  it.each([
    ['GetDocument', {}],
    ['GetDocument', { name: 'config/release' }],
    ['BatchGetDocuments', { documents: [NAME, `${NAME}/a`] }],
    ['RunQuery', { parent: DOCUMENTS }],
    ['RunQuery', { parent: DOCUMENTS, structuredQuery: { from: [{ collectionId: '', allDescendants: true }] } }],
    ['Commit', {}],
    ['Commit', { writes: [{ update: { name: NAME } }, { verify: NAME }] }],
    ['Write', { streamToken: 'x' }],
    ['ExecutePipeline', {}],
    ['constructor', {}],
  ])('of %s is unclear: %j', (method, request) => {
    expect(read('2026-11-01T00:00:00Z', 'g', method, request)).toMatchObject({ grant_id: 'g', touches: undefined });
  });

  it('of a denied request, of another service, of another log, or of nobody known is no touch', () => {
    const of = (more: object) => read('2026-11-01T00:00:00Z', 'g', 'GetDocument', { name: NAME }, more);
    expect(of({})).toBeDefined();
    expect(of({ status: { code: 5 } })).toBeDefined();
    expect(of({ status: { code: 7 } })).toBeUndefined();
    expect(of({ serviceName: 'storage.googleapis.com' })).toBeUndefined();
    expect(of({ authenticationInfo: { principalEmail: 'a@b.example' } })).toBeUndefined();
    const forged = {
      ...touchEntry('2026-11-01T00:00:00Z', 'g', 'GetDocument', { name: NAME }),
      logName: 'projects/p/logs/my',
    };
    expect(toGrantTouches(toLogEntry(forged) ?? { at: 0 })).toBeUndefined();
  });
});
