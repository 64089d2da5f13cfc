// Statements about the example policy and changes of it: what is proven, what is refuted with which rule, and what cannot be proven.

import { describe, expect, it } from 'vitest';
import { decide } from '../../../../shared/core/policy/decide.ts';
import { TextFinder } from '../../../../shared/core/policy-analysis/texts.ts';
import { Work } from '../../../../shared/core/policy-analysis/work.ts';
import { type Proof, prove } from '../../../../shared/core/policy-tests/prove.ts';
import { claimsOfExample } from '../../../fixtures/example-claims.ts';
import { changedExample, policyFrom, runStatement } from '../../../fixtures/policy-tests.ts';

const EXAMPLE = policyFrom();
const POOL = 'staging-admin: it has no role for this';
const SHARED = 'staging-export: it has no role for this';
const ASSUME = `assume: { ${POOL}, ${SHARED} }`;
const verdictOf = (statement: string, policy = EXAMPLE): Proof => {
  const { proof, problems } = runStatement(policy, statement);
  if (!proof) throw new Error(problems.map(({ message }) => message).join('\n'));
  for (const { verdict, rule, credentials, job } of proof.findings) {
    if (!job || verdict !== 'refuted') continue;
    // An example is a job that the policy decides like that.
    for (const credential of credentials) {
      const { outcome, trace } = decide(policy.policy, claimsOfExample(job), credential);
      expect(outcome).toBe(rule === undefined ? 'refused' : 'granted');
      if (rule !== undefined) expect(trace.find((one) => one.rule === rule)?.outcome).toBe('granted');
    }
  }
  return proof;
};

describe('never', () => {
  it.each([
    '{ never: { environment: production }, unless: { pipeline: web-release } }',
    '{ never: { environment: production }, unless: { pipeline: [web, web-release], step_key: deploy-* } }',
    '{ never: { environment: production }, unless: [{ build_source: webhook }, { build_source: ui }] }',
    '{ never: { environment: production }, for: { build_source: api } }',
    '{ never: { environment: [production, staging] }, for: { pipeline: web, build_branch: feature/** } }',
    '{ never: { credential: [staging-admin, production-config] }, unless: { pipeline: [web, web-release] } }',
    '{ never: { credential: staging-cache }, for: { pipeline_id: 0184990B-11F2-4A8E-B0D4-5F7A0C2D9E31 } }',
    '{ never: { environment: production }, unless: { build_branch: "v*", build_tag: "v*" } }',
    `{ never: { path: "releases/{r}", verb: write }, ${ASSUME} }`,
    `{ never: { path: "config/{document=**}", verb: delete, database: staging }, ${ASSUME} }`,
    '{ never: { path: "config/a/b/c" }, for: { pipeline: web-release }, unless: { build_branch: "v*", build_tag: "v*" } }',
    `{ never: { bucket: acme-ci-cache, prefix: cold/ }, assume: { ${POOL} } }`,
    '{ never: { bucket: acme-ci-cache }, unless: { pipeline: web } }',
    '{ never: { path: "{collection}/{document=**}", database: production }, unless: { pipeline: [web, web-release] } }',
  ])('proves %s', (statement) => {
    expect(verdictOf(statement)).toMatchObject({ verdict: 'proven', findings: [] });
  });

  it.each<[string, string | undefined, string[]]>([
    ['{ never: { environment: production } }', 'deploy a tagged release to production', ['production-config']],
    [
      '{ never: { environment: production }, unless: { pipeline: web } }',
      'deploy a tagged release to production',
      ['production-config'],
    ],
    [
      '{ never: { environment: staging }, unless: { pipeline: web } }',
      'try a tagged release on staging',
      ['staging-config'],
    ],
    // Like a rule, an exception about a branch is none for builds of a tag.
    [
      '{ never: { environment: production }, unless: { build_branch: "v*" } }',
      'deploy a tagged release to production',
      ['production-config'],
    ],
    [
      '{ never: { environment: production }, unless: { pipeline: web-release, build_source: webhook } }',
      'deploy a tagged release to production',
      ['production-config'],
    ],
    [
      '{ never: { path: "cache/{entry}", verb: [list, delete] }, for: { pipeline: web-release } }',
      'try a tagged release on staging',
      ['staging-config'],
    ],
    [
      '{ never: { path: "config/{d=**}", verb: delete, database: production } }',
      'deploy a tagged release to production',
      ['production-config'],
    ],
    [
      '{ never: { path: "{collection}/{document=**}", verb: write, database: production } }',
      'deploy a tagged release to production',
      ['production-config'],
    ],
    ['{ never: { bucket: acme-ci-cache, prefix: warm/a/ } }', 'deploy to staging', ['staging-cache']],
    ['{ never: { bucket: acme-ci-cache, prefix: wa } }', 'deploy to staging', ['staging-cache']],
  ])('refutes %s', (statement, rule, credentials) => {
    const { verdict, findings } = verdictOf(statement);
    expect(verdict).toBe('refuted');
    expect(findings).toContainEqual(expect.objectContaining({ verdict: 'refuted', rule, credentials }));
  });

  it('cannot tell what accounts with unknown roles open, unless their jobs are excepted or a reason is given', () => {
    const path = '{ never: { path: "users/{user}" }';
    expect(verdictOf(`${path} }`)).toMatchObject({
      verdict: 'cannot tell',
      findings: [{ why: 'iam', rule: 'deploy to staging', credentials: ['staging-admin', 'staging-export'] }],
    });
    expect(verdictOf(`${path}, assume: { ${POOL} } }`)).toMatchObject({
      findings: [{ credentials: ['staging-export'] }],
    });
    expect(verdictOf(`${path}, ${ASSUME} }`)).toMatchObject({
      verdict: 'proven',
      about: ['staging-admin', 'staging-export'],
    });
    expect(verdictOf(`${path}, unless: { pipeline: web } }`).verdict).toBe('proven');
  });

  it.each<[string, object | undefined]>([
    [`{ never: { path: "cnfig/{d=**}" }, ${ASSUME} }`, { what: 'collection', name: 'cnfig', near: 'config' }],
    [`{ never: { path: "payroll/{p}" }, ${ASSUME} }`, { what: 'collection', name: 'payroll', near: undefined }],
    [
      `{ never: { path: "cache/{e}", database: production }, ${ASSUME} }`,
      { what: 'collection', name: 'cache', near: undefined },
    ],
    [
      `{ never: { bucket: acme-ci-cache, prefix: wram/ }, assume: { ${POOL} } }`,
      { what: 'prefix', name: 'wram/', near: 'warm/' },
    ],
    [`{ never: { path: "config/{d}/x/{y}", verb: delete, database: staging }, ${ASSUME} }`, undefined],
    ['{ never: { path: "{collection}/{d=**}" }, unless: { pipeline: [web, web-release] } }', undefined],
    ['{ never: { bucket: acme-ci-cache, prefix: warm/a/ }, unless: { pipeline: web } }', undefined],
  ])('says what no credential opens in %s', (statement, unopened) => {
    expect(verdictOf(statement)).toMatchObject({ verdict: 'proven', unopened });
    expect(verdictOf(statement).unopened).toEqual(unopened);
  });

  it('asks nothing about accounts whose scopes do not open it', () => {
    // staging-export has the scope datastore.
    const bucket = '{ never: { bucket: acme-ci-cache, prefix: cold/ }';
    expect(verdictOf(`${bucket}, assume: { ${POOL} } }`)).toMatchObject({
      verdict: 'proven',
      about: ['staging-admin'],
    });
    expect(runStatement(EXAMPLE, `${bucket}, ${ASSUME} }`).problems).toMatchObject([
      { message: expect.stringContaining('Nothing to assume') },
    ]);
    const scope = (name: string) => changedExample(['auth/datastore', `auth/${name}`]);
    const path = `{ never: { path: "users/{u}" }, assume: { ${POOL} } }`;
    expect(verdictOf(path, scope('bigquery')).verdict).toBe('proven');
    // It may give tokens of other accounts.
    expect(verdictOf(path, scope('iam')).verdict).toBe('cannot tell');
  });

  it('may be about a branch that a rule names, whatever its name', () => {
    const policy = changedExample(['build_branch: [main, "release/*"]', 'build_branch: [main, "heads/*"]']);
    const statement = '{ never: { environment: staging }, for: { build_branch: "heads/*" } }';
    expect(runStatement(policy, statement)).toMatchObject({ proof: { verdict: 'refuted' }, problems: [] });
  });

  it('is refuted when one credential certainly opens it and another perhaps', () => {
    expect(verdictOf('{ never: { path: "config/{d=**}", verb: get } }').verdict).toBe('refuted');
  });

  it.each([
    '{ never: { environment: production }, unless: { pipeline: web-release } }',
    `{ never: { path: "releases/{r}", verb: write }, ${ASSUME} }`,
    '{ always: { credential: staging-config }, for: { pipeline: web, build_branch: main, build_source: ui } }',
  ])('cannot tell when a search exceeds its bound: %s', (text) => {
    const { statement } = verdictOf(text);
    const { verdict, findings } = prove(EXAMPLE.policy, statement, () => ({
      finder: new TextFinder(),
      work: new Work(0),
    }));
    expect(verdict).toBe('cannot tell');
    expect(findings[0]).toMatchObject({ verdict: 'cannot tell', job: undefined, why: 'complexity' });
  });

  it('is about an environment by its credentials, also those of a later policy', () => {
    const policy = changedExample(
      ['    environment: staging\n    ttl: 10m', '    environment: production\n    ttl: 10m'],
      ['revocation: [immediate, propagating]', 'revocation: [immediate, propagating, expiry]'],
      ['    require: [pipeline, build_source, step_key]\n', ''],
    );
    const { findings } = verdictOf('{ never: { environment: production }, unless: { pipeline: web-release } }', policy);
    expect(findings).toMatchObject([{ rule: 'deploy to staging', credentials: ['staging-export'] }]);
  });
});

describe('always', () => {
  it.each([
    '{ always: { credential: staging-config }, for: { pipeline: web, build_branch: main, build_source: ui } }',
    '{ always: { credential: [staging-config, staging-admin] }, for: { pipeline: web, build_branch: release/*, build_source: [ui, webhook] } }',
    '{ always: { credential: staging-config }, for: { pipeline: web-release, build_branch: "v*", build_tag: "v*" } }',
  ])('proves %s', (statement) => {
    expect(verdictOf(statement)).toMatchObject({ verdict: 'proven', findings: [] });
  });

  it.each([
    [
      'a claim that may be absent',
      '{ always: { credential: staging-config }, for: { pipeline: web, build_branch: main } }',
    ],
    [
      'a value between',
      '{ always: { credential: staging-config }, for: { pipeline: web, build_branch: "release/**", build_source: ui } }',
    ],
    [
      'another credential',
      '{ always: { credential: production-config }, for: { pipeline: web, build_branch: main, build_source: ui } }',
    ],
    [
      'tags',
      '{ always: { credential: staging-config }, for: { pipeline: web, build_branch: main, build_tag: "*", build_source: ui } }',
    ],
  ])('refutes by %s', (_, statement) => {
    expect(verdictOf(statement)).toMatchObject({ verdict: 'refuted', findings: [{ rule: undefined }] });
  });
});

describe('assume', () => {
  it.each([
    [
      'of what the policy decides',
      '{ never: { path: "config/{d=**}" }, unless: { pipeline: [web, web-release] }, assume: { staging-config: this is a reason } }',
      /Nothing to assume: by the policy, staging-config opens this/,
    ],
    [
      'of what is proven without it',
      `{ never: { path: "users/{u}" }, unless: { pipeline: web }, ${ASSUME} }`,
      /Nothing to assume: the statement is proven for staging-admin without it/,
    ],
    [
      'of an unknown credential',
      '{ never: { path: "users/{u}" }, assume: { staging-amin: this is a reason } }',
      /Did you mean "staging-admin"/,
    ],
    [
      'without a reason',
      '{ never: { path: "users/{u}" }, assume: { staging-admin: no, staging-export: this is a reason } }',
      /reason of three words/,
    ],
    [
      'of an environment',
      `{ never: { environment: production }, ${ASSUME} }`,
      /only for a statement about a path or a bucket/,
    ],
  ])('is a problem %s', (_, statement, message) => {
    const { problems } = runStatement(EXAMPLE, statement);
    expect(problems.map((problem) => problem.message)).toEqual(
      expect.arrayContaining([expect.stringMatching(message)]),
    );
  });
});
