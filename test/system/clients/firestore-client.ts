// A job's program on `@google-cloud/firestore` as it is published: what tells it where to go and who it is stands in its
// environment, and in the settings that the environment gives it.

import { Firestore, type WhereFilterOp } from '@google-cloud/firestore';
import { serveLines } from './serve-lines.ts';

const firestore = new Firestore(JSON.parse(process.env.FIRESTORE_SETTINGS ?? '{}'));
let ended: Promise<unknown> = Promise.resolve();
const heard: unknown[] = [];

await serveLines({
  get: async (path: string) => (await firestore.doc(path).get()).data(),
  getAll: async (...paths: string[]) => {
    const found = await firestore.getAll(...paths.map((path) => firestore.doc(path)));
    return found.map((document) => document.data() ?? null);
  },
  set: async (path: string, data: object) => void (await firestore.doc(path).set(data)),
  create: async (path: string, data: object) => void (await firestore.doc(path).create(data)),
  update: async (path: string, data: object) => void (await firestore.doc(path).update({ ...data })),
  delete: async (path: string) => void (await firestore.doc(path).delete()),
  batch: async (...paths: string[]) => {
    const batch = firestore.batch();
    for (const path of paths) batch.set(firestore.doc(path), { batched: true });
    await batch.commit();
  },
  transaction: (path: string) =>
    firestore.runTransaction(async (transaction) => {
      const found = await transaction.get(firestore.doc(path));
      const n = (found.get('n') ?? 0) + 1;
      transaction.set(firestore.doc(path), { n }, { merge: true });
      return n;
    }),
  list: async (path: string) => (await firestore.collection(path).get()).docs.map(({ id }) => id),
  query: async (path: string, field: string, operator: WhereFilterOp, value: unknown) =>
    (await firestore.collection(path).where(field, operator, value).get()).docs.map(({ id }) => id),
  count: async (path: string) => (await firestore.collection(path).count().get()).data().count,
  collectionGroup: async (id: string) => (await firestore.collectionGroup(id).get()).docs.map(({ ref }) => ref.path),
  listCollections: async () => (await firestore.listCollections()).map(({ id }) => id),
  listSubcollections: async (path: string) => (await firestore.doc(path).listCollections()).map(({ id }) => id),
  listDocuments: async (path: string) => (await firestore.collection(path).listDocuments()).map(({ id }) => id),
  bulkWriter: async (path: string) => {
    const writer = firestore.bulkWriter();
    writer.onWriteError(() => false);
    const written = writer.set(firestore.doc(path), { bulk: true });
    await Promise.all([written, writer.close()]);
  },
  recursiveDelete: async (path: string) => {
    const writer = firestore.bulkWriter();
    writer.onWriteError(() => false);
    await firestore.recursiveDelete(firestore.collection(path), writer);
  },
  /** Resolves with what is there; the listener goes on. */
  listen: (path: string) =>
    new Promise((resolve, reject) => {
      ended = new Promise((_, end) => {
        firestore.doc(path).onSnapshot(
          (snapshot) => {
            heard.push(snapshot.data());
            resolve(snapshot.data());
          },
          (error) => {
            end(error);
            reject(error);
          },
        );
      });
      ended.catch(() => {});
    }),
  /** With what ended the listener. */
  untilListenerEnds: () => ended,
  heard: async () => heard,
});
process.exit();
