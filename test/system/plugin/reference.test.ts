// The reference by which pipelines use the plugin: the same everywhere, and one that the agent resolves to the repository that
// `npm run release:plugin` makes. The README's commands are run as they are, but for where the repository is.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { pluginName, pluginSource } from '../../../sandbox/fakes/buildkite/plugin.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { VERSION } from '../../../shared/version.ts';
import { openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { PLUGIN, runAStep, USE_CREDENTIALS } from './step.ts';

const REFERENCE = `acme/keydesk#v${VERSION}`;
/** The plugin's README shows these too, for other repositories. */
const OTHERS = [
  `ssh://git@github.com/acme/keydesk-buildkite-plugin.git#v${VERSION}`,
  `https://github.com/acme/keydesk.git/plugin#v${VERSION}`,
];
const readme = readFileSync(join(PLUGIN, 'README.md'), 'utf8');

describe('the reference', () => {
  const written = execFileSync('git', ['ls-files', '*.md', '*.yml', '*.yaml', '*.tf', 'cli'], { cwd: ROOT })
    .toString()
    .trim()
    .split('\n')
    .flatMap((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return [...text.matchAll(/[\w./:@-]*keydesk[\w./-]*#v[\w.]+/g)].map(([reference]) => ({ path, reference }));
    });

  it('is the same in every page and example', () => {
    expect(written.length).toBeGreaterThan(15);
    const other = written.filter(
      ({ path, reference }) => reference !== REFERENCE && !(path === 'plugin/README.md' && OTHERS.includes(reference)),
    );
    expect(other).toEqual([]);
  });

  it('names the repository of the plugin, as the agent resolves it', () => {
    const [ssh, folder] = OTHERS as [string, string];
    const repository = 'https://github.com/acme/keydesk-buildkite-plugin';
    expect(pluginSource(REFERENCE)).toEqual({ repository, folder: '', version: `v${VERSION}` });
    expect(pluginName(REFERENCE)).toBe('keydesk');
    expect(pluginSource(ssh).repository).toBe(`${repository.replace('https://', 'ssh://git@')}.git`);
    expect(pluginSource(folder)).toMatchObject({ repository: 'https://github.com/acme/keydesk.git', folder: 'plugin' });
    for (const reference of OTHERS) expect(readme).toContain(`\`${reference}\``);
  });
});

describe('the repository that the README’s commands make', () => {
  let at: string;
  beforeAll(() => {
    at = mkdtempSync(join(tmpdir(), 'keydesk-repository-'));
    git('init', '--quiet', '--bare', '--initial-branch=main', join(at, 'origin.git'));
    makeRelease();
    git('clone', '--quiet', '--branch', `v${VERSION}`, join(at, 'origin.git'), join(at, 'cloned'));
  });
  afterAll(() => rmSync(at, { recursive: true, force: true }));

  const env = {
    ...process.env,
    ...Object.fromEntries(['AUTHOR', 'COMMITTER'].map((who) => [`GIT_${who}_NAME`, 'Keydesk'])),
    ...Object.fromEntries(['AUTHOR', 'COMMITTER'].map((who) => [`GIT_${who}_EMAIL`, 'keydesk@acme.example'])),
  };
  function git(...args: string[]): string {
    return execFileSync('git', ['-c', 'advice.detachedHead=false', ...args], { env, encoding: 'utf8' });
  }

  function makeRelease(): void {
    const [, commands = ''] = /```sh\n(git clone [\s\S]*?)```/.exec(readme) ?? [];
    expect(commands).toContain('npm run release:plugin -- ');
    const script = commands
      .replaceAll('git@github.com:acme/keydesk-buildkite-plugin.git', join(at, 'origin.git'))
      .replaceAll('../keydesk-buildkite-plugin', join(at, 'work'));
    execFileSync('bash', ['-eu', '-c', script], { cwd: ROOT, env, stdio: 'pipe' });
  }

  it('has at its root the files that the agent reads and the hooks that it runs', () => {
    const cloned = join(at, 'cloned');
    expect(parse(readFileSync(join(cloned, 'plugin.yml'), 'utf8')).name).toBe('Keydesk');
    for (const name of ['LICENSE', 'README.md', 'lib', 'tests']) expect(readdirSync(cloned)).toContain(name);
    expect(readdirSync(join(cloned, 'hooks')).sort()).toEqual([
      'environment',
      'post-command',
      'pre-command',
      'pre-exit',
    ]);
    for (const part of ['hooks', 'bin'])
      for (const name of readdirSync(join(cloned, part)))
        expect([name, statSync(join(cloned, part, name)).mode & 0o111]).toEqual([name, 0o111]);
  });

  it('has no link out of it', () => {
    const text = readFileSync(join(at, 'cloned', 'README.md'), 'utf8');
    expect(readme).toContain('](../');
    expect(text).not.toContain('](../');
    expect(text).toContain(`](https://github.com/acme/keydesk/blob/v${VERSION}/docs/CLIENTS.md)`);
  });

  it('serves a step', async () => {
    const keydesk = await openInProcessKeydesk();
    const { exitCode, output } = await runAStep(keydesk, {
      reference: REFERENCE,
      plugins: { keydesk: join(at, 'cloned') },
      command: USE_CREDENTIALS,
    }).finally(() => keydesk.close());
    expect([exitCode, output]).toEqual([0, expect.stringMatching(/^sha256 /m)]);
  });

  it('does not overwrite files that are not its own', () => {
    const run = () =>
      execFileSync('node', ['scripts/release-plugin.ts', join(ROOT, 'docs')], { cwd: ROOT, stdio: 'pipe' });
    expect(run).toThrow('plugin.yml');
  });
});
