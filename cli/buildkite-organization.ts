// Reads the UUIDs of a Buildkite organization, its pipelines and its teams from Buildkite's REST API. Sources:
// buildkite.com/docs/apis/rest-api/organizations, /pipelines and /teams.

import * as z from 'zod';
import { type BuildkiteApi, getOf, RefusedByBuildkite, readAllOf } from './buildkite-api.ts';

const identified = z.object({ id: z.guid().toLowerCase(), slug: z.string().min(1).max(256) });
const pipelineSchema = identified.extend({ archived_at: z.string().nullish() });

export interface ListedPipeline {
  readonly slug: string;
  readonly id: string;
  readonly archived: boolean;
}

export type ListedTeam = z.output<typeof identified>;

/**
 * All pipelines that the API token may see, sorted by slug.
 * @throws Error with a message for people, which never holds the token
 */
export async function readBuildkiteOrganization(
  api: BuildkiteApi,
  slug: string,
): Promise<{ organization: { slug: string; id: string }; pipelines: readonly ListedPipeline[] }> {
  const requested = { organization: slug, needs: 'the scopes read_organizations and read_pipelines' };
  const organization = await getOf(api, { ...requested, path: '', scope: 'read_organizations' }, identified);
  const list = { ...requested, path: '/pipelines', scope: 'read_pipelines', name: 'pipelines' };
  const listed = await readAllOf(api, list, pipelineSchema);
  const pipelines = listed.map(({ id, slug, archived_at }) => ({ slug, id, archived: Boolean(archived_at) }));
  return { organization, pipelines: onceBySlug(pipelines) };
}

/**
 * All teams that the API token may see, sorted by slug. Undefined where it may see none: it lacks the scope read_teams, or the organization
 * has no teams. @throws Error as above
 */
export async function readBuildkiteTeams(api: BuildkiteApi, slug: string): Promise<readonly ListedTeam[] | undefined> {
  try {
    const list = { organization: slug, path: '/teams', scope: 'read_teams', name: 'teams' };
    return onceBySlug(await readAllOf(api, list, identified));
  } catch (error) {
    if (error instanceof RefusedByBuildkite && [403, 404].includes(error.status)) return undefined;
    throw error;
  }
}

/** A list that changes while it is read may have an entry on two pages. */
function onceBySlug<T extends { readonly id: string; readonly slug: string }>(entries: readonly T[]): T[] {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return [...byId.values()].sort((one, other) => (one.slug < other.slug ? -1 : 1));
}
