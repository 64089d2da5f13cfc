// `keydesk policy test`: which files it runs, what it prints of failures (policy-test.golden.txt, for people to read), and how it ends.
// `RECORD=1` writes the golden file.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { runCli } from './run-cli.ts';

const GOLDEN = new URL('policy-test.golden.txt', import.meta.url);
const TESTS = readFileSync(join(ROOT, 'examples/policy.test.yaml'), 'utf8');
const COMPANIES = ['one-team', 'several-teams', 'regulated'];

/** Files of tests about the example policy, by what is in them. */
const FAILING: Readonly<Record<string, string>> = {
  'cases that fail': `version: 1
job: { pipeline: web, build_branch: main, build_source: webhook }
cases:
  - { name: main, job: {}, gets: [staging-config, staging-admin] }
  - { name: a pull request, job: { build_branch: feature/login }, gets: [staging-config] }
  - { name: a tag, job: { build_tag: main }, granted: [staging-config], refused: [production-config] }
  - { name: a job that requests no claims, job: { pipeline: "" }, granted: [staging-cache] }
  - { name: no guard, job: { build_source: ui }, refused: [staging-export, staging-cache] }
`,
  'statements that are refuted or cannot be proven': `version: 1
statements:
  - never: { environment: production }
    unless: { pipeline: web }
  - name: deployments to staging come from the web pipeline
    never: { environment: staging }
    unless: { pipeline: web }
  - never: { path: "releases/{release}", verb: [get, create], database: staging }
    for: { pipeline: web }
  - name: nobody opens the payroll
    never: { path: "payroll/{document=**}" }
  - never: { bucket: acme-ci-cache }
    unless: { build_branch: main }
  - always: { credential: staging-config }
    for: { pipeline: web, build_branch: main }
`,
  'a case that fails, and statements about what nothing opens': `version: 1
cases:
  - { name: a, job: { pipeline: web, build_branch: x, build_source: ui }, gets: [staging-config] }
statements:
  - never: { path: "cnfig/{document=**}" }
    unless: { pipeline: web }
  - name: nobody opens the folder cold
    never: { bucket: acme-ci-cache, prefix: cold/ }
    unless: { pipeline: web }
`,
  'a file with mistakes': `version: 1
cases:
  - { name: main, job: { pipeline: web, branch: main }, gets: [staging-confg] }
statements:
  - never: { environment: prodction }
    unless: { pipeline: web-relase }
`,
};

describe('keydesk policy test', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-test-'));
    copyFileSync(join(ROOT, 'examples/policy.yaml'), join(folder, 'policy.yaml'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...args: string[]) => runCli('policy test', args, { cwd: folder, env: { KEYDESK_POLICY: '' } });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

  it('says that there are no tests', async () => {
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^policy\.yaml has no tests: /);
  });

  it('runs every test file next to the policy, or those that are named', async () => {
    write('a.test.yaml', TESTS);
    write('b.test.yml', TESTS);
    const all = await run();
    expect({ code: all.code, err: all.err }).toEqual({ code: 0, err: '' });
    expect(all.out.split('\n').map((line) => line.split(':')[0])).toEqual([
      'a.test.yaml',
      'b.test.yml',
      'Coverage',
      '',
    ]);
    const { out } = await run('a.test.yaml');
    expect(out).not.toContain('b.test.yml');
    for (const name of ['a.test.yaml', 'b.test.yml']) rmSync(join(folder, name));
  });

  it.each(COMPANIES)('passes for examples/companies/%s with full coverage', async (company) => {
    const args = ['--coverage', '--policy', `examples/companies/${company}/policy.yaml`];
    expect(await runCli('policy test', args)).toMatchObject({ code: 0, err: '' });
  });

  it('prints what a person has read, and exits with 1', async () => {
    const printed: string[] = [];
    for (const [title, text] of Object.entries(FAILING)) {
      write('policy.test.yaml', text);
      const { code, out, err } = await run();
      expect(code).toBe(1);
      printed.push(`## ${title}\n\n${out}${err}`);
    }
    const golden = printed.join('\n');
    if (process.env.RECORD) writeFileSync(GOLDEN, golden);
    expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
  });

  it('shows jobs that `policy explain` takes, and decides in the same way', async () => {
    write('policy.test.yaml', FAILING['statements that are refuted or cannot be proven'] ?? '');
    const { out } = await run();
    const jobs = [...out.matchAll(/grants (\S+) to a job such as\n {4}(--claim .*)/g)];
    expect(jobs.length).toBeGreaterThan(2);
    for (const [, credential = '', claims = ''] of jobs) {
      const explained = await runCli('policy explain', [credential, ...claims.split(' ')], { cwd: folder });
      expect(explained.out).toContain(`${credential}: granted`);
    }
  });

  it('with --coverage fails when a rule or a credential is in no case', async () => {
    write(
      'policy.test.yaml',
      'version: 1\nstatements:\n  - { never: { environment: production }, for: { build_source: api } }\n',
    );
    expect(await run()).toMatchObject({ code: 0, out: expect.stringContaining('Coverage: 0 of 3 rules') });
    expect((await run('--coverage')).code).toBe(1);
  });

  it('with --json prints the results', async () => {
    write('policy.test.yaml', FAILING['cases that fail'] ?? '');
    const cases = await run('--json');
    expect({ code: cases.code, err: cases.err }).toEqual({ code: 1, err: '' });
    expect(JSON.parse(cases.out)).toMatchObject({
      passed: false,
      files: [
        {
          file: 'policy.test.yaml',
          cases: [
            {
              name: 'main',
              line: 4,
              column: 5,
              passed: false,
              gets: ['staging-config', 'staging-admin', 'staging-export', 'staging-cache'],
              wrong: [
                { credential: 'staging-export', outcome: 'granted', rule: 'deploy to staging' },
                { credential: 'staging-cache', outcome: 'granted' },
              ],
            },
            { wrong: [{ credential: 'staging-config', outcome: 'refused', reason: 'no_matching_rule' }] },
            {},
            {},
            {},
          ],
        },
      ],
      coverage: { rules: { total: 3, covered: 1 }, credentials: { total: 5, covered: 2 } },
    });
    write('policy.test.yaml', FAILING['statements that are refuted or cannot be proven'] ?? '');
    expect(JSON.parse((await run('--json')).out).files[0].statements).toMatchObject([
      {
        statement: 'never environment production, unless pipeline is web',
        line: 3,
        verdict: 'refuted',
        credentials: ['production-config'],
        findings: [{ verdict: 'refuted', rule: 'deploy a tagged release to production', job: { build_tag: 'v1.2.3' } }],
      },
      { verdict: 'refuted' },
      { verdict: 'refuted' },
      { verdict: 'cannot_tell', findings: [{ verdict: 'cannot_tell', why: 'iam' }] },
      {},
      { verdict: 'refuted', findings: [{ rule: null, credentials: ['staging-config'], job: {} }] },
    ]);
  });

  it('takes no policy for a test file', async () => {
    const { code, err } = await run('policy.yaml');
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('write --policy policy.yaml') });
  });

  it('does what its help shows', async () => {
    const { out: usage } = await runCli('policy test', ['--help']);
    const shown = usage.match(/(?<=^ {2}\$ keydesk ).*$/gm) ?? [];
    expect(shown).toHaveLength(2);
    for (const line of shown) expect((await runCli(line)).code).toBe(0);
  });
});
