// What a step or its agent may have in the environment: the plugin works with it, runs none of it, and reveals no secret. With
// nothing special there: hostile.test.ts.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { evilIn, expectNothingRan, runWholeStep } from './hostile-step.ts';
import { PLUGIN, runAStep, USE_CREDENTIALS } from './step.ts';

let service: InProcessKeydesk;
let folder: string;
beforeAll(async () => {
  service = await openInProcessKeydesk();
  folder = mkdtempSync(join(tmpdir(), 'keydesk-hostile-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await service.close();
});

const evil = () => evilIn(folder);

describe('the environment', () => {
  const inherited = 'errexit:nounset:noglob:allexport:verbose:xtrace:noclobber';
  it.each<[string, () => Record<string, string>]>([
    ['tracing, inherited', () => ({ SHELLOPTS: 'xtrace' })],
    ['every option that can be inherited', () => ({ SHELLOPTS: inherited, BASHOPTS: 'nocasematch:failglob:xpg_echo' })],
    ['tracing, from BASH_ENV', () => ({ BASH_ENV: fileWith('set -x; IFS=/; shopt -s nocasematch nullglob; umask 0') })],
    ['POSIX mode', () => ({ POSIXLY_CORRECT: '1' })],
    ['a curl configuration that tells all', () => ({ HOME: homeWith('.curlrc', 'verbose\ntrace-ascii = "-"\n') })],
    ['another curl configuration', () => ({ CURL_HOME: homeWith('.curlrc', 'verbose\n') })],
    ['a HOME that does things', () => ({ HOME: evil() })],
    [
      'variables of its own names',
      () => ({ KEYDESK_URL: 'x', KEYDESK_JOB_TOKEN: 'x', KEYDESK_NAMES: 'x', REPLY: 'x' }),
    ],
    ['evil in what the agent sets', () => ({ BUILDKITE_BRANCH: evil(), BUILDKITE_MESSAGE: `${evil()}\n+++ x` })],
    ['a proxy', () => ({ http_proxy: 'http://127.0.0.1:9', ALL_PROXY: 'http://127.0.0.1:9' })],
  ])('brings none to light with %s', async (_, environment) => {
    await runWholeStep({ service, folder }, { environment: environment() });
  });

  it('that inherits a shell’s options keeps them', async () => {
    const SHELLOPTS = 'braceexpand:hashall:interactive-comments:xtrace';
    const { environment } = await runAStep(service, { environment: { SHELLOPTS, KEYDESK_URL: 'https://of.the/job' } });
    expect(environment.SHELLOPTS).toBe(SHELLOPTS);
    expect(environment.KEYDESK_URL).toBe('https://of.the/job');
    expect(Object.keys(environment).filter((name) => name.startsWith('KEYDESK_'))).toEqual([
      'KEYDESK_URL',
      'KEYDESK_DIR',
    ]);
  });

  it.each([
    ['white space', 'with space'],
    ['quotes', `with'quote"s`],
    ['a command', '$(touch ran)'],
    ['a colon', 'with:colon'],
  ])('with %s in TMPDIR makes the private folder in /tmp, and removes it too', async (_, name) => {
    const TMPDIR = join(folder, name);
    mkdirSync(TMPDIR);
    const { exitCode, environment } = await runAStep(service, { environment: { TMPDIR }, command: USE_CREDENTIALS });
    expect(exitCode).toBe(0);
    expect(environment.KEYDESK_DIR).toMatch(/^\/tmp\/keydesk-[A-Za-z0-9]{10}$/);
    expect(existsSync(String(environment.KEYDESK_DIR))).toBe(false);
    expect(readdirSync(TMPDIR)).toEqual([]);
    expectNothingRan(folder);
  });

  it('may have no TMPDIR, one that is not there, or one that ends in a slash', async () => {
    for (const TMPDIR of ['', '/nonexistent/tmp', `${folder}/`]) {
      const { exitCode, environment } = await runAStep(service, { environment: { TMPDIR } });
      expect(exitCode).toBe(0);
      expect(environment.KEYDESK_DIR).toMatch(/^(\/[^/]+)+\/keydesk-[A-Za-z0-9]{10}$/);
      expect(existsSync(String(environment.KEYDESK_DIR))).toBe(false);
    }
  });

  it('may hold the plugin at a path that does things', async () => {
    const keydesk = join(folder, evil().replaceAll('/', '_'));
    cpSync(PLUGIN, keydesk, { recursive: true });
    const { exitCode, output } = await runAStep(service, { plugins: { keydesk }, command: USE_CREDENTIALS });
    expect(exitCode).toBe(0);
    expect(output).toContain('staging-config: released');
    expectNothingRan(folder);
  });

  function fileWith(text: string): string {
    const file = join(mkdtempSync(join(folder, 'file-')), 'file');
    writeFileSync(file, `${text}\n`);
    return file;
  }

  function homeWith(name: string, text: string): string {
    const home = mkdtempSync(join(folder, 'home-'));
    writeFileSync(join(home, name), text);
    return home;
  }
});
