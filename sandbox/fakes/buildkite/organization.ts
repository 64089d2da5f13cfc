// An organization and the list of its pipelines as the REST API shows them: by page number, 30 pipelines, or up to 100 by request, with the
// other pages in the header Link. Refuses parameters that the documentation does not know.
// Sources: buildkite.com/docs/apis/rest-api/organizations, /pipelines, and /docs/apis/rest-api#pagination.

import type { LocalResponse } from '../../local-server.ts';

export interface FakePipeline {
  readonly slug: string;
  readonly id: string;
  readonly archived?: boolean;
}

const PARAMETERS = new Set(['name', 'repository', 'page', 'per_page']);
/** Documented for this list; nobody needs them here. */
const FILTERS = ['name', 'repository'];

export function showOrganization(url: string, { slug, id }: { slug: string; id: string }): LocalResponse {
  const own = `${url}/v2/organizations/${slug}`;
  return {
    status: 200,
    json: {
      id,
      graphql_id: toGraphqlId('Organization', id),
      url: own,
      web_url: `https://buildkite.com/${slug}`,
      name: slug,
      slug,
      pipelines_url: `${own}/pipelines`,
      agents_url: `${own}/agents`,
      emojis_url: `${own}/emojis`,
      created_at: '2015-05-09T21:05:59.874Z',
    },
  };
}

/** @param url of the list */
export function listPipelines(
  pipelines: readonly FakePipeline[],
  { url, query }: { readonly url: string; readonly query: URLSearchParams },
): LocalResponse {
  const unknown = [...query.keys()].filter((name) => !PARAMETERS.has(name));
  const filter = FILTERS.find((name) => query.has(name));
  if (unknown.length > 0) return refuse(`unknown parameter: ${unknown.join(', ')}`);
  if (filter !== undefined) return refuse(`the sandbox does not filter by ${filter}`);
  return listPage(pipelines, { url, query, show: (pipeline) => toListed(url, pipeline) });
}

/** A page of a list: 30 entries, or up to 100 by request. @param list.url of the list */
export function listPage<Entry>(
  entries: readonly Entry[],
  list: { readonly url: string; readonly query: URLSearchParams; readonly show: (entry: Entry) => unknown },
): LocalResponse {
  const { url, query, show } = list;
  const size = query.get('per_page') ?? '30';
  if (!/^[1-9][0-9]?$|^100$/.test(size)) return refuse('per_page must be from 1 to 100');
  const page = query.get('page') ?? '1';
  if (!/^[1-9][0-9]{0,3}$/.test(page)) return refuse('page must be a number from 1');
  const last = Math.max(1, Math.ceil(entries.length / Number(size)));
  const start = (Number(page) - 1) * Number(size);
  return {
    status: 200,
    headers: linkHeader(url, query, { size, page: Number(page), last }),
    json: entries.slice(start, start + Number(size)).map(show),
  };
}

function toListed(url: string, { slug, id, archived = false }: FakePipeline) {
  return {
    id,
    graphql_id: toGraphqlId('Pipeline', id),
    url: `${url}/${slug}`,
    name: slug,
    slug,
    repository: `git@github.com:acme/${slug}.git`,
    default_branch: 'main',
    created_at: '2013-09-03 13:24:38 UTC',
    archived_at: archived ? '2026-02-01 08:00:00 UTC' : null,
    visibility: 'private',
    configuration: 'steps:\n  - command: "buildkite-agent pipeline upload"\n',
  };
}

/** As RFC 8288 has it. Of one page there is none. The other parameters stay. */
function linkHeader(
  url: string,
  query: URLSearchParams,
  at: { readonly size: string; readonly page: number; readonly last: number },
): Record<string, string> {
  const { size, page, last } = at;
  const others = [...query].filter(([name]) => name !== 'page' && name !== 'per_page');
  const link = (to: number, rel: string) =>
    `<${url}?${new URLSearchParams([['page', String(to)], ['per_page', size], ...others])}>; rel="${rel}"`;
  const before = page > 1 ? [link(1, 'first'), link(page - 1, 'prev')] : [];
  const after = page < last ? [link(page + 1, 'next'), link(last, 'last')] : [];
  const links = [...before, ...after];
  return links.length > 0 ? { link: links.join(', ') } : {};
}

function toGraphqlId(type: string, id: string): string {
  return Buffer.from(`${type}---${id}`).toString('base64');
}

function refuse(message: string): LocalResponse {
  return { status: 422, json: { message } };
}
