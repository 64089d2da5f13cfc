// Names of Buildkite users, for what a command shows. Keydesk knows people by UUID alone, so the command reads the names from Buildkite, with
// the API token of the person who runs it. A name that cannot be had is no failure: the UUID is shown.
// Source: buildkite.com/docs/apis/rest-api/organizations/members.

import * as z from 'zod';
import { visible } from '../shared/core/policy/visible-text.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient } from '../shared/runtime/http-client.ts';
import { API_TOKEN_VARIABLE } from './api-token.ts';
import { type BuildkiteApi, readAllOf } from './buildkite-api.ts';
import { note } from './terminal.ts';

const SCOPE = 'read_organizations';
const member = z.object({ id: z.guid().toLowerCase(), name: z.string().max(256) });

export interface People {
  /** The user's name with the UUID, or the UUID alone. People choose their names: invisible characters are shown. */
  readonly show: (id: string) => string;
  /** A line about names that are not shown, for people; undefined when there is nothing to say. */
  readonly hint: string | undefined;
}

type NameReader = Omit<BuildkiteApi, 'apiToken'> & { readonly apiToken: string | undefined };

/** Of this run: each organization is read once. */
const known = new Map<string, Promise<ReadonlyMap<string, string>>>();

/**
 * Reads the names of the members of an organization, unless no user is to be shown. Never throws.
 * @param ids UUIDs of the users that are shown
 */
export async function readPeople(
  organization: string,
  ids: Iterable<string>,
  reader: NameReader = ofEnvironment(),
): Promise<People> {
  const shown = new Set(ids);
  const { apiToken } = reader;
  if (shown.size === 0) return { show: (id) => id, hint: undefined };
  if (!apiToken)
    return {
      show: (id) => id,
      hint: `People are shown by UUID. To see their names, set ${API_TOKEN_VARIABLE} to a Buildkite API token with ${SCOPE}.`,
    };
  try {
    const names = await namesOf({ ...reader, apiToken }, organization);
    const missing = [...shown].filter((id) => !names.has(id)).length;
    return {
      show: (id) => (names.has(id) ? `${names.get(id)} (${id})` : id),
      hint: missing > 0 ? `${missing} of ${shown.size} people are no members of ${organization} by now.` : undefined,
    };
  } catch (error) {
    return {
      show: (id) => id,
      hint: `People are shown by UUID: their names could not be read. ${errorMessage(error)}`,
    };
  }
}

function namesOf(api: BuildkiteApi, organization: string): Promise<ReadonlyMap<string, string>> {
  const before = known.get(organization);
  if (before) return before;
  const list = { organization, path: '/members', scope: SCOPE, name: 'people' };
  const reading = readAllOf(api, list, member).then(
    (people) => new Map(people.map(({ id, name }) => [id, visible(name)])),
  );
  known.set(organization, reading);
  return reading;
}

function ofEnvironment(): NameReader {
  return {
    sendRequest: createHttpClient(systemClock),
    clock: systemClock,
    apiUrl: process.env.KEYDESK_BUILDKITE_API_URL || 'https://api.buildkite.com',
    apiToken: process.env[API_TOKEN_VARIABLE]?.trim(),
    note,
  };
}
