// Cases of a test file: what passes, what fails, and which rules and credentials they cover.

import { describe, expect, it } from 'vitest';
import { changedExample, policyFrom, run } from '../../../fixtures/policy-tests.ts';

const EXAMPLE = policyFrom();
const MAIN = '{ pipeline: web, build_branch: main, build_source: webhook }';
const ALL_OF_MAIN = ['staging-config', 'staging-admin', 'staging-export', 'staging-cache'];

const runCase = (job: string, expected: string, policy = EXAMPLE) => {
  const { files, broken, passed } = run(policy, 'cases:', `  - { name: a, job: ${job}, ${expected} }`);
  expect(broken).toEqual([]);
  return { ...files[0]?.cases[0], passed };
};

describe('a case', () => {
  it.each([
    ['gets all that it names', MAIN, `gets: [${ALL_OF_MAIN}]`],
    ['gets nothing', '{ pipeline: web, build_branch: x, build_source: ui }', 'gets: []'],
    ['gets what granted names, and perhaps more', MAIN, 'granted: [staging-config]'],
    ['does not get what refused names', MAIN, 'refused: [production-config]'],
    ['has both', MAIN, 'granted: [staging-admin], refused: [production-config]'],
  ])('passes that %s', (_, job, expected) => {
    expect(runCase(job, expected)).toMatchObject({ passed: true, wrong: [] });
  });

  it.each([
    ['gets more than gets names', MAIN, 'gets: [staging-config]', ALL_OF_MAIN.slice(1)],
    ['gets less', '{ pipeline: web, build_branch: x }', 'gets: [staging-config]', ['staging-config']],
    ['is refused what granted names', MAIN, 'granted: [production-config]', ['production-config']],
    ['gets what refused names', MAIN, 'refused: [staging-admin, production-config]', ['staging-admin']],
  ])('fails that %s', (_, job, expected, wrong) => {
    const result = runCase(job, expected);
    expect(result.passed).toBe(false);
    expect(result.wrong?.map(([credential]) => credential)).toEqual(wrong);
  });

  it('gets nothing without a claim that is not stated', () => {
    expect(runCase('{ pipeline: web, build_branch: main }', 'gets: []').passed).toBe(true);
    expect(runCase('{ build_branch: main, build_source: ui }', 'gets: []').passed).toBe(true);
  });

  it("has the policy's organization, unless it leaves it out", () => {
    expect(runCase(MAIN.replace('}', ', organization_id: "" }'), 'gets: []').passed).toBe(true);
  });

  it('has the claims of the file, except those of its own', () => {
    const { passed, broken } = run(
      EXAMPLE,
      `job: { pipeline: web, build_branch: main, build_source: ui, build_tag: v1 }`,
      'cases:',
      '  - { name: with the tag, job: {}, gets: [] }',
      '  - { name: without it, job: { build_tag: "" }, granted: [staging-config] }',
      '  - { name: by id, job: { pipeline_id: 0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31, build_branch: v1 }, gets: [staging-config] }',
    );
    expect({ broken, passed }).toEqual({ broken: [], passed: true });
  });

  it('names a pipeline by its UUID in capital letters too', () => {
    const job = MAIN.replace('pipeline: web', 'pipeline_id: 0184990A-4782-42B5-AFC1-16715B10B1F0');
    expect(runCase(job, 'granted: [staging-config]').passed).toBe(true);
  });
});

describe('coverage', () => {
  const covered = (...lines: string[]) => run(EXAMPLE, 'cases:', ...lines).coverage;

  it('has what cases expect and get', () => {
    expect(covered(`  - { name: a, job: ${MAIN}, granted: [staging-config, staging-cache] }`)).toEqual({
      rules: { total: 3, missing: ['try a tagged release on staging', 'deploy a tagged release to production'] },
      credentials: { total: 5, missing: ['production-config', 'staging-admin', 'staging-export'] },
    });
  });

  it('has nothing of a case that expects a refusal, or fails', () => {
    const { rules, credentials } = covered(
      `  - { name: a, job: ${MAIN}, refused: [production-config] }`,
      `  - { name: b, job: ${MAIN}, granted: [production-config] }`,
    );
    expect([rules.missing.length, credentials.missing.length]).toEqual([3, 5]);
  });

  it('has the rule that decides, and not a later one that matches too', () => {
    const policy = changedExample([
      '  # A pipeline of its own',
      '  - name: second\n    match: { pipeline: web }\n    grants: [staging-config]\n  # A pipeline of its own',
    ]);
    const { coverage } = run(policy, 'cases:', `  - { name: a, job: ${MAIN}, granted: [staging-config] }`);
    expect(coverage.rules.missing).toContain('second');
  });
});
