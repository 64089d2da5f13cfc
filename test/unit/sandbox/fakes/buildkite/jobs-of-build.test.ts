// The fake Buildkite's list of a build's jobs: as strict, and paged, as the documentation says.

import { expect, it } from 'vitest';
import { type ListedJob, listJobs } from '../../../../../sandbox/fakes/buildkite/jobs-of-build.ts';

const JOBS = Array.from({ length: 205 }, (_, nth): ListedJob => {
  const agent = { connection_state: 'connected' };
  return { id: `job-${nth}`, type: 'script', state: 'running', finished_at: null, agent };
});
const url = 'http://127.0.0.1/v2/organizations/acme-inc/pipelines/app/builds/1/jobs';

const list = (query: Record<string, string>) => {
  const { status, json } = listJobs(JOBS, { url, query: new URLSearchParams(query) });
  return { status, ...(json as { items: ListedJob[]; links: { next: string | null } }) };
};

it('comes in pages that a cursor follows, each job once', () => {
  const seen: string[] = [];
  let query: Record<string, string> = { per_page: '100' };
  for (let pages = 0; pages < 5; pages += 1) {
    const { items, links } = list(query);
    seen.push(...items.map(({ id }) => id));
    if (links.next === null) break;
    query = Object.fromEntries(new URL(links.next).searchParams);
  }
  expect(seen).toEqual(JOBS.map(({ id }) => id));
});

it('has thirty jobs unless the request names another number', () => {
  expect(list({}).items).toHaveLength(30);
});

it.each<[Record<string, string>, number]>([
  [{ per_page: '101' }, 400],
  [{ per_page: '0' }, 400],
  [{ after: 'nonsense' }, 400],
  [{ page: '2' }, 422],
  [{ 'state[]': 'running' }, 422],
  [{ before: 'nonsense' }, 422],
])('is refused to the query %j: %i', (query, status) => {
  expect(list(query).status).toBe(status);
});
