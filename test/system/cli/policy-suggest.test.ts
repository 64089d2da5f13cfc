// `keydesk policy suggest`: what it suggests after a month of requests and touches, and what it does without evidence.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { createHistory, type ExportedEntry, type PastRequest } from '../../fixtures/audit-history.ts';
import { DOCUMENTS, touchEntry } from '../../fixtures/touches.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const GOLDEN = new URL('policy-suggest.golden.txt', import.meta.url);
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };
const RELEASE = {
  ...{ pipeline_slug: 'web-release', pipeline_id: '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31', build_source: 'ui' },
  ...{ build_branch: 'v1.2', build_tag: 'v1.2', step_key: 'deploy-production' },
};
const day = (nth: number) => `2026-11-${String(nth).padStart(2, '0')}`;
const SINCE = ['--since', '2026-11-01'];

/** What a job of staging does: reads one document, lists the releases, and writes an entry of the cache that is new each day. */
function touchesOf({ timestamp, jsonPayload }: ExportedEntry, nth: number): ExportedEntry[] {
  const at = String(timestamp);
  const { grant_id, credential } = jsonPayload as { grant_id: string; credential: string };
  const touch = (method: string, request: object) => touchEntry(at, grant_id, method, request);
  const documents = credential === 'production-config' ? DOCUMENTS.replace('staging', 'production') : DOCUMENTS;
  const name = (path: string) => `${documents}/${path}`;
  if (credential === 'production-config') return [touch('GetDocument', { name: name('config/release') })];
  if (credential !== 'staging-config') return [];
  return [
    touch('BatchGetDocuments', { documents: [name('config/release'), name(`cache/day-${nth}`)] }),
    touch('Commit', { writes: [{ update: { name: name(`cache/day-${nth}`) } }] }),
    ...(at.startsWith('2026-11-04')
      ? [touch('Commit', { writes: [{ update: { name: name('config/yearly') }, currentDocument: { exists: true } }] })]
      : []),
  ];
}

describe('keydesk policy suggest', () => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-suggest-'));
    const past = Array.from({ length: 28 }, (_, index): PastRequest[] => [
      { at: `${day(index + 1)}T00:30:00Z`, credential: 'staging-config', claims: WEB },
      ...(index % 7 === 2
        ? [{ at: `${day(index + 1)}T09:00:00Z`, credential: 'production-config', claims: RELEASE }]
        : []),
      ...(index === 4 ? [{ at: `${day(index + 1)}T10:00:00Z`, credential: 'staging-cache', claims: WEB }] : []),
      ...(index === 5
        ? [{ at: `${day(index + 1)}T10:00:00Z`, credential: 'staging-config', claims: { ...WEB, build_branch: 'x' } }]
        : []),
    ]).flat();
    const entries = await createHistory(EXAMPLE).entriesOf(past);
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    writeFileSync(join(folder, 'log.json'), JSON.stringify(entries));
    writeFileSync(join(folder, 'touches.json'), JSON.stringify(entries.flatMap(touchesOf)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const suggest = (...args: string[]) =>
    runCli('policy suggest', ['--log', 'log.json', '--until', '2026-11-28T09:00:00Z', ...args], {
      cwd: folder,
      env: { KEYDESK_POLICY: '' },
    });

  it('says what a person has read, and exits with 3', async () => {
    const printed: string[] = [];
    for (const args of [SINCE, [...SINCE, '--touches', 'touches.json'], ['--since', '2026-10-01']]) {
      const { code, out, err } = await suggest(...args);
      expect({ code, err }).toEqual({ code: 3, err: '' });
      printed.push(`# ${args.join(' ')}\n\n${out}`);
    }
    if (process.env.RECORD) writeFileSync(GOLDEN, printed.join('\n'));
    expect(printed.join('\n')).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  it('suggests what git applies, policy check accepts, and the log is replayed by without a refusal', async () => {
    const { out } = await suggest(...SINCE, '--touches', 'touches.json');
    const elsewhere = join(folder, 'applied');
    mkdirSync(elsewhere);
    copyFileSync(join(folder, 'policy.yaml'), join(elsewhere, 'policy.yaml'));
    const applied = spawnSync('git', ['apply', '-p0'], { cwd: elsewhere, input: out, encoding: 'utf8' });
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    copyFileSync(join(elsewhere, 'policy.yaml'), join(folder, 'tightened.yaml'));
    expect(readFileSync(join(folder, 'policy.yaml'), 'utf8')).toBe(EXAMPLE);
    const check = await runCli('policy check', ['--policy', 'tightened.yaml'], { cwd: folder });
    expect({ ...check, out: '' }).toEqual({ code: 0, out: '', err: '' });
    const replay = await runCli('policy replay', ['--policy', 'tightened.yaml', '--log', 'log.json'], { cwd: folder });
    expect(replay).toMatchObject({ code: 0, err: '' });
    const again = await suggest('--policy', 'tightened.yaml', ...SINCE, '--touches', 'touches.json');
    // Another policy decided until the last request of the log.
    expect(again).toMatchObject({ code: 3, out: expect.stringContaining('Nothing is suggested.') });
  });

  it('prints the same as JSON', async () => {
    const { code, out } = await suggest(...SINCE, '--json');
    expect(code).toBe(3);
    const printed = JSON.parse(out);
    expect(printed).toMatchObject({
      ...{ proven: true, gaps: [], requests: { count: 33 }, access: [], not_suggested: [] },
      suggestions: expect.arrayContaining([expect.objectContaining({ path: ['rules', 1], change: 'remove the rule' })]),
    });
    expect((await suggest(...SINCE)).out.endsWith(`\n\n${printed.diff}`)).toBe(true);
  });

  it.each([
    ['standard input, which it must read several times', ['--log', '-', ...SINCE]],
    ['no number of names', ['--max-names', '0', ...SINCE]],
  ])('exits with 2 for %s', async (_, args) => {
    expect(await suggest(...args)).toMatchObject({ code: 2, out: '' });
  });
});
