// `keydesk init`: what it writes is complete, overwrites nothing, and can be planned.

import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { KEYDESK } from '../../fixtures/command.ts';
import { needs } from '../../fixtures/needs.ts';
import { TERRAFORM } from '../deploy/terraform-plan.ts';
import { startProvider } from '../deploy/terraform-provider.ts';
import { runCli } from './run-cli.ts';

const WEB = '0184990a-4782-42b5-afc1-16715b10b1f1';
const RELEASE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e32';
const ORGANIZATION = ['--organization', 'globex', '--organization-id', 'f892efa9-103e-4d28-97a1-3b8616a0994e'];
const PIPELINES = ['--pipeline', `web=${WEB}`, '--pipeline', `web-release=${RELEASE}`];
const REST = [
  ...['--firestore', 'staging=globex-staging', '--firestore', 'production=globex-production'],
  ...['--pool', 'staging=globex-ci', '--deploys', 'staging=web', '--deploys', 'production=web-release'],
  ...['--contact', '#platform', '--project', 'globex-keydesk', '--region', 'europe-west1'],
  ...['--state-bucket', 'globex-keydesk-state'],
  ...['--project-number', 'globex-keydesk=123456789012', '--project-number', 'globex-ci=210987654321'],
];
const ALL = [...ORGANIZATION, ...PIPELINES, ...REST];
const FILES = [
  '.buildkite/keydesk-deploy-curl.yml',
  '.buildkite/keydesk-deploy.yml',
  '.buildkite/keydesk-policy.yml',
  'keydesk-policy-tests.schema.json',
  'keydesk-policy.schema.json',
  'policy.test.yaml',
  'policy.yaml',
  'terraform/.gitignore',
  'terraform/main.tf',
  'terraform/outputs.tf',
  'terraform/terraform.tfvars',
  'terraform/variables.tf',
];
const SCRIPT = needs('script', { install: 'the package bsdutils or util-linux' });

describe('keydesk init', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-init-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const init = (args: readonly string[]) => runCli('init', args, { cwd: folder });
  const filesIn = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
      .sort();
  const read = (path: string) => readFileSync(join(folder, path), 'utf8');

  it('writes a policy that check accepts, and names the next three commands', async () => {
    const { code, out, err } = await init(['start', ...ALL]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(filesIn(join(folder, 'start'))).toEqual(FILES);
    expect(read('start/terraform/main.tf')).toMatch(/^ +bucket = "globex-keydesk-state"$/m);
    for (const path of FILES) expect(out).toContain(`  start/${path}\n`);
    expect(out.match(/^ {2}keydesk .*$/gm)?.map((line) => line.split(' --')[0]?.trim())).toEqual([
      'keydesk policy check',
      'keydesk policy test',
      'keydesk doctor',
    ]);
    for (const schema of ['keydesk-policy.schema.json', 'keydesk-policy-tests.schema.json'])
      expect(read(`start/${schema}`)).toBe(readFileSync(join(ROOT, 'examples', schema), 'utf8'));
    const check = await runCli('policy check', ['--policy', 'start/policy.yaml', '--json'], { cwd: folder });
    expect(check).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(check.out)).toMatchObject({
      policy: { audience: 'https://keydesk-token-123456789012.europe-west1.run.app' },
      warnings: [],
    });
    const test = await runCli('policy test', ['--policy', 'start/policy.yaml', '--coverage'], { cwd: folder });
    expect(test).toMatchObject({ code: 0, err: '' });
  });

  it('with --json has the files, the next commands and the warnings', async () => {
    const shared = REST.map((value) => (value === 'production=web-release' ? 'production=web' : value));
    const { code, out } = await init([...ORGANIZATION, '--pipeline', `web=${WEB}`, ...shared, '--json']);
    expect(code).toBe(0);
    const { files, next, warnings } = JSON.parse(out);
    expect([...files].sort()).toEqual(FILES);
    expect(next).toHaveLength(3);
    expect(warnings).toEqual([expect.stringContaining('production')]);
  });

  it('takes organization and pipelines from the output of ids', async () => {
    const ids = {
      organization: { slug: 'globex', id: 'f892efa9-103e-4d28-97a1-3b8616a0994e' },
      pipelines: [
        { name: 'web', slug: 'web', id: WEB, archived: false },
        { name: 'web-release', slug: 'Web_Release', id: RELEASE, archived: false },
        { name: 'old', slug: 'old', id: ORGANIZATION[3], archived: true },
      ],
    };
    writeFileSync(join(folder, 'ids.json'), JSON.stringify(ids));
    expect((await init(['by-ids', '--ids', 'ids.json', ...REST])).code).toBe(0);
    expect((await init(['by-flags', ...ALL])).code).toBe(0);
    expect(read('by-ids/policy.yaml')).toBe(read('by-flags/policy.yaml'));
  });

  it.each([
    ['no ids', 'none.json', 1],
    ['not ids', 'text.json', 2],
  ])('writes nothing when --ids names %s', async (_, file, expected) => {
    writeFileSync(join(folder, 'text.json'), '{"pipelines":[]}');
    expect((await init(['start', '--ids', file, ...REST])).code).toBe(expected);
    expect(existsSync(join(folder, 'start'))).toBe(false);
  });

  it('exits with 2 without a terminal, and lists every flag that is missing', async () => {
    const { code, out, err } = await init(['start']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    for (const flag of [
      'organization',
      'organization-id',
      'pipeline',
      'firestore',
      'contact',
      'project',
      'region',
      'url',
    ])
      expect(err).toMatch(new RegExp(`^ {2}--${flag}\\b`, 'm'));
    expect(existsSync(join(folder, 'start'))).toBe(false);
  });

  it('exits with 2 for wrong values, and names each flag', async () => {
    const { code, err } = await init(['start', ...ALL, '--url', 'http://keydesk', '--deploys', 'qa=web']);
    expect(code).toBe(2);
    expect(err).toMatch(/^--url: "http:\/\/keydesk" /m);
    expect((await init(['start', ...ALL, '--deploys', 'qa=web'])).err).toMatch(/^--deploys: .*qa/m);
    expect(existsSync(join(folder, 'start'))).toBe(false);
  });

  it('overwrites nothing: it lists what exists, and writes no file', async () => {
    mkdirSync(join(folder, 'terraform'));
    writeFileSync(join(folder, 'terraform/main.tf'), 'mine');
    writeFileSync(join(folder, 'policy.yaml'), 'mine');
    const { code, out, err } = await init(ALL);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.trimEnd().split('\n').slice(1)).toEqual(['  policy.yaml', '  terraform/main.tf']);
    expect(filesIn(folder)).toEqual(['policy.yaml', 'terraform/main.tf']);
    expect(read('policy.yaml')).toBe('mine');
  });

  it('names the policy by its path in the repository', async () => {
    mkdirSync(join(folder, '.git'));
    expect((await init(['access/keydesk', ...ALL])).code).toBe(0);
    expect(read('access/keydesk/.buildkite/keydesk-policy.yml')).toContain('--policy access/keydesk/policy.yaml');
  });

  describe.skipIf(SCRIPT.missing)(SCRIPT.title('on a terminal'), () => {
    const flags = ALL.filter((value) => value !== '--contact' && value !== '#platform');
    /** @param typed what is typed each time the question is shown */
    const type = (...typed: string[]) => {
      const words = [process.execPath, KEYDESK, 'init', ...flags];
      const command = words.map((word) => `'${word}'`).join(' ');
      const child = spawn(SCRIPT.path ?? '', ['-qec', command, '/dev/null'], { cwd: folder });
      child.stdout.on('data', (shown) => {
        if (String(shown).includes('refuses a request: ')) child.stdin.write(typed.shift() ?? '\x04');
      });
      return new Promise((resolve) => {
        child.once('close', resolve);
      });
    };

    it('asks for what is missing, and again after a wrong answer', async () => {
      expect(await type('say "hello"\n', '#help\n')).toBe(0);
      expect(read('policy.yaml')).toContain('contact: "#help"\n');
    });

    it('writes nothing when the input ends', async () => {
      expect(await type('\x04')).toBe(2);
      expect(filesIn(folder)).toEqual([]);
    });
  });

  it.skipIf(TERRAFORM.missing)(
    TERRAFORM.title('writes a Terraform root that is formatted, and that plans every function'),
    async () => {
      const keydesk = async (command: string, ...args: string[]) => {
        const { code, err } = await runCli(command, ['--policy', 'policy.yaml', ...args], { cwd: folder });
        expect({ code, err }).toEqual({ code: 0, err: '' });
      };
      expect((await init(ALL)).code).toBe(0);
      // As after the first apply, with the state on this machine.
      const key = 'AIzaSyKeyOfGlobexThatTerraformMade00001';
      writeFileSync(join(folder, 'policy.yaml'), read('policy.yaml').replaceAll('to-be-created', key));
      writeFileSync(join(folder, 'terraform/backend_override.tf'), 'terraform {\n  backend "local" {}\n}\n');
      for (const project of ['globex-staging', 'globex-production'])
        await keydesk('rules write', '--project', project, '--file', `terraform/${project}.rules`);
      await keydesk('package', '--out', 'terraform/packages');
      const provider = await startProvider(join(folder, 'provider.sock'), true);
      try {
        const terraform = (...args: string[]) =>
          promisify(execFile)(TERRAFORM.path ?? 'terraform', args, {
            cwd: join(folder, 'terraform'),
            env: {
              PATH: process.env.PATH,
              TF_REATTACH_PROVIDERS: provider.reattach,
              CHECKPOINT_DISABLE: '1',
              TF_CLI_ARGS: '-no-color',
            },
            maxBuffer: 64 * 1024 * 1024,
          });
        await terraform('fmt', '-check', 'terraform.tfvars', 'main.tf');
        await terraform('init', '-input=false');
        const versions = ['-var=webhook_tokens_version=1', '-var=buildkite_api_token_version=1'];
        const { stdout } = await terraform('plan', '-input=false', '-lock=false', ...versions);
        for (const name of ['token', 'webhook', 'sweep', 'reader', 'admin'])
          expect(stdout).toContain(`module.keydesk.google_cloud_run_v2_service.keydesk["${name}"] will be created`);
      } finally {
        provider.stop();
      }
    },
  );
});
