// `keydesk policy check`, `explain` and `schema`: what they say of the example policy, of mistakes, and of jobs.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import type { Ended } from '../../fixtures/run-keydesk.ts';
import { runCli } from './run-cli.ts';

const EXAMPLE = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8');
const WEB = '0184990a-4782-42b5-afc1-16715b10b1f0';
const WEB_RELEASE = '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31';
/** The warning that the example accepts. */
const HOSTED = { code: 'hosted_runners', path: ['environments', 'production'] };
const replaced = (...changes: [before: string, after: string][]) =>
  changes.reduce((text, [before, after]) => {
    expect(text).toContain(before);
    return text.replaceAll(before, after);
  }, EXAMPLE);

describe('keydesk policy schema', () => {
  it('prints the JSON Schema that is in examples/, which the example names to editors', async () => {
    const schema = readFileSync(join(ROOT, 'examples/keydesk-policy.schema.json'), 'utf8');
    expect(await runCli('policy schema', [], { cwd: tmpdir() })).toEqual({ code: 0, out: schema, err: '' });
    expect(EXAMPLE).toMatch(/^# yaml-language-server: \$schema=\.\/keydesk-policy\.schema\.json\n/);
  });

  it('with --tests prints the schema of test files', async () => {
    const schema = readFileSync(join(ROOT, 'examples/keydesk-policy-tests.schema.json'), 'utf8');
    expect(await runCli('policy schema', ['--tests'], { cwd: tmpdir() })).toEqual({ code: 0, out: schema, err: '' });
  });
});

describe('keydesk policy check', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const policy = (text: string, ...args: string[]): Promise<Ended> => {
    writeFileSync(join(folder, 'policy.yaml'), text);
    const command = args.includes('--claim') ? 'policy explain' : 'policy check';
    return runCli(command, args, { cwd: folder, env: { KEYDESK_POLICY: '' } });
  };
  const job = (...claims: string[]) => policy(EXAMPLE, ...claims.flatMap((claim) => ['--claim', claim]));

  it('says of each credential what it is, what it opens and who gets it', async () => {
    const { code, out, err } = await policy(EXAMPLE);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  '));
    expect(lines).toContain('policy.yaml is valid: 5 credentials, 3 rules');
    for (const row of [
      'staging-config  staging  firestore  immediate  15m',
      'production-config  production  firestore  immediate  10m',
      'staging-admin  staging  serviceAccount, pooled  propagating  15m',
      'staging-export  staging  serviceAccount  expiry  10m',
      'staging-cache  staging  storage  expiry  15m',
      '  opens  acme-staging (default) releases/{release}: get',
      '  opens  acme-production (default) config/{document=**}: get, list, create, update, delete',
      '  opens  whatever the roles of its account allow (one of a pool of 3), with scopes https://www.googleapis.com/auth/cloud-platform',
      '  opens  gs://acme-ci-cache/warm/ with roles/storage.objectUser, as ci-cache@acme-staging.iam.gserviceaccount.com',
      '  granted by  "deploy to staging", "try a tagged release on staging"',
    ])
      expect(lines).toContain(row);
    expect(out).not.toContain('warning');
  });

  it('shows a narrowed token of a pool as storage, pooled', async () => {
    const { out } = await policy(
      replaced([
        'serviceAccount: ci-cache@acme-staging.iam.gserviceaccount.com',
        'pool: [ci-101@acme-ci-pool.iam.gserviceaccount.com]',
      ]),
    );
    expect(out).toMatch(/staging-cache +staging +storage, pooled +expiry +15m/);
  });

  it('by npm run reads the policy in the folder in which it was run', () => {
    writeFileSync(join(folder, 'policy.yaml'), EXAMPLE);
    const npm = spawnSync('npm', ['run', '--silent', '--prefix', ROOT, 'keydesk', '--', 'policy', 'check'], {
      cwd: folder,
      env: { ...process.env, INIT_CWD: folder },
      encoding: 'utf8',
    });
    expect({ status: npm.status, stderr: npm.stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('has a note, and no warning, for each API key that is to-be-created', async () => {
    const { code, out, err } = await policy(
      replaced(
        ['AIzaSyExampleWebKeyOfAcmeStaging', 'to-be-created'],
        ['AIzaSyExampleWebKeyOfAcmeProduction', 'to-be-created'],
      ),
    );
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.match(/^note: the apiKey of database "\w+" is to-be-created/gm)).toHaveLength(2);
  });

  it('reports all problems with line and column, and exits with 1', async () => {
    const { code, out, err } = await policy(replaced(['version: 1', 'version: 2'], ['ttl: 10m', 'ttl: 2h']));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/^\S+: error: /gm)).toEqual([
      'policy.yaml:3:10: error: ',
      'policy.yaml:47:10: error: ',
      'policy.yaml:65:10: error: ',
    ]);
    expect(err).toContain('\n  47 |     ttl: 2h\n     |          ^^\n');
  });

  it('refuses a policy whose security rules exceed the limits of Firestore', async () => {
    const first = '- { path: "config/{document=**}"';
    const covering = Array.from({ length: 10 }, (_, index) => `config/d${'/s/d'.repeat(index)}/{rest=**}`);
    const more = covering.map((path) => `- { path: "${path}", verbs: [get] }\n        `).join('');
    const { code, out, err } = await policy(EXAMPLE.replace(first, `${more}${first}`));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^policy\.yaml: the rules file of acme-staging \(default\) has 10 matches for "get"/);
  });

  it('with --json prints the policy as it is used, in an order of its own, with the SHA-256 of the file', async () => {
    const { code, out, err } = await policy(EXAMPLE, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual({
      ...parsePolicy(EXAMPLE, 'policy.yaml'),
      warnings: [],
      accepted: [expect.objectContaining(HOSTED)],
    });
    const keys = [...out.matchAll(/^ {4}"(\w+)"/gm)].map(([, key]) => key);
    expect(keys).toEqual([...keys].sort());
    const moved = EXAMPLE.replace('version: 1\n', '').concat('\nversion: 1\n');
    const again = await policy(moved, '--json');
    const withoutPlaces = (json: string) => json.replace(/"sha256": "\w+"/, '').replaceAll(/"line": \d+/g, '');
    expect(withoutPlaces(again.out)).toBe(withoutPlaces(out));
    expect(again.out).not.toBe(out);
  });

  it('with --json prints the problems, and what ends a command', async () => {
    const broken = await policy(
      replaced(['version: 1', 'version: 2'], ['ttl: 10m\n    firestore', 'ttl: 1s\n    firestore']),
      '--json',
    );
    expect(broken).toMatchObject({ code: 1, err: expect.stringContaining('policy.yaml:') });
    expect(JSON.parse(broken.out)).toMatchObject({
      error: {
        message: 'policy.yaml: 2 problems',
        problems: [
          { file: 'policy.yaml', line: 3, column: 10, message: expect.stringContaining('must be 1') },
          { file: 'policy.yaml', where: expect.stringContaining('production-config') },
        ],
      },
    });
    for (const [command, code] of [
      ['policy who --environment prodction', 2],
      ['policy what --claim pipeline=wbe', 2],
      ['policy explain nobody', 2],
      ['policy diff none.yaml', 1],
      ['policy test none.test.yaml', 1],
      ['policy check --polcy x', 2],
      ['policy check --policy none.yaml', 1],
    ] as const) {
      const ended = await runCli(command, ['--json'], { env: { KEYDESK_POLICY: 'examples/policy.yaml' } });
      expect(ended.code).toBe(code);
      const { error } = JSON.parse(ended.out);
      expect(error).toEqual({ message: expect.stringMatching(/\w/), problems: [] });
      expect(ended.err).toContain(error.message);
    }
  });

  it('says so when the file is a folder, or UTF-16, or not UTF-8', async () => {
    const check = (file: string) => runCli('policy check', ['--policy', file], { cwd: folder });
    expect(await check('.')).toEqual({ code: 1, out: '', err: '. is a folder. Name a file in it.\n' });
    writeFileSync(join(folder, 'utf16.yaml'), Buffer.from(`\ufeff${EXAMPLE}`, 'utf16le'));
    expect(await check('utf16.yaml')).toMatchObject({ code: 1, err: expect.stringContaining('UTF-16') });
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from('version: 1\n# café\n', 'latin1'));
    expect(await check('latin1.yaml')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^latin1\.yaml:2:6: error: /),
    });
  });

  it('says so when there is no file', async () => {
    const { code, err } = await runCli('policy check', ['--policy', 'none.yaml'], { cwd: folder });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(/^none\.yaml does not exist\. .* keydesk init\.\n$/),
    });
  });

  it('prints warnings with their places, and exits with 1', async () => {
    const { code, out } = await policy(
      replaced(['build_branch: [main, "release/*"]', 'build_branch: [main, "^release/.*"]']),
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^policy\.yaml:\d+:28: warning pattern_syntax: "\^release\/\.\*" looks like a regular/m);
    expect(out).toContain('\n  in rule "deploy to staging", match, build_branch\n');
  });

  const SHORT: [string, string] = ['ttl: 10m\n    serviceAccount', 'ttl: 5m\n    serviceAccount'];
  const ACCEPTED: [string, string] = [
    SHORT[0],
    `${SHORT[1]}`.replace('\n', '\n    accept: { short_ttl: a request or two }\n'),
  ];

  it('exits with 0 when the policy accepts the warnings, and prints each with its reason', async () => {
    const { code, out, err } = await policy(replaced(ACCEPTED));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^policy\.yaml:\d+:10: accepted short_ttl: a request or two$/m);
  });

  it('exits with 1 when the policy accepts a warning that there is not', async () => {
    const [, accepted] = ACCEPTED;
    const { code, out, err } = await policy(replaced([SHORT[0], accepted.replace('5m', '10m')]));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^policy\.yaml:\d+:\d+: error: Nothing to accept/);
  });

  it('with --json has the warnings in it, accepted or not', async () => {
    const given = await policy(replaced(SHORT), '--json');
    expect(given).toMatchObject({ code: 1, err: '' });
    const warning = { code: 'short_ttl', path: ['credentials', 'staging-export', 'ttl'], column: 10 };
    expect(JSON.parse(given.out)).toMatchObject({ warnings: [warning], accepted: [HOSTED] });
    const accepted = await policy(replaced(ACCEPTED), '--json');
    expect(accepted).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(accepted.out)).toMatchObject({
      warnings: [],
      accepted: [HOSTED, { ...warning, reason: 'a request or two' }],
    });
  });

  it('says what a job would receive, and which claims it must request', async () => {
    const { code, out, err } = await job(`pipeline_id=${WEB}`, 'build_branch=main', 'build_source=ui');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n')).toEqual([
      'The job requests its token with --claim organization_id --claim pipeline_id',
      '',
      'staging-config: granted by "deploy to staging", immediate, 15m',
      'production-config: refused, no_matching_rule',
      `  rule "deploy a tagged release to production": pipeline_id is "${WEB} (web)", the rule needs ${WEB_RELEASE} (web-release); build_branch is "main", the rule needs v*; build_tag is not given, the rule needs v*; step_key is not given, the rule needs deploy-production`,
      'staging-admin: granted by "deploy to staging", propagating, 15m',
      'staging-export: granted by "deploy to staging", expiry, 10m',
      'staging-cache: granted by "deploy to staging", expiry, 15m',
      '',
    ]);
  });

  it('takes the name of a pipeline for its UUID', async () => {
    const named = await job('pipeline=web', 'build_branch=main', 'build_source=ui');
    expect(named).toEqual(await job(`pipeline_id=${WEB}`, 'build_branch=main', 'build_source=ui'));
  });

  it('says why a tag called main gets nothing', async () => {
    const { out } = await job(`pipeline_id=${WEB}`, 'build_branch=main', 'build_tag=main', 'build_source=ui');
    expect(out).toContain('rule "deploy to staging": the build is of a tag');
  });

  it('says which claim a job did not request', async () => {
    const { out } = await job(`pipeline_id=${WEB}`, 'build_branch=main', 'build_source=ui', 'organization_id=');
    expect(out).toContain(
      'staging-config: refused, claims_missing: the job must request its token with --claim organization_id',
    );
  });

  it.each([
    [
      'a claim that no rule can name',
      ['branch=main'],
      '--claim: "branch" is not a claim that a rule can match. Did you mean "build_branch"?',
    ],
    ['no value', ['build_tag'], '--claim: "build_tag" is not NAME=VALUE'],
    ['a claim twice', ['build_tag=a', 'build_tag=b'], '--claim: build_tag is given twice'],
    ['a pipeline that is misspelt', ['pipeline=wbe'], '"wbe" is not a pipeline of this policy. Did you mean "web"?'],
    ['a pipeline that is not declared', ['pipeline=docs-site'], 'Known: web, web-release. Or give pipeline_id.'],
    ['a pipeline twice', ['pipeline=web', `pipeline_id=${WEB}`], 'pipeline and pipeline_id name the same claim'],
    ['a slug for an id', [`pipeline_id=app`], '--claim: pipeline_id cannot be "app" in a job token'],
    [
      'another organization',
      [`organization_id=${WEB}`],
      "--claim: organization_id does not match the policy's organization.id",
    ],
  ])('takes no job with %s', async (_, claims, message) => {
    const { code, out, err } = await job('build_branch=main', ...claims);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it('takes no job that lacks a claim when rules look at a claim that every job has', async () => {
    const { code, err } = await job(`pipeline_id=${WEB}`);
    expect({ code, err }).toEqual({
      code: 2,
      err: '--claim: build_branch is missing: every job has one, and rule "deploy to staging" looks at it. Add --claim build_branch=VALUE\n',
    });
  });

  it('gives the same decisions as JSON, of the credentials that are named', async () => {
    const claims = [`pipeline_id=${WEB}`, 'build_branch=main', 'build_source=ui'];
    const args = ['staging-config', 'production-config', ...claims.flatMap((claim) => ['--claim', claim]), '--json'];
    const { code, out } = await policy(EXAMPLE, ...args);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      claim_flags: ['--claim organization_id', '--claim pipeline_id'],
      decisions: [
        {
          credential: 'staging-config',
          outcome: 'granted',
          rule: 'deploy to staging',
          ttl: 900,
          revocation: 'immediate',
        },
        { credential: 'production-config', outcome: 'refused', reason: 'no_matching_rule' },
      ],
    });
  });

  it('takes the policy of KEYDESK_POLICY unless an option names another', async () => {
    const env = { KEYDESK_POLICY: '/nonexistent/policy.yaml' };
    expect((await runCli('policy check', [], { env })).err).toMatch(/^\/nonexistent\/policy\.yaml does not exist\. /);
    expect((await runCli('policy check', ['--policy', 'examples/policy.yaml'], { env })).code).toBe(0);
  });

  it.each([
    ['policy check', 1],
    ['policy explain', 2],
  ])('%s does what its help shows', async (command, count) => {
    const { out: usage } = await runCli(command, ['--help']);
    const shown = usage.replaceAll('\\\n', ' ').match(/(?<=^ {2}\$ keydesk ).*--policy.*$/gm) ?? [];
    expect(shown).toHaveLength(count);
    for (const line of shown) expect((await runCli(line.trim().replaceAll(/ +/g, ' '))).code).toBe(0);
  });
});
