// `keydesk policy replay`: what it says of logs in the forms in which people have them, and how it ends.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { createHistory, type ExportedEntry } from '../../fixtures/audit-history.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { touchEntry } from '../../fixtures/touches.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };

describe('keydesk policy replay', () => {
  let folder: string;
  let entries: ExportedEntry[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-replay-'));
    entries = await createHistory(EXAMPLE).entriesOf([
      { at: '2026-11-01T08:00:00Z', credential: 'staging-config', claims: WEB },
      { at: '2026-11-02T08:00:00Z', credential: 'staging-cache', claims: { ...WEB, build_branch: 'release/7' } },
      { at: '2026-11-03T08:00:00Z', credential: 'staging-config', claims: { ...WEB, build_source: 'schedule' } },
    ]);
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    writeFileSync(join(folder, 'narrower.yaml'), EXAMPLE.replace('[main, "release/*"]', 'main'));
    writeFileSync(join(folder, 'log.json'), JSON.stringify(entries, null, 2));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const replay = (...args: string[]) => runCli('policy replay', args, { cwd: folder, env: { KEYDESK_POLICY: '' } });
  const linesOf = (logged: readonly object[]) => logged.map((entry) => `${JSON.stringify(entry)}\n`).join('');

  it('exits with 0 when nothing changes', async () => {
    expect(await replay('--log', 'log.json')).toEqual({
      code: 0,
      out: `policy.yaml, judged on 3 requests (3 log entries), 2026-11-01 08:00 to 2026-11-03 08:00 UTC

granted as before  2
refused as before  1
`,
      err: '',
    });
  });

  it('exits with 3 when something changes, and names an example that explain takes', async () => {
    const { code, out, err } = await replay('--policy', 'narrower.yaml', '--log', 'log.json');
    expect({ code, err }).toEqual({ code: 3, err: '' });
    const [, command] = /^ {6}keydesk (policy explain .*)$/m.exec(out) ?? [];
    expect(command).toBe(
      'policy explain --policy narrower.yaml staging-cache --claim pipeline=web --claim build_branch=release/7 --claim build_source=webhook',
    );
    expect((await runCli(command ?? '', [], { cwd: folder })).out).toContain('staging-cache: refused');
  });

  it('prints the changes as JSON', async () => {
    const { code, out } = await replay('--policy', 'narrower.yaml', '--log', 'log.json', '--json');
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      policy_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      requests: { count: 3, first_at: '2026-11-01T08:00:00.000Z', last_at: '2026-11-03T08:00:00.000Z' },
      totals: { granted_as_before: 1, refused_as_before: 1, refused: 1, granted: 0, cannot_tell: 0 },
      changes: [
        {
          ...{ change: 'refused', credential: 'staging-cache', rule_before: 'deploy to staging', reason_before: null },
          example: { claims: ['pipeline=web', 'build_branch=release/7', 'build_source=webhook'] },
        },
      ],
      not_judged: {},
      entries: { read: 3, malformed: 0, first_malformed: null },
    });
  });

  it('reads lines as the functions write them, exports, and gzip, also from standard input', async () => {
    const raw = linesOf(entries.map(({ jsonPayload }) => jsonPayload as object));
    const { out } = await replay('--log', 'log.json', '--json');
    const { requests, totals } = JSON.parse(out);
    writeFileSync(join(folder, 'log.jsonl.gz'), gzipSync(linesOf(entries)));
    expect(JSON.parse((await replay('--log', 'log.jsonl.gz', '--json')).out)).toMatchObject({ requests, totals });
    const child = spawn(process.execPath, [KEYDESK, 'policy', 'replay', '--log', '-', '--json'], {
      ...{ cwd: folder, env: { PATH: process.env.PATH }, stdio: ['pipe', 'pipe', 'inherit'] },
    });
    child.stdin?.end(raw);
    // A refusal has no time of its own.
    expect(JSON.parse(await text(child.stdout as NonNullable<typeof child.stdout>))).toMatchObject({
      requests: { count: 3, first_at: '2026-11-01T08:00:00.000Z', last_at: '2026-11-02T08:00:00.000Z' },
      totals,
    });
  });

  it('counts what it cannot read, goes on, and exits with 3', async () => {
    const sweep = { timestamp: '2026-11-01T00:00:00Z', jsonPayload: { event: 'sweep.completed' } };
    writeFileSync(join(folder, 'broken.jsonl'), `${linesOf([sweep])}{"timestamp": \n${linesOf(entries)}`);
    const { code, out, err } = await replay('--log', 'broken.jsonl');
    expect({ code, err }).toEqual({
      code: 3,
      err: '1 entry was not read: not JSON, or without the fields of its event. The first is at broken.jsonl:2.\n',
    });
    expect(out).toContain('3 requests (4 log entries)');
  });

  it('compares what it does not judge with the policy of --before', async () => {
    const other = EXAMPLE.replace(/^audience: .*$/m, 'audience: https://other.acme.example');
    writeFileSync(join(folder, 'other.yaml'), other);
    writeFileSync(join(folder, 'comment.yaml'), `${EXAMPLE}# the same\n`);
    const run = (...args: string[]) => replay('--log', 'log.json', ...args);
    expect(await run('--policy', 'other.yaml')).toMatchObject({
      code: 0,
      out: expect.stringContaining('Not judged: '),
    });
    expect(await run('--policy', 'other.yaml', '--before', 'policy.yaml')).toMatchObject({
      code: 3,
      out: expect.stringContaining('audience: from https://keydesk.acme.example to https://other.acme.example'),
    });
    expect((await run('--policy', 'comment.yaml', '--before', 'policy.yaml')).code).toBe(0);
    expect(await run('--policy', 'other.yaml', '--before', 'none.yaml')).toMatchObject({ code: 1, out: '' });
  });

  it.each([
    ['a file without an entry', 'policy.yaml', 'policy.yaml: no entry of a log was found.'],
    ['a file that does not exist', 'none.json', 'none.json does not exist.\n'],
  ])('exits with 1 for %s', async (_, file, message) => {
    expect(await replay('--log', file)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(message) });
  });

  it('exits with 1 for a log of something else, and with 3 when no policy decided a request', async () => {
    writeFileSync(
      join(folder, 'touches.json'),
      JSON.stringify([touchEntry('2026-11-01T08:00:00Z', 'g', 'Rollback', {})]),
    );
    for (const json of [[], ['--json']])
      expect(await replay('--log', 'touches.json', ...json)).toMatchObject({
        code: 1,
        err: expect.stringContaining('touches.json: none of 1 entries is a request of a job to Keydesk.'),
      });
    const refused = { event: 'grant.refused', reason: 'job_token_missing' };
    writeFileSync(join(folder, 'undecided.json'), JSON.stringify([refused]));
    expect(await replay('--log', 'undecided.json')).toMatchObject({
      code: 3,
      out: expect.stringContaining('job_token_missing 1'),
    });
  });

  it('exits with 2 without a log', async () => {
    expect(await replay()).toMatchObject({ code: 2, out: '' });
  });
});
