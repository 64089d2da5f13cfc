// `keydesk policy diff`: versions from files and from git, exit codes, and what it says when there is nothing to compare.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../../sandbox/functions.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const WIDER = EXAMPLE.replace('"release/*"', '"release/**"');
const NARROWER = EXAMPLE.replace('ttl: 10m', 'ttl: 6m');

describe('keydesk policy diff', () => {
  let folder: string;
  let repository: string;
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@acme.example', ...args], {
      cwd: repository,
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null' },
    });
  const diff = (args: readonly string[], { cwd = repository, env = {} } = {}) =>
    runCli('policy diff', args, { cwd, env });
  const write = (name: string, text: string) => writeFileSync(join(repository, name), text);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-diff-'));
    repository = join(folder, 'repository');
    mkdirSync(join(repository, 'deploy'), { recursive: true });
    git('init', '--quiet', '--initial-branch=main');
    write('readme', '');
    git('add', '.');
    git('commit', '--quiet', '--message=before');
    git('tag', 'before');
    write('policy.yaml', EXAMPLE);
    write('deploy/policy.yaml', NARROWER);
    write('broken.yaml', 'version: 2\n');
    git('add', '.');
    git('commit', '--quiet', '--message=policy');
    write('policy.yaml', WIDER);
    write('narrower.yaml', NARROWER);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compares a revision of the policy file with the file, and exits with 3 for what is wider', async () => {
    const { code, out, err } = await diff(['main']);
    expect({ code, err }).toEqual({ code: 3, err: '' });
    expect(out).toMatch(/^Wider: 4 credentials\.\nCompared main:policy\.yaml with policy\.yaml\.\n/);
  });

  it('exits with 0 when nothing is wider', async () => {
    expect(await diff(['policy.yaml', 'policy.yaml'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^No difference\.\n/),
    });
    expect(await diff(['main', 'narrower.yaml'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Not wider\. Narrower: 1 /),
    });
  });

  it.each<[string, string[], string]>([
    ['two revisions', ['main', 'HEAD'], 'Compared main:policy.yaml with HEAD:policy.yaml.'],
    [
      'a revision of the file that --policy names',
      ['main', '--policy', 'deploy/policy.yaml'],
      'Compared main:deploy/policy.yaml with deploy/policy.yaml.',
    ],
    [
      'files of a revision by their paths',
      ['main:deploy/policy.yaml', 'main:policy.yaml'],
      'Compared main:deploy/policy.yaml with main:policy.yaml.',
    ],
  ])('takes %s', async (_, args, line) => {
    expect((await diff(args)).out).toContain(line);
  });

  describe('with names that could be more than one thing', () => {
    const add = (name: string) => write(name, readFileSync(join(repository, 'policy.yaml'), 'utf8'));
    let base: string;

    beforeAll(() => {
      base = git('rev-parse', 'HEAD').toString().trim();
      git('tag', 'twice', 'before');
      git('branch', 'twice', 'main');
      for (const name of ['v1', base, 'main:policy.yaml', 'nothing:policy.yaml']) add(name);
      git('tag', 'v1');
    });
    afterAll(() => {
      for (const name of ['v1', base, 'main:policy.yaml', 'nothing:policy.yaml']) rmSync(join(repository, name));
    });

    it.each([
      ['a tag', () => 'v1'],
      ['a commit', () => base],
    ])('refuses a file with the name of %s', async (_, nameOf) => {
      const name = nameOf();
      const { code, out, err } = await diff([name, '--policy', join(repository, 'policy.yaml')]);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`Write ./${name} for the file, or ${name}:./policy.yaml for the revision.`);
      expect(await diff(['policy.yaml', name])).toMatchObject({ code: 2, out: '' });
      expect((await diff([`./${name}`])).out).toMatch(/^No difference\./);
      expect(await diff([`${name}:./policy.yaml`])).toMatchObject({ code: 3 });
    });

    it('reads what has a colon from git, also when there is such a file', async () => {
      expect(await diff(['main:policy.yaml'])).toMatchObject({ code: 3 });
      expect((await diff(['./main:policy.yaml'])).out).toMatch(/^No difference\./);
      expect(await diff(['nothing:policy.yaml'])).toMatchObject({
        code: 2,
        err: expect.stringContaining('Write ./nothing:policy.yaml for the file'),
      });
    });

    it('refuses the name of a branch and a tag', async () => {
      for (const name of ['twice', 'twice:policy.yaml'])
        expect(await diff([name])).toMatchObject({ code: 2, err: expect.stringContaining('refs/heads/twice') });
      expect(await diff(['refs/heads/twice'])).toMatchObject({ code: 3 });
    });
  });

  it('names tests next to the policy that are removed, and exits with 3', async () => {
    const tests = (statements: object[]) => JSON.stringify({ version: 1, statements });
    const never = { never: { environment: 'production' }, unless: { pipeline: 'web-release' } };
    write('deploy/policy.test.yaml', tests([{ name: 'only releases', ...never }, { never: { credential: 'none' } }]));
    git('add', 'deploy');
    git('commit', '--quiet', '--message=tests');
    const [revision, args] = ['HEAD:deploy/policy.yaml', ['--policy', 'deploy/policy.yaml']];
    expect((await diff([revision, ...args])).code).toBe(0);
    write('deploy/policy.test.yaml', tests([{ never: { credential: 'none' } }]));
    for (const old of [revision, 'HEAD', 'HEAD:./deploy/policy.yaml']) {
      const { code, out } = await diff([old, ...args]);
      expect(code).toBe(3);
      expect(out).toContain('removed statement: only releases');
    }
    expect(JSON.parse((await diff([revision, ...args, '--json'])).out)).toMatchObject({
      widens: false,
      lost_tests: [{ kind: 'statement', name: 'only releases', change: 'removed' }],
    });
    expect((await diff([revision, ...args, '--markdown'])).out).toContain('removed statement: `only releases`');
    git('reset', '--quiet', '--hard', 'HEAD~1');
    write('policy.yaml', WIDER);
  });

  it('finds the file from a folder below the root of the repository', async () => {
    const cwd = join(repository, 'deploy');
    expect(await diff(['main'], { cwd })).toMatchObject({ code: 0, out: expect.stringMatching(/^No difference/) });
    expect(await diff(['main', '--policy', join(repository, 'policy.yaml')], { cwd })).toMatchObject({ code: 3 });
    expect(await diff(['main:policy.yaml', '../policy.yaml'], { cwd })).toMatchObject({ code: 3 });
  });

  it('says so when the old revision has no policy: everything is new', async () => {
    const { code, out } = await diff(['before']);
    expect(code).toBe(3);
    expect(out).toMatch(/^The policy is new\. Wider: 5 credentials\.\nThere is no before:policy\.yaml\./);
    expect(JSON.parse((await diff(['before', '--json'])).out)).toMatchObject({
      widens: true,
      before: { sha256: null },
    });
  });

  it('shows an example job that explain grants the credential to', async () => {
    const { out } = await diff(['main']);
    const [, claims = ''] = /now granted to: (.*)/.exec(out) ?? [];
    const { out: explained } = await runCli('policy explain', ['staging-config', ...claims.split(' ')], {
      cwd: repository,
    });
    expect(explained).toContain('staging-config: granted by "deploy to staging"');
  });

  it('writes a comment with --markdown, and data with --json', async () => {
    expect((await diff(['main', '--markdown'])).out).toMatch(/^### Keydesk policy\n\n\*\*Wider: 4 credentials\.\*\*\n/);
    const { code, out } = await diff(['main', '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ widens: true, before: { name: 'main:policy.yaml' } });
    const both = await diff(['main', '--json', '--markdown']);
    expect({ code: both.code, ...JSON.parse(both.out) }).toMatchObject({ code: 2, error: { problems: [] } });
  });

  it.each<[string, string[], number, RegExp]>([
    ['a revision that git does not know', ['mian'], 2, /^mian is neither a file nor a git revision\. /],
    ['a revision in the form of an option', ['--', '-h'], 2, /^-h is neither a file nor a git revision\. /],
    ['a revision with the syntax of a shell', ['$(touch harmed)'], 2, /is neither a file nor a git revision/],
    ['a file that does not exist', ['none.yaml'], 1, /^none\.yaml does not exist\. /],
    ['a folder of a revision', ['main:deploy'], 2, /^main:deploy is not a file\. /],
    ['a new version without a policy', ['main', 'before'], 1, /^before:policy\.yaml does not exist\. /],
    ['a folder that is not there', ['main', '--policy', 'no/policy.yaml'], 1, /^no is not a folder/],
    ['an old policy with problems', ['main:broken.yaml'], 1, /^main:broken\.yaml:1:1: error: /],
    ['a new policy with problems', ['main', 'broken.yaml'], 1, /^broken\.yaml:1:1: error: /],
  ])('compares nothing with %s', async (_, args, code, message) => {
    expect(await diff(args)).toEqual({ code, out: '', err: expect.stringMatching(message) });
    expect(existsSync(join(repository, 'harmed'))).toBe(false);
  });

  it.each([
    ['wider', WIDER, 3, 'warning'],
    ['the same', EXAMPLE, 0, 'success'],
  ])('reviews a pull request in the step of the example: %s', async (_, text, code, style) => {
    const clone = mkdtempSync(join(folder, 'clone-'));
    execFileSync('git', ['clone', '--quiet', repository, clone], { stdio: 'ignore' });
    writeFileSync(join(clone, 'policy.yaml'), text);
    // What the pull request could add so that it is compared with itself.
    const base = git('rev-parse', 'HEAD').toString().trim();
    for (const name of [base, `${base}:policy.yaml`]) writeFileSync(join(clone, name), text);
    const tools = join(clone, '.tools');
    mkdirSync(tools);
    const tool = (name: string, script: string) =>
      writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    tool('keydesk', `exec '${process.execPath}' '${KEYDESK}' "$@"`);
    tool('buildkite-agent', 'echo "$@"; cat');
    const [step] = parse(readFileSync(join(ROOT, 'examples/pipeline.policy.yml'), 'utf8')).steps;
    // `buildkite-agent pipeline upload` replaces `$$`, and the agent runs the command like this.
    const ran = spawnSync('/bin/bash', ['-e', '-c', step.command.replaceAll('$$', '$')], {
      cwd: clone,
      env: { PATH: `${tools}:${process.env.PATH}`, BUILDKITE_PULL_REQUEST_BASE_BRANCH: 'main' },
      encoding: 'utf8',
    });
    expect(ran.status).toBe(code);
    expect(ran.stdout).toContain(`annotate --context keydesk-policy --style ${style}\n### Keydesk policy\n`);
    expect(step.soft_fail).toEqual([{ exit_status: 3 }]);
  });

  it('says so when there is no repository, or no git', async () => {
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    const env = { GIT_CEILING_DIRECTORIES: tmpdir() };
    expect(await diff(['main'], { cwd: folder, env })).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/^git finds no repository here \(.*\)\. /),
    });
    expect(await diff(['main'], { env: { PATH: folder } })).toEqual({
      code: 1,
      out: '',
      err: 'git is not installed, or not in PATH. Install git, or name two files.\n',
    });
    expect(await diff(['policy.yaml', 'narrower.yaml'], { env: { PATH: folder } })).toMatchObject({ code: 0 });
  });
});
