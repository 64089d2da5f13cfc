// `keydesk ids` against the fake Buildkite: the lines of the policy, and what it says of tokens and slugs that are wrong.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeBuildkite, startFakeBuildkite } from '../../../sandbox/fakes/buildkite/buildkite.ts';
import { API_TOKEN, PERSONAL_API_TOKEN } from '../../../sandbox/fakes/buildkite/rest-api.ts';
import { PEOPLE_API_TOKEN } from '../../../sandbox/fakes/buildkite/teams.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { runCli } from './run-cli.ts';

const ORGANIZATION = { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' };
const idOf = (nth: number) => `0184990a-4782-42b5-afc1-${String(nth).padStart(12, '0')}`;

describe('keydesk ids', () => {
  let folder: string;
  let buildkite: FakeBuildkite;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-ids-'));
    buildkite = await startFakeBuildkite({
      audience: 'https://keydesk.acme.example',
      webhookToken: 'webhook-token',
      pipelines: [
        ...Array.from({ length: 120 }, (_, nth) => ({ slug: `app-${nth}`, id: idOf(nth) })),
        { slug: 'Web_Release', id: idOf(200) },
        { slug: 'web-old', id: idOf(201), archived: true },
        { slug: 'web', id: idOf(202) },
      ],
    });
  });
  afterAll(async () => {
    await buildkite.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ids = (args: readonly string[], env: Record<string, string> = { BUILDKITE_API_TOKEN: PERSONAL_API_TOKEN }) =>
    runCli('ids', args, { cwd: folder, env: { KEYDESK_BUILDKITE_API_URL: buildkite.url, ...env } });

  it('prints organization and pipelines as lines of a policy, and counts archived pipelines', async () => {
    const { code, out, err } = await ids(['acme-inc', '--filter', 'web*', '--filter', '**Release']);
    expect({ code, out }).toEqual({
      code: 0,
      out: `organization: { slug: acme-inc, id: ${ORGANIZATION.id} }
pipelines:
  web-release: ${idOf(200)} # slug: "Web_Release"
  web: ${idOf(202)}
`,
    });
    expect(err).toMatch(/left out: 1$/m);
  });

  it('prints teams by a token that may see them, and says so by one that may not', async () => {
    for (const [slug, nth] of [
      ['platform', 301],
      ['Release Managers', 302],
    ] as const)
      buildkite.teams.createTeam(slug, { id: idOf(nth) });
    const { out } = await ids(['acme-inc', '--filter', 'web'], { BUILDKITE_API_TOKEN: PEOPLE_API_TOKEN });
    expect(out).toBe(`organization: { slug: acme-inc, id: ${ORGANIZATION.id} }
pipelines:
  web: ${idOf(202)}
teams:
  release-managers: ${idOf(302)} # slug: "Release Managers"
  platform: ${idOf(301)}
`);
    const { code, err } = await ids(['acme-inc', '--filter', 'web']);
    expect([code, err]).toEqual([0, expect.stringContaining('read_teams')]);
  });

  it('prints the pipelines of every page', async () => {
    const { code, out } = await ids(['acme-inc']);
    expect(code).toBe(0);
    expect(out.match(/^ {2}\S+: 0184990a/gm)).toHaveLength(122);
  });

  it('with --json has all pipelines that match, archived or not', async () => {
    const { code, out } = await ids(['acme-inc', '--json', '--filter', 'web*']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      organization: ORGANIZATION,
      pipelines: [
        { name: 'web', slug: 'web', id: idOf(202), archived: false },
        { name: 'web-old', slug: 'web-old', id: idOf(201), archived: true },
      ],
      teams: null,
    });
  });

  it('reads the token from a file or standard input', async () => {
    writeFileSync(join(folder, 'token'), `${PERSONAL_API_TOKEN}\n`);
    const args = ['acme-inc', '--filter', 'web', '--token-file'];
    expect((await ids([...args, 'token'], {})).code).toBe(0);
    const { status } = await new Promise<{ status: number | null }>((resolve) => {
      setImmediate(() => resolve(pipe(args)));
    });
    expect(status).toBe(1);
  });
  /** To a port where nobody listens: the process would block this one, which is the fake Buildkite. */
  const pipe = (args: readonly string[]) =>
    spawnSync(process.execPath, [KEYDESK, 'ids', ...args, '-'], {
      input: PERSONAL_API_TOKEN,
      env: { PATH: process.env.PATH, KEYDESK_BUILDKITE_API_URL: 'http://127.0.0.1:1' },
    });

  it.each([
    ['no token', {}, 'BUILDKITE_API_TOKEN is not set'],
    ['two tokens', { BUILDKITE_API_TOKEN: 'one two' }, 'one Buildkite API token'],
  ])('exits with 2 for %s', async (_, env, message) => {
    expect(await ids(['acme-inc'], env)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
  });

  it.each(['https://buildkite.com/acme-inc', ''])('exits with 2 for the slug "%s"', async (slug) => {
    expect(await ids([slug])).toMatchObject({ code: 2, out: '' });
  });

  it('exits with 2 when the file of the token cannot be read or is empty', async () => {
    writeFileSync(join(folder, 'empty'), '\n');
    for (const file of ['none', 'empty', '.'])
      expect(await ids(['acme-inc', '--token-file', file])).toMatchObject({ code: 2, out: '' });
  });

  it.each([
    ['a token that Buildkite does not know', 'unknown-token', 'acme-inc', '(401)'],
    ['a token with another scope', API_TOKEN, 'acme-inc', 'read_organizations and read_pipelines'],
    ['another organization', PERSONAL_API_TOKEN, 'other-inc', '(404)'],
  ])('exits with 1 for %s, and does not print the token', async (_, token, slug, message) => {
    const { code, out, err } = await ids([slug], { BUILDKITE_API_TOKEN: token });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(message);
    expect(err).not.toContain(token);
  });

  it('exits with 1 when no pipeline matches', async () => {
    expect(await ids(['acme-inc', '--filter', 'none*'])).toMatchObject({ code: 1, out: '' });
  });

  it('waits when Buildkite limits requests', async () => {
    let limited = 0;
    buildkite.beforePipelines = () => {
      limited += 1;
      return limited === 1
        ? { status: 429, headers: { 'retry-after': '1', 'ratelimit-reset': '1', 'ratelimit-user-reset': '1' } }
        : undefined;
    };
    const { code, err } = await ids(['acme-inc', '--filter', 'web']);
    buildkite.beforePipelines = undefined;
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('Waiting 1 second') });
  });
});
