// Lists that Google returns in pages: each page is read, or the check says that it could not look.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createFolderTransport } from '../../../../cli/checks/folder.ts';
import { type Call, createReader, type Transport } from '../../../../cli/checks/google.ts';

const call: Call<{ items: number[]; nextPageToken?: string | undefined }> = {
  api: 'iam.googleapis.com',
  path: 'v1/projects/acme/things',
  shape: z.object({ items: z.array(z.number()).default([]), nextPageToken: z.string().optional() }),
  permission: 'iam.things.list',
  role: 'roles/viewer',
  on: 'acme',
};
const quotaProject = 'acme';

/** Google with `last` pages, each with its number. */
const pagesUpTo =
  (last: number): Transport =>
  async ({ query = [] }) => {
    const page = Number(query.find(([name]) => name === 'pageToken')?.[1] ?? 1);
    return { status: 200, json: { items: [page], ...(page < last ? { nextPageToken: String(page + 1) } : {}) } };
  };

describe('a list', () => {
  it('is read to its end, up to twenty pages', async () => {
    const pages = await createReader(pagesUpTo(20), { quotaProject }).readAll(call);
    expect(pages.flatMap(({ items }) => items)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it('of more pages is not taken for all of it', async () => {
    const read = createReader(pagesUpTo(21), { quotaProject }).readAll(call);
    await expect(read).rejects.toThrow('iam.googleapis.com returned more than 20 pages');
  });
});

describe('a list in a folder of exports', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-pages-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is not taken for all of it when only its first page was exported', async () => {
    const file = join(folder, 'iam.projects.acme.things.json');
    const google = createReader(createFolderTransport(folder, { quotaProject }), { quotaProject });
    writeFileSync(file, JSON.stringify({ items: [1], nextPageToken: 'more' }));
    await expect(google.readAll(call)).rejects.toThrow('has the first page only');
    writeFileSync(file, JSON.stringify({ items: [1] }));
    expect(await google.readAll(call)).toEqual([{ items: [1] }]);
  });
});
