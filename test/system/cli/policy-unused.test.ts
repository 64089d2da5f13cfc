// `keydesk policy unused`: what it says of a month of requests, and how it ends.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { createHistory, type PastRequest } from '../../fixtures/audit-history.ts';
import { DOCUMENTS, touchEntry } from '../../fixtures/touches.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const GOLDEN = new URL('policy-unused.golden.txt', import.meta.url);
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };

describe('keydesk policy unused', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-unused-'));
    const days = Array.from({ length: 28 }, (_, day) => `2026-11-${String(day + 1).padStart(2, '0')}`);
    const past = days.map(
      (day): PastRequest => ({
        at: `${day}T00:30:00Z`,
        credential: day.endsWith('5') ? 'staging-cache' : 'staging-config',
        claims: { ...WEB, ...(day.endsWith('7') && { build_branch: 'release/7' }) },
      }),
    );
    const entries = await createHistory(EXAMPLE).entriesOf(past);
    const touches = entries.map(({ timestamp, jsonPayload }) =>
      touchEntry(String(timestamp), String((jsonPayload as { grant_id: string }).grant_id), 'GetDocument', {
        name: `${DOCUMENTS}/config/release`,
      }),
    );
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    writeFileSync(join(folder, 'log.json'), JSON.stringify(entries));
    writeFileSync(join(folder, 'touches.json'), JSON.stringify(touches));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const unused = (...args: string[]) =>
    runCli('policy unused', ['--log', 'log.json', '--until', '2026-11-28T00:30:00Z', ...args], {
      cwd: folder,
      env: { KEYDESK_POLICY: '' },
    });

  it('says what a person has read, and exits with 1 where it is proven and with 3 where it is not', async () => {
    const cases = [
      [1, ['--since', '2026-11-01']],
      [3, ['--since', '2026-10-15']],
      [1, ['--since', '2026-11-01', '--touches', 'touches.json']],
    ] as const;
    const printed: string[] = [];
    for (const [expected, args] of cases) {
      const { code, out, err } = await unused(...args);
      expect({ code, err }).toEqual({ code: expected, err: '' });
      printed.push(`# ${args.join(' ')}\n\n${out}`);
    }
    if (process.env.RECORD) writeFileSync(GOLDEN, printed.join('\n'));
    expect(printed.join('\n')).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  it('prints the same as JSON', async () => {
    const { out } = await unused('--since', '2026-11-01', '--json');
    expect(JSON.parse(out)).toMatchObject({
      ...{ since: '2026-11-01T00:00:00.000Z', proven: true, gaps: [], requests: { count: 28 }, access: [] },
      log: { first_at: '2026-11-01T00:30:00.000Z', last_at: '2026-11-28T00:30:00.000Z' },
      parts: expect.arrayContaining([
        {
          kind: 'credential',
          credential: 'staging-admin',
          status: 'unused',
          use: { count: 0, first_at: null, last_at: null },
        },
        {
          ...{ kind: 'credential', credential: 'staging-cache', status: 'used' },
          use: { count: 3, first_at: '2026-11-05T00:30:00.000Z', last_at: '2026-11-25T00:30:00.000Z' },
        },
      ]),
    });
  });

  it('exits with 1 for a log of something else', async () => {
    const { code, out, err } = await runCli('policy unused', ['--log', 'touches.json', '--since', '2026-11-01'], {
      ...{ cwd: folder, env: { KEYDESK_POLICY: '' } },
    });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('none of 28 entries is an event of Keydesk.');
  });

  it.each([
    ['a period that has not begun', ['--since', '2999-01-01']],
    ['no period', []],
    ['standard input that it must read twice', ['--log', '-', '--since', '30d', '--touches', 'touches.json']],
  ])('exits with 2 for %s', async (_, args) => {
    expect(await unused(...args)).toMatchObject({ code: 2, out: '' });
  });
});
