// The examples: each policy has no problem and no warning, its tests pass and cover it, and the JSON Schemas accept both. A guard that is
// taken out of a policy fails a test.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isComplete } from '../../../../shared/core/policy-tests/coverage.ts';
import { runTests } from '../../../../shared/core/policy-tests/run-tests.ts';
import { checkPolicy } from '../../../../shared/core/policy-warnings/check.ts';
import { generatedRulesProblems } from '../../../../shared/core/security-rules/limits.ts';
import { schemaProblems, testSchemaProblems } from '../../../fixtures/policy-schema.ts';
import { policyFrom } from '../../../fixtures/policy-tests.ts';

const EXAMPLES = new URL('../../../../examples/', import.meta.url);
const COMPANIES = readdirSync(new URL('companies/', EXAMPLES)).map((name) => `companies/${name}/`);
const FOLDERS = ['', 'approvals/', 'break-glass/', ...COMPANIES];
const read = (path: string) => readFileSync(new URL(path, EXAMPLES), 'utf8');
const testsIn = (folder: string) =>
  readdirSync(new URL(folder, EXAMPLES))
    .filter((name) => name.endsWith('.test.yaml'))
    .map((name) => ({ file: `${folder}${name}`, text: read(`${folder}${name}`) }));
const run = (folder: string, policy: string) => runTests(policyFrom(policy), testsIn(folder));

it('there are three companies', () => {
  expect(COMPANIES).toHaveLength(3);
});

describe.each(FOLDERS)('examples/%s', (folder) => {
  const text = read(`${folder}policy.yaml`);

  it('is a policy without a warning that it does not accept', () => {
    const policy = policyFrom(text);
    expect(checkPolicy(policy)).toMatchObject({ warnings: [], problems: [] });
    expect(generatedRulesProblems(policy.policy)).toEqual([]);
    expect(schemaProblems(parse(text))).toEqual([]);
  });

  it('has tests that pass, and cover every rule and credential', () => {
    const { broken, files, passed, coverage } = run(folder, text);
    expect(broken).toEqual([]);
    expect(files.length).toBeGreaterThan(0);
    expect({ passed, complete: isComplete(coverage) }).toEqual({ passed: true, complete: true });
    for (const { text: tests } of testsIn(folder)) expect(testSchemaProblems(parse(tests))).toEqual([]);
  });
});

describe('the tests of a company, or of an example with conditions, fail', () => {
  it.each([
    ['one-team', 'a step key is removed', ', step_key: deploy }', ' }'],
    ['one-team', 'a branch becomes a pattern', 'build_branch: main, build_source', 'build_branch: "**", build_source'],
    ['several-teams', 'api is added', 'build_source: [ui, trigger_job]', 'build_source: [ui, trigger_job, api]'],
    [
      'several-teams',
      'a pipeline is added',
      'match: { pipeline: shop-release,',
      'match: { pipeline: [shop-release, shop],',
    ],
    [
      'several-teams',
      'a credential is added',
      'grants: [search-staging-index]',
      'grants: [search-staging-index, shop-staging]',
    ],
    ['several-teams', 'a verb is added', 'verbs: [read, update] }', 'verbs: [read, update, delete] }'],
    [
      'several-teams',
      'a source is removed',
      'build_source: [webhook, ui] }\n    grants: [shop-staging]',
      'build_source: [ui] }\n    grants: [shop-staging]',
    ],
    ['regulated', 'a path is added', 'path: "health/{check}"', 'path: "payments/{check}"'],
    ['regulated', 'a prefix is removed', '      prefix: ci/\n', ''],
    [
      'regulated',
      'an approval of one’s own is let in',
      ', not: creator }\n    grants: [release',
      ' }\n    grants: [release',
    ],
    ['regulated', 'a runner is removed', '      runner_environment: self-hosted\n', ''],
    [
      'regulated',
      'a source becomes a wildcard',
      'build_source: ui\n      step_key: release',
      'build_source: "u*"\n      step_key: release',
    ],
  ])('%s: when %s', (company, _, before, after) => {
    failsWhen(`companies/${company}/`, before, after);
  });

  it.each([
    ['approvals', 'the creator may approve', ', not: creator', ''],
    ['approvals', 'an approval holds for a day', 'within: 4h', 'within: 24h'],
    ['approvals', 'another team approves', 'by: release-managers', 'by: web'],
    ['approvals', 'builds of pushes are admitted', 'build_source: ui,', 'build_source: [ui, webhook],'],
    ['approvals', 'the team is removed', ', team: { name: web, access: build_and_read }', ''],
    ['approvals', 'any machine will do', 'claims: { project: acme-build }', 'claims: { project: somebody-elses }'],
    ['break-glass', 'anybody may start it', '      created_by: { team: on-call }\n', ''],
    ['break-glass', 'no reason is needed', '      use: break-glass\n', ''],
  ])('%s: when %s', (example, _, before, after) => {
    failsWhen(`${example}/`, before, after);
  });

  function failsWhen(folder: string, before: string, after: string) {
    const text = read(`${folder}policy.yaml`);
    expect(text).toContain(before);
    // Guards of environments refuse some changes before any test does.
    const unguarded = text.replace(/^ {4}require: .*\n/gm, '');
    expect(run(folder, unguarded).passed).toBe(true);
    expect(run(folder, unguarded.replaceAll(before, after)).passed).toBe(false);
  }
});
