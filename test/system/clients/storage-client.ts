// A job's program on `@google-cloud/storage` as it is published: what tells it who it is stands in its environment, where
// to go in its one setting.

import { Storage } from '@google-cloud/storage';
import { serveLines } from './serve-lines.ts';

// Without the latter it takes any other endpoint for an emulator, to which it sends no token.
const storage = new Storage({ apiEndpoint: process.env.STORAGE_ENDPOINT as string, useAuthWithCustomEndpoint: true });
const file = (bucket: string, name: string) => storage.bucket(bucket).file(name);

await serveLines({
  save: async (bucket: string, name: string, text: string) => file(bucket, name).save(text, { resumable: false }),
  /** In pieces. By itself `save` would begin that without a token, at an endpoint that is not Google's. */
  saveResumably: async (bucket: string, name: string, text: string) => {
    const [uri] = await file(bucket, name).createResumableUpload();
    await file(bucket, name).save(text, { resumable: true, uri, chunkSize: 256 * 1024 });
  },
  read: async (bucket: string, name: string) => `${(await file(bucket, name).download())[0]}`,
  list: async (bucket: string, prefix: string) => {
    const [files] = await storage.bucket(bucket).getFiles({ prefix });
    return files.map(({ name }) => name);
  },
  exists: async (bucket: string, name: string) => (await file(bucket, name).exists())[0],
  delete: async (bucket: string, name: string) => void (await file(bucket, name).delete()),
});
