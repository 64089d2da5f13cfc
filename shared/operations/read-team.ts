// Reads all members and all pipelines of one Buildkite team, page by page, or nothing of it. Pages have numbers: while they are read, a
// departure moves the entries behind it to the page before, and one of them may be on neither page. So a copy of several pages from
// which somebody vanished is used at once, and read again by the next sweep: see read_again in core/conditions/team-record.ts.

import {
  MAX_MEMBERS,
  MAX_PIPELINES,
  MAX_TEAM_PAGES,
  TEAM_PAGE_SIZE,
  type TeamCopy,
} from '../core/conditions/team-record.ts';
import { DependencyError } from '../runtime/errors.ts';
import { BUILDKITE_TEAMS, LookupError } from './lookup-error.ts';
import type { BuildkiteResponse, BuildkiteTeams, TeamPage } from './ports.ts';

/** Makes one call to Buildkite; undefined when no call is left. */
export type CallBuildkite = <T>(
  work: () => Promise<BuildkiteResponse<T>>,
) => Promise<{ readonly value: T } | undefined>;

/** Throws LookupError, and DependencyError also when the team does not exist, is too large, or no call is left in the middle of it. */
export async function readTeam(
  deps: { readonly buildkiteTeams: BuildkiteTeams; readonly call: CallBuildkite },
  team: { readonly organization_slug: string; readonly team_id: string },
): Promise<TeamCopy> {
  const { buildkiteTeams, call } = deps;
  let pages = 0;

  const readList = async <Value>(
    name: string,
    most: number,
    getPage: (page: number) => Promise<BuildkiteResponse<TeamPage<Value> | undefined>>,
  ) => {
    const found = new Map<string, Value>();
    for (let page = 1; ; page += 1) {
      pages += 1;
      if (pages > MAX_TEAM_PAGES) throw tooLarge(`has more than ${MAX_TEAM_PAGES} pages of members and pipelines`);
      const response = await call(() => getPage(page));
      if (!response) throw new DependencyError(BUILDKITE_TEAMS, 'no_calls_left', 'no call is left for the team');
      const { value } = response;
      if (!value) throw new DependencyError(BUILDKITE_TEAMS, 'team_missing', 'Buildkite does not show the team');
      const before = found.size;
      for (const [id, entry] of value.entries) found.set(id, entry);
      if (found.size > most) throw tooLarge(`has more than ${most} ${name}`);
      const isNew = found.size > before;
      if (value.more && !isNew)
        throw new LookupError('failed', `lists the same ${name} on two pages`, { dependency: BUILDKITE_TEAMS });
      // A page that is full may have lost its link to the next one on the way. One that repeats is of a list without pages.
      if (!value.more && (value.entries.length < TEAM_PAGE_SIZE || !isNew)) return { found, paged: page > 1 };
    }
  };

  const members = await readList('members', MAX_MEMBERS, (page) => buildkiteTeams.members(team, page));
  const pipelines = await readList('pipelines', MAX_PIPELINES, (page) => buildkiteTeams.pipelines(team, page));
  return {
    members: [...members.found.keys()],
    pipelines: Object.fromEntries(pipelines.found),
    paged: members.paged || pipelines.paged,
  };
}

function tooLarge(detail: string): DependencyError {
  return new DependencyError(BUILDKITE_TEAMS, 'team_too_large', detail);
}
