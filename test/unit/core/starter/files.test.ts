// What `keydesk init` writes, of any answers: a policy without a warning that is not accepted, whose rules are as the flags say.

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePipeline } from '../../../../sandbox/fakes/buildkite/pipeline.ts';
import { TO_BE_CREATED } from '../../../../shared/core/policy/api-key-to-be-created.ts';
import { checkPolicy } from '../../../../shared/core/policy-warnings/check.ts';
import { generatedRulesProblems } from '../../../../shared/core/security-rules/limits.ts';
import { toAnswers, type Written } from '../../../../shared/core/starter/answers.ts';
import { starterFiles } from '../../../../shared/core/starter/files.ts';
import { policyFrom } from '../../../fixtures/policy-tests.ts';

const FOLDER = new URL('../../../../deploy/terraform/example/', import.meta.url);
const example = new Map(
  readdirSync(FOLDER)
    .filter((name) => name.includes('.tf'))
    .map((name) => [name, readFileSync(new URL(name, FOLDER), 'utf8')]),
);
const PLACE = { example, moduleSource: '../deploy/terraform', folderInRepository: 'keydesk/', version: '0.1.0' };
const idOf = (nth: number) => `0184990a-4782-42b5-afc1-${String(nth).padStart(12, '0')}`;

const ONE: Written = {
  organization: 'globex',
  organizationId: idOf(99),
  pipeline: [`web=${idOf(1)}`],
  firestore: ['staging=globex-staging'],
  contact: '#platform: who else? # not a comment',
  project: 'globex-keydesk',
  region: 'europe-west1',
  url: 'https://keydesk.globex.io',
};

function filesOf(written: Written): ReadonlyMap<string, string> {
  const answers = toAnswers(written);
  if ('problems' in answers) throw new Error(JSON.stringify(answers.problems));
  return starterFiles(answers, PLACE);
}
const file = (written: Written, path: string) => filesOf(written).get(path) ?? '';

describe('the files of a start', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}[a-y]$/);
  const names = fc.uniqueArray(
    fc.oneof(word, fc.constantFrom('staging', 'production', 'prod-eu', 'no', 'null', 'y', 'true')),
    { minLength: 1, maxLength: 4 },
  );
  const pipelines = fc.uniqueArray(fc.oneof(word, fc.constantFrom('web', 'on', '123', '1e3')), {
    minLength: 1,
    maxLength: 3,
  });
  const starts = fc.record({
    names,
    pipelines,
    pools: fc.integer({ min: 0, max: 4 }),
    shared: fc.boolean(),
    seed: fc.nat(),
  });

  it('have a policy that check accepts, whatever the names are', () => {
    fc.assert(
      fc.property(starts, ({ names: environments, pipelines: named, pools, shared, seed }) => {
        const pool = environments.slice(0, pools).map((name, nth) => `${name}=globex-pool-${shared ? 0 : nth}`);
        const firestore = environments.map(
          (name, nth) => `${name}=globex-data-${nth}${nth % 2 === 1 ? '/orders' : ''}`,
        );
        const written: Written = {
          ...ONE,
          pipeline: named.map((name, nth) => `${name}=${idOf(nth)}`),
          // The last environment may have a pool alone.
          firestore: pool.length === environments.length ? firestore.slice(1) : firestore,
          pool,
          deploys: environments.map((name, nth) => `${name}=${named[(seed + nth) % named.length]}`),
        };
        const read = policyFrom(file(written, 'policy.yaml'));
        const { warnings, problems, accepted } = checkPolicy(read);
        const used = new Set(written.deploys?.map((value) => value.split('=')[1]));
        expect({ warnings, problems, accepted }).toEqual({ warnings: [], problems: [], accepted: [] });
        expect(new Set(Object.keys(read.policy.pipelines))).toEqual(used);
        for (const [nth] of named.entries()) expect(read.text).toContain(idOf(nth));
        expect(generatedRulesProblems(read.policy)).toEqual([]);
        expect(Object.keys(read.policy.environments).sort()).toEqual([...environments].sort());
      }),
    );
  });

  it('name a step where the pipeline deploys anything else, or production', () => {
    const two = [`web=${idOf(1)}`, `web-release=${idOf(2)}`];
    const firestore = ['staging=globex-staging', 'production=globex-production'];
    const steps = (written: Written) =>
      policyFrom(file(written, 'policy.yaml')).policy.rules.map(({ match }) => match.step_key?.[0]);
    expect(steps({ ...ONE, firestore, pipeline: two, deploys: ['staging=web', 'production=web-release'] })).toEqual([
      undefined,
      'deploy-production',
    ]);
    expect(steps({ ...ONE, firestore: ['staging=globex-staging', 'qa=globex-qa'] })).toEqual([
      'deploy-staging',
      'deploy-qa',
    ]);
  });

  it('guard what is called production, and nothing else', () => {
    const { policy } = policyFrom(
      file({ ...ONE, firestore: ['staging=globex-staging', 'production=globex-production'] }, 'policy.yaml'),
    );
    const guards = ['pipeline', 'build_source', 'step_key'];
    expect(policy.environments).toMatchObject({ staging: {}, production: { require: guards } });
    expect(policy.rules.map(({ match }) => match.step_key)).toEqual([['deploy-staging'], ['deploy-production']]);
    expect(policy.contact).toBe(ONE.contact);
  });

  it('leave the API keys to the first apply', () => {
    expect(policyFrom(file(ONE, 'policy.yaml')).written.databases.staging?.apiKey).toBe(TO_BE_CREATED);
  });

  it('set every variable of the example in terraform.tfvars, and keep no value of it', () => {
    const tfvars = file({ ...ONE, pool: ['staging=globex-pool'] }, 'terraform/terraform.tfvars');
    const names = (text: string) => [...text.matchAll(/^(\w+) +=/gm)].map(([, name]) => name);
    expect(names(tfvars)).toEqual(names(example.get('terraform.tfvars.example') ?? ''));
    expect(tfvars.split('\n').filter((line) => !line.startsWith('#') && /acme|12345/.test(line))).toEqual([]);
    expect(tfvars).toContain('globex-keydesk = "PROJECT_NUMBER"');
    expect(tfvars).toContain('globex-pool    = "PROJECT_NUMBER"');
  });

  it('have the numbers of projects that are known', () => {
    const written = { ...ONE, projectNumber: ['globex-keydesk=123456789012'] };
    expect(file(written, 'terraform/terraform.tfvars')).toContain('  globex-keydesk = "123456789012"\n');
  });

  it('have the example as Terraform root, with another source of the module', () => {
    const files = filesOf(ONE);
    expect(files.get('terraform/main.tf')).toContain('  source = "../deploy/terraform"\n');
    for (const name of ['variables.tf', 'outputs.tf']) expect(files.get(`terraform/${name}`)).toBe(example.get(name));
  });

  it('have steps that the agent can upload, with the key that the rule names', () => {
    const written = {
      ...ONE,
      firestore: ['staging=globex-staging', 'production=globex-production'],
      pool: ['ops=globex-pool'],
    };
    for (const path of ['.buildkite/keydesk-deploy.yml', '.buildkite/keydesk-deploy-curl.yml']) {
      const steps = parsePipeline(file(written, path));
      expect(steps.map(({ key }) => key)).toEqual(['deploy-staging', 'deploy-production', 'deploy-ops']);
    }
    const [, , pooled] = parsePipeline(file(written, '.buildkite/keydesk-deploy.yml'));
    expect(pooled?.plugins[0]?.configuration.credentials).toEqual({
      name: 'ops-admin',
      token: 'CLOUDSDK_AUTH_ACCESS_TOKEN',
    });
    const [withCurl] = parsePipeline(file(written, '.buildkite/keydesk-deploy-curl.yml'));
    expect(withCurl?.command).toContain('<<<"Authorization: Bearer $JOB_TOKEN"');
  });

  it('have a job that checks the policy of its folder', () => {
    const [step] = parsePipeline(file(ONE, '.buildkite/keydesk-policy.yml'));
    for (const command of ['check', 'test', 'diff "$base:keydesk/policy.yaml"'])
      expect(step?.command).toContain(`keydesk policy ${command} --policy keydesk/policy.yaml`);
  });
});
