// The fake Buildkite's list of pipelines: as strict, and paged, as the documentation says.

import { expect, it } from 'vitest';
import { type FakePipeline, listPipelines } from '../../../../../sandbox/fakes/buildkite/organization.ts';

const PIPELINES = Array.from({ length: 205 }, (_, nth): FakePipeline => ({ slug: `p-${nth}`, id: `id-${nth}` }));
const url = 'http://127.0.0.1/v2/organizations/acme-inc/pipelines';

const list = (query: Record<string, string>) => listPipelines(PIPELINES, { url, query: new URLSearchParams(query) });
const slugs = ({ json }: { json?: unknown }) => (json as { slug: string }[]).map(({ slug }) => slug);
const relations = ({ headers = {} }: { headers?: Readonly<Record<string, string>> }) =>
  [...(headers.link ?? '').matchAll(/<([^>]*)>; rel="(\w+)"/g)].map(([, link, rel]) => [rel, link]);

it('comes in pages with links to the others', () => {
  const [first, second, third] = ['1', '2', '3'].map((page) => list({ page, per_page: '100' }));
  expect([first, second, third].flatMap((page) => slugs(page ?? {}))).toEqual(PIPELINES.map(({ slug }) => slug));
  expect(relations(first ?? {})).toEqual([
    ['next', `${url}?page=2&per_page=100`],
    ['last', `${url}?page=3&per_page=100`],
  ]);
  expect(relations(second ?? {}).map(([rel]) => rel)).toEqual(['first', 'prev', 'next', 'last']);
  expect(relations(third ?? {}).map(([rel]) => rel)).toEqual(['first', 'prev']);
  expect(slugs(list({ page: '4', per_page: '100' }))).toEqual([]);
});

it('has thirty pipelines unless the request names another number', () => {
  expect(slugs(list({}))).toHaveLength(30);
});

it.each([{ per_page: '101' }, { per_page: '0' }, { page: '0' }, { after: 'nonsense' }, { name: 'web' }])(
  'is refused to a query that it does not know: %j',
  (query) => {
    expect(list(query as unknown as Record<string, string>).status).toBe(422);
  },
);
