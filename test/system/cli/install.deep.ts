// The released package, as a user gets it: one file for npm, installed into an empty folder without a network and without
// scripts, and run there.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { packageInto } from '../deploy/archives.ts';

const POLICY = join(ROOT, 'examples/policy.yaml');
const MIB = 1024 * 1024;

describe('the released package', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'keydesk-release-')));
  const empty = join(folder, 'empty');
  const installed = join(empty, 'node_modules/keydesk');
  let file: string;
  // Nobody listens at the registry's address, and the cache is empty.
  const env = {
    PATH: [dirname(process.execPath), process.env.PATH].join(':'),
    HOME: folder,
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_cache: join(folder, 'cache'),
    npm_config_update_notifier: 'false',
  };
  const run = async (command: string, args: readonly string[], cwd = empty) =>
    (await promisify(execFile)(command, args, { cwd, env, timeout: 120_000 })).stdout;

  beforeAll(async () => {
    mkdirSync(empty);
    await run('npm', ['pack', join(ROOT, 'dist/keydesk'), '--pack-destination', folder, '--silent']);
    [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, file)]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is named by the version, and has less than 6 MiB', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(file).toBe(`keydesk-${version}.tgz`);
    expect(statSync(join(folder, file)).size).toBeLessThan(6 * MIB);
  });

  it('brings no other package, and no script that npm would run', () => {
    expect(readdirSync(join(empty, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['keydesk']);
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ bin: { keydesk: 'keydesk.cjs' }, engines: { node: '>=22' } });
    for (const member of ['dependencies', 'scripts']) expect(manifest).not.toHaveProperty(member);
  });

  it.each([
    ['npx', ['--no-install', 'keydesk']],
    ['node_modules/.bin/keydesk', []],
  ])('runs by %s', async (command, args) => {
    const out = await run(command, [...args, 'policy', 'check', '--policy', POLICY]);
    expect(out).toContain('is valid:');
  });

  it('makes the same archives as the repository', async () => {
    const manifestIn = (out: string) => readFileSync(join(out, 'manifest.json'), 'utf8');
    await run('node_modules/.bin/keydesk', ['package', '--policy', POLICY]);
    await packageInto(join(folder, 'of-the-repository'));
    expect(manifestIn(join(empty, 'packages'))).toBe(manifestIn(join(folder, 'of-the-repository')));
  });

  it('loads what calls a function, too', () => {
    const list = (settings: object) =>
      spawnSync('node_modules/.bin/keydesk', ['blocks', 'list'], {
        cwd: empty,
        encoding: 'utf8',
        env: { ...env, ...settings },
      });
    expect(list({})).toMatchObject({ status: 2, stderr: expect.stringContaining('KEYDESK_READER_URL is not set') });
    const settings = { KEYDESK_READER_URL: 'http://127.0.0.1:9', KEYDESK_ID_TOKEN: 'a.b.c' };
    expect(list(settings)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The function reader at 127.0.0.1:9'),
    });
  });

  it('holds the Terraform module with every file that it reads', async () => {
    const terraform = join(installed, 'deploy/terraform');
    const code = readdirSync(terraform)
      .filter((name) => name.endsWith('.tf'))
      .map((name) => readFileSync(join(terraform, name), 'utf8'))
      .join('\n');
    const outside = [...code.matchAll(/\$\{path\.module\}\/(\.\.[^"$]*)/g)].map(([, path]) => path as string);
    expect(outside.length).toBeGreaterThan(2);
    for (const path of outside) expect([path, existsSync(join(terraform, path))]).toEqual([path, true]);
    expect(await run('bash', [join(installed, 'deploy/rules.sh'), '--help'])).toMatch(/^usage: deploy\/rules\.sh/);
  });

  it('holds the example policy, and next to it the schema that its first line names', () => {
    const examples = join(installed, 'examples');
    expect(readFileSync(join(examples, 'policy.yaml'), 'utf8')).toMatch(
      /^# .*\$schema=\.\/keydesk-policy\.schema\.json\n/,
    );
    expect(existsSync(join(examples, 'keydesk-policy.schema.json'))).toBe(true);
  });

  it('names no path of the machine that built it', () => {
    const text = readFileSync(join(installed, 'keydesk.cjs'), 'utf8');
    for (const path of [ROOT.replace(/\/$/, ''), homedir(), tmpdir()])
      if (path.length > 5) expect(text.includes(path)).toBe(false);
  });
});
