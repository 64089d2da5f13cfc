// A team is read whole or not at all: pages that end, repeat, lose their link, shift while they are read, or are too many.

import { describe, expect, it } from 'vitest';
import type { TeamAccess } from '../../../shared/core/policy/conditions.ts';
import { LookupError } from '../../../shared/operations/lookup-error.ts';
import type { BuildkiteTeams, TeamPage } from '../../../shared/operations/ports.ts';
import { readTeam } from '../../../shared/operations/read-team.ts';

const TEAM = { organization_slug: 'acme-inc', team_id: 'team' };
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, nth) => `id-${from + nth}`);

interface List {
  /** The ids of each page; undefined: the team is not shown. Beyond the last one pages are empty. */
  readonly pages?: readonly (readonly string[] | undefined)[];
  /** Which pages name a next one, from 1. */
  readonly links?: readonly number[];
}

/** Buildkite with these lists, and how many calls may be made. */
function open(members: List, pipelines: List = {}, calls = 100) {
  let left = calls;
  const requested: string[] = [];
  const pageOf = <Value>(name: string, { pages = [[]], links }: List, page: number, value: Value) => {
    requested.push(`${name} ${page}`);
    const found = page > pages.length ? [] : pages[page - 1];
    const more = links ? links.includes(page) : page < pages.length;
    const listed: TeamPage<Value> | undefined = found && { entries: found.map((id) => [id, value]), more };
    return { value: listed, remaining: undefined, malformed: [] };
  };
  const access: TeamAccess = 'build_and_read';
  const buildkiteTeams: BuildkiteTeams = {
    members: async (_, page) => pageOf('members', members, page, null),
    pipelines: async (_, page) => pageOf('pipelines', pipelines, page, access),
  };
  const read = () =>
    readTeam(
      { buildkiteTeams, call: async (work) => (left-- > 0 ? { value: (await work()).value } : undefined) },
      TEAM,
    );
  return { read, requested };
}
const sizes = async ({ read }: ReturnType<typeof open>) => {
  const { members, pipelines, paged } = await read();
  return [members.length, Object.keys(pipelines).length, paged];
};

describe('a team', () => {
  it.each<[string, List, List, readonly unknown[], number]>([
    ['without anybody', {}, {}, [0, 0, false], 2],
    ['of one page each', { pages: [ids(0, 2)] }, { pages: [ids(0, 3)] }, [2, 3, false], 2],
    ['of several pages', { pages: [ids(0, 100), ids(100, 150)] }, { pages: [ids(0, 1)] }, [150, 1, true], 3],
    ['with small pages that name the next', { pages: [ids(0, 30), ids(30, 60), ids(60, 70)] }, {}, [70, 0, true], 4],
    [
      'whose full page names no next one, and has one',
      { pages: [ids(0, 100), ids(100, 130)], links: [] },
      {},
      [130, 0, true],
      3,
    ],
    ['whose full page is the last one', { pages: [ids(0, 100)] }, {}, [100, 0, true], 3],
    ['of a list without pages, all at once', { pages: [ids(0, 250), ids(0, 250)], links: [] }, {}, [250, 0, true], 3],
    ['with entries on two pages', { pages: [ids(0, 100), ids(99, 150)] }, {}, [150, 0, true], 3],
  ])('%s is read', async (_, members, pipelines, expected, calls) => {
    const opened = open(members, pipelines);
    expect(await sizes(opened)).toEqual(expected);
    expect(opened.requested).toHaveLength(calls);
  });

  it.each<[string, ReturnType<typeof open>, string]>([
    ['that Buildkite does not show', open({ pages: [undefined] }), 'team_missing'],
    ['that vanishes between its lists', open({}, { pages: [undefined] }), 'team_missing'],
    ['that vanishes between its pages', open({ pages: [ids(0, 100), undefined] }), 'team_missing'],
    ['whose pages repeat', open({ pages: [ids(0, 100), ids(0, 100), ids(0, 100)] }), 'invalid_response'],
    ['with an empty page that names the next', open({ pages: [[], ids(0, 1)] }), 'invalid_response'],
    ['of more than 5,000 members', open({ pages: [ids(0, 5001)] }), 'team_too_large'],
    ['of more than 5,000 pipelines', open({}, { pages: [ids(0, 5001)] }), 'team_too_large'],
    [
      'of 21 pages',
      open({ pages: Array.from({ length: 20 }, (_, nth) => ids(nth * 9, nth * 9 + 9)) }),
      'team_too_large',
    ],
    ['without a call left for its last page', open({ pages: [ids(0, 100), ids(100, 101)] }, {}, 2), 'no_calls_left'],
  ])('%s is not read, and nothing of it is', async (_, { read }, code) => {
    await expect(read()).rejects.toMatchObject({ dependency: 'buildkite teams', code });
  });

  it('of 5,000 members and 20 pages is read', async () => {
    const pages = [ids(0, 4982), ...Array.from({ length: 18 }, (_, nth) => ids(4982 + nth, 4983 + nth))];
    expect(await sizes(open({ pages }, { pages: [ids(0, 1)] }))).toEqual([5000, 1, true]);
  });

  it('has the access that a later page says: it may have changed meanwhile', async () => {
    const pageOf = (access: TeamAccess, more: boolean) => ({
      ...{ value: { entries: [['web', access] as const, ['b', access] as const], more }, malformed: [] },
      remaining: undefined,
    });
    const buildkiteTeams: BuildkiteTeams = {
      members: async () => ({ value: { entries: [], more: false }, remaining: undefined, malformed: [] }),
      pipelines: async (_, page) =>
        page === 1
          ? pageOf('manage_build_and_read', true)
          : {
              ...pageOf('read_only', false),
              value: {
                entries: [
                  ['web', 'read_only'],
                  ['c', 'read_only'],
                ],
                more: false,
              },
            },
    };
    const { pipelines } = await readTeam({ buildkiteTeams, call: async (work) => work() }, TEAM);
    expect(pipelines).toEqual({ web: 'read_only', b: 'manage_build_and_read', c: 'read_only' });
  });

  it('passes failures on', async () => {
    const error = new LookupError('limited', 'returned 429', { dependency: 'buildkite teams', retryAfter: 7 });
    const buildkiteTeams = { members: () => Promise.reject(error), pipelines: () => Promise.reject(error) };
    await expect(readTeam({ buildkiteTeams, call: (work) => work() }, TEAM)).rejects.toBe(error);
  });
});
