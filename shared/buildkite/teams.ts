// One page of a Buildkite team's members or pipelines. Sources: buildkite.com/docs/apis/rest-api/teams/members and
// /pipelines, and /docs/apis/rest-api#pagination. The documentation does not say that the list of members has pages; it is read as if.

import * as z from 'zod';
import { TEAM_PAGE_SIZE } from '../core/conditions/team-record.ts';
import { TEAM_ACCESS } from '../core/policy/conditions.ts';
import { LookupError } from '../operations/lookup-error.ts';
import type { BuildkiteTeams, TeamPage } from '../operations/ports.ts';
import type { JsonResponse } from '../runtime/http-client.ts';
import type { RestApi } from './rest-api.ts';

const id = z.guid().toLowerCase();
const members = z.array(z.object({ user_id: id }));
const pipelines = z.array(z.object({ pipeline_id: id, access_level: z.enum(TEAM_ACCESS) }));

export function createBuildkiteTeams({ get, dependency }: RestApi): BuildkiteTeams {
  const malformed = (detail: string) => new LookupError('failed', detail, { dependency });

  const pageOf = async <Entry extends z.ZodType>(
    list: 'members' | 'pipelines',
    schema: Entry,
    { organization_slug, team_id }: { readonly organization_slug: string; readonly team_id: string },
    page: number,
  ) => {
    const path = `organizations/${encodeURIComponent(organization_slug)}/teams/${encodeURIComponent(team_id)}/${list}`;
    const query = new URLSearchParams({ page: String(page), per_page: String(TEAM_PAGE_SIZE) });
    return get(`${path}?${query}`, (json, headers) => {
      const parsed = schema.safeParse(json);
      if (!parsed.success) throw malformed(`lists the ${list} of a team in an unexpected form`);
      return { entries: parsed.data, more: hasNext(headers, page, malformed) };
    });
  };

  return {
    members: async (team, page) => {
      const { value, ...limit } = await pageOf('members', members, team, page);
      return {
        ...limit,
        value:
          value &&
          toPage(
            value.entries.map(({ user_id }) => [user_id, null]),
            value.more,
          ),
      };
    },
    pipelines: async (team, page) => {
      const { value, ...limit } = await pageOf('pipelines', pipelines, team, page);
      const toEntry = ({ pipeline_id, access_level }: z.output<typeof pipelines>[number]) =>
        [pipeline_id, access_level] as const;
      return { ...limit, value: value && toPage(value.entries.map(toEntry), value.more) };
    },
  };
}

function toPage<Value>(entries: TeamPage<Value>['entries'], more: boolean): TeamPage<Value> {
  return { entries, more };
}

/** Of the link only the number is used: the API token goes to no address that a response names. */
function hasNext(headers: JsonResponse['headers'], page: number, malformed: (detail: string) => LookupError): boolean {
  const [, link] = /<([^<>]*)>;\s*rel="?next"?/.exec(headers.get('link') ?? '') ?? [];
  if (link === undefined) return false;
  const next = URL.canParse(link) ? new URL(link).searchParams.get('page') : null;
  if (next !== String(page + 1)) throw malformed('returned a link to the next page that is not understood');
  return true;
}
