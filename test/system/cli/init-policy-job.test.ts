// The job of `keydesk init` that checks a policy: its command in a git repository, with a fake npm and a fake agent.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { runCli } from './run-cli.ts';

const FLAGS = [
  ...['--organization', 'globex', '--organization-id', 'f892efa9-103e-4d28-97a1-3b8616a0994e'],
  ...['--pipeline', 'web=0184990a-4782-42b5-afc1-16715b10b1f1', '--firestore', 'production=globex-production'],
  ...['--contact', '#platform', '--project', 'globex-keydesk', '--region', 'europe-west1'],
  ...['--url', 'https://keydesk.globex.io'],
];

describe('the job that checks a policy', () => {
  let folder: string;
  let repository: string;
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@acme.example', ...args], {
      cwd: repository,
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null' },
    });
  const tool = (path: string, text: string) => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-job-'));
    repository = join(folder, 'repository');
    for (const path of ['bin', 'repository']) mkdirSync(join(folder, path));
    tool(
      join(folder, 'bin/npm'),
      `mkdir -p .keydesk/bin && ln -sf ${folder}/keydesk .keydesk/bin/keydesk && echo "$*" > ${folder}/npm.log`,
    );
    tool(join(folder, 'keydesk'), `exec ${process.execPath} ${KEYDESK} "$@"`);
    tool(join(folder, 'bin/buildkite-agent'), `echo "$*" > ${folder}/agent.log; cat > ${folder}/annotation.md`);
    git('init', '--quiet', '--initial-branch=main');
    expect(await runCli('init', ['access', ...FLAGS], { cwd: repository })).toMatchObject({ code: 0 });
    git('add', '.');
    git('commit', '--quiet', '--message=start');
    git('remote', 'add', 'origin', repository);
    git('switch', '--quiet', '--create', 'change');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (environment: Record<string, string>) => {
    const text = readFileSync(join(repository, 'access/.buildkite/keydesk-policy.yml'), 'utf8');
    const [step] = parsePipeline(text);
    return spawnSync('bash', ['-e', '-c', step?.command ?? ''], {
      cwd: repository,
      encoding: 'utf8',
      env: { PATH: `${folder}/bin:${process.env.PATH}`, GIT_CONFIG_GLOBAL: '/dev/null', ...environment },
    });
  };
  const PULL_REQUEST = { BUILDKITE_PULL_REQUEST: '7', BUILDKITE_PULL_REQUEST_BASE_BRANCH: 'main' };
  const change = (before: string, after: string) => {
    const path = join(repository, 'access/policy.yaml');
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(before);
    writeFileSync(path, text.replace(before, after));
    git('commit', '--quiet', '--all', '--message=change');
  };
  const annotated = () => [
    readFileSync(join(folder, 'agent.log'), 'utf8').trim(),
    readFileSync(join(folder, 'annotation.md'), 'utf8'),
  ];

  it('passes a pull request that widens nothing, and shows the difference', () => {
    change('ttl: 10m', 'ttl: 8m');
    const { status, stderr } = run(PULL_REQUEST);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.any(String) });
    const [call, text] = annotated();
    expect(call).toBe('annotate --context keydesk-policy --style success');
    expect(text).toContain('production-config');
    expect(readFileSync(join(folder, 'npm.log'), 'utf8')).toMatch(/--ignore-scripts \.\/keydesk-\d+\.\d+\.\d+\.tgz$/m);
  });

  it('ends with 3 for a pull request that widens access, and shows the difference', () => {
    change('verbs: [get, list, create, update]', 'verbs: [read, write]');
    expect(run(PULL_REQUEST).status).toBe(3);
    expect(annotated()[0]).toContain('--style warning');
  });

  it('is not misled by files with the name of the revision that it compares with', () => {
    const base = git('rev-parse', 'main').toString().trim();
    const text = readFileSync(join(repository, 'access/policy.yaml'), 'utf8').replace(
      '[get, list, create, update]',
      '[read, write]',
    );
    mkdirSync(join(repository, `${base}:access`));
    for (const name of ['main', base, `${base}:access/policy.yaml`]) writeFileSync(join(repository, name), text);
    change('verbs: [get, list, create, update]', 'verbs: [read, write]');
    expect(run(PULL_REQUEST).status).toBe(3);
  });

  it('fails a pull request whose policy has a warning, or fails its tests', () => {
    change('ttl: 10m', 'ttl: 2m');
    expect(run(PULL_REQUEST).status).toBe(1);
    change('ttl: 2m', 'ttl: 10m');
    change(
      '  - name: deploy to production\n',
      '  - name: deploy to production\n    accept: { pull_request_branch: it is tried here }\n',
    );
    change('build_branch: main', 'build_branch: [main, feature/new]');
    const { status, stdout } = run(PULL_REQUEST);
    expect(status).toBe(1);
    expect(stdout).toContain('is not deployed from another branch');
  });

  it('checks a build that is of no pull request, and compares nothing', () => {
    change('verbs: [get, list, create, update]', 'verbs: [read, write]');
    expect(run({ BUILDKITE_PULL_REQUEST: 'false' }).status).toBe(0);
    expect(() => annotated()).toThrow();
  });
});
