// Every example is run: pipelines step by step as the agent does, with the plugin's real hooks, real curl, gcloud,
// terraform and Google's libraries, against a Keydesk of the test's own.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type CommandStep, parsePipeline } from '../../../sandbox/fakes/buildkite/pipeline.ts';
import { type Ran, runStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { jsonServer } from '../../../sandbox/local-server.ts';
import { databaseOf, type InProcessKeydesk, openInProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { needs } from '../../fixtures/needs.ts';
import { AUDIENCE } from '../../fixtures/policies.ts';
import { NOT_GRANTED } from '../../fixtures/refusals.ts';
import { gcloudEnvironment, pythonOfGcloud } from '../clients/gcloud.ts';
import { USE_CREDENTIALS } from '../plugin/step.ts';

const PIPELINE = { pipeline_id: '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31', pipeline_slug: 'web-release' };
const TAG = { ...PIPELINE, build_branch: 'v1.4.0', build_tag: 'v1.4.0' };
const python = needs('google-auth for Python', {
  find: () => pythonOfGcloud()?.command,
  install: 'the Google Cloud CLI, which brings it',
});
const gcloud = needs('gcloud');
const terraform = needs('terraform');
const read = (path: string) => readFileSync(join(ROOT, 'examples', path), 'utf8');
const steps = parsePipeline(read('pipeline.yml'));
const releaseSteps = parsePipeline(read('pipeline.release.yml'));

describe('the examples', () => {
  let keydesk: InProcessKeydesk;
  let folder: string;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk({ policy: () => read('policy.yaml'), buckets: ['acme-terraform-state'] });
    folder = mkdtempSync(join(tmpdir(), 'keydesk-examples-'));
    await databaseOf('acme-staging', '(default)').doc('releases/web-1.4.0').set({ digest: 'sha256:1' });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await keydesk.close();
  });

  /** Runs a step as it is in the pipeline, except for the addresses of Keydesk and Google. */
  function run(
    step: CommandStep,
    options: { claims?: Record<string, unknown>; environment?: Record<string, string> } = {},
  ) {
    const job = keydesk.buildkite.startJob({ step_key: step.key, ...options.claims });
    const plugins = step.plugins.map(({ reference, configuration }) => ({
      reference,
      configuration: { ...configuration, url: keydesk.tokenUrl, audience: AUDIENCE },
    }));
    return runStep({
      step: { ...step, plugins, env: { ...step.env, FIRESTORE: `http://${inject('firestoreHost')}` } },
      job,
      buildkite: keydesk.buildkite,
      plugins: { keydesk: join(ROOT, 'plugin') },
      path: [join(folder, 'bin'), join(ROOT, 'node_modules/.bin')],
      checkout: ROOT,
      environment: {
        HOME: folder,
        FIRESTORE_EMULATOR_HOST: inject('firestoreHost'),
        BUILDKITE_COMMIT: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
        ...options.environment,
      },
    });
  }
  const step = (key: string, of = steps): CommandStep => {
    const found = of.find((one) => one.key === key);
    if (!found) throw new Error(`no step ${key}`);
    return found;
  };
  const wentWell = (ran: Ran) => expect([ran.exitCode, ran.exitCode === 0 ? '' : ran.output]).toEqual([0, '']);
  const documentOf = async (project: string, path: string) =>
    (await databaseOf(project, '(default)').doc(path).get()).data();

  it("read a build artifact's record", async () => {
    const ran = await run(step('record'));
    wentWell(ran);
    expect(ran.output).toContain('"sha256:1"');
  });

  it('push configuration with the Firestore SDK', async () => {
    wentWell(await run(step('configure')));
    expect(await documentOf('acme-staging', 'config/api')).toMatchObject({ replicas: 3 });
  });

  it.skipIf(python.missing)(python.title('read configuration with Python'), async () => {
    await databaseOf('acme-staging', '(default)').doc('config/api').set({ replicas: 3 });
    const gclouds = pythonOfGcloud();
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'bin/python3'), `#!/bin/sh\nexec '${gclouds?.command}' "$@"\n`, { mode: 0o755 });
    const ran = await run(step('read'), { environment: { PYTHONPATH: gclouds?.path ?? '' } });
    wentWell(ran);
    expect(ran.output).toContain("'replicas': {'integerValue': '3'}");
  });

  it('warm a cache in Firestore', async () => {
    wentWell(await run(step('warm')));
    const entry = await documentOf('acme-staging', 'cache/start-page');
    expect(String(entry?.value)).toBe('{"title":"Hello"}');
  });

  it.skipIf(gcloud.missing)(gcloud.title('warm a cache in Cloud Storage with gcloud'), async () => {
    const endpoint = { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${keydesk.google.url}/storage/v1/` };
    wentWell(await run(step('warm-bucket'), { environment: { ...gcloudEnvironment(folder), ...endpoint } }));
    expect(keydesk.google.objects.get('acme-ci-cache/warm/policy.yaml')).toBe(read('policy.yaml'));
  });

  it.skipIf(terraform.missing)(terraform.title("keep Terraform's state in a bucket"), async () => {
    // The provider has to be downloaded, which a test may not: what stands for it is a resource that is built in.
    const work = join(folder, 'terraform');
    mkdirSync(join(work, 'examples/terraform'), { recursive: true });
    writeFileSync(join(work, 'examples/terraform/backend.tf'), read('terraform/backend.tf'));
    writeFileSync(
      join(work, 'examples/terraform/main.tf'),
      'resource "terraform_data" "release" { input = "1.4.0" }\n',
    );
    const { command } = step('terraform');
    const ran = await run(
      { ...step('terraform'), command: `cd '${work}' && ${command}` },
      {
        environment: {
          GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT: `${keydesk.google.url}/storage/v1/b`,
          CHECKPOINT_DISABLE: '1',
        },
      },
    );
    wentWell(ran);
    expect(String(keydesk.google.objects.get('acme-terraform-state/staging/default.tfstate'))).toContain('1.4.0');
  });

  it('deploy a release to staging and then to production, each with its own credential', async () => {
    const [staging, production, ...others] = releaseSteps;
    if (!staging || !production || others.length > 0) throw new Error('the release has two steps');
    wentWell(await run(staging, { claims: TAG }));
    wentWell(await run(production, { claims: TAG }));
    const deployed = { commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485' };
    expect(await documentOf('acme-staging', 'config/api')).toMatchObject(deployed);
    expect(await documentOf('acme-production', 'config/api')).toMatchObject(deployed);

    const { plugins } = production;
    const early = await run({ ...staging, plugins }, { claims: TAG });
    expect(early.exitCode).not.toBe(0);
    expect(early.output).toContain(NOT_GRANTED);
    const untagged = await run(production, { claims: { ...PIPELINE, build_branch: 'main', build_tag: null } });
    expect(untagged.exitCode).not.toBe(0);
  });

  it.each(['executable', 'file', 'url'])(
    'have a credential file for Google’s libraries with the source %s',
    async (source) => {
      const job = keydesk.buildkite.startJob();
      const jobToken = await keydesk.buildkite.jobToken(job);
      const sidecar = await jsonServer('sidecar', ({ path, headers }) =>
        path === '/job-token' && headers['x-sidecar'] === 'keydesk' ? { status: 200, text: jobToken } : { status: 404 },
      );
      try {
        writeFileSync(join(folder, 'job-token'), `${jobToken}\n`);
        const file = join(folder, `${source}.json`);
        const text = read(`credentials/${source}.json`)
          .replaceAll(/https:\/\/keydesk\.acme\.example(?=\/)/g, keydesk.tokenUrl)
          .replace('/run/job/token', join(folder, 'job-token'))
          .replace('http://127.0.0.1:8321', sidecar.url);
        writeFileSync(file, text);
        const ran = await runStep({
          step: { command: USE_CREDENTIALS, plugins: [], env: {} },
          job,
          buildkite: keydesk.buildkite,
          plugins: {},
          path: [join(ROOT, 'node_modules/.bin')],
          environment: { GOOGLE_APPLICATION_CREDENTIALS: file, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1' },
        });
        wentWell(ran);
        expect(keydesk.audit.filter(({ event, job_id }) => event === 'grant.issued' && job_id === job.id)).toHaveLength(
          1,
        );
      } finally {
        await sidecar.close();
      }
    },
  );

  it('are all run by a test', () => {
    const run = [read('pipeline.yml'), read('pipeline.release.yml'), 'push-config.sh policy.yaml pipeline.yml'].join();
    const named = [...run.matchAll(/[\w.-]+\.(?:sh|mjs|py|yml|yaml)/g)].map(([name]) => name);
    const files = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) => entry.isFile());
    // The rules are compared with the policy by test/system/cli/rules.test.ts, the schemas by test/unit/scripts/docs.test.ts.
    // test/system/cli/policy-diff.test.ts runs the step that reviews the policy, doctor-deployed.test.ts
    // the one that reviews the deployment, and policy-test.test.ts the tests of the policy.
    // doctor-live.deep.ts runs the pipeline that measures revocation, and test/unit/cli/review-pipeline.test.ts the one that reviews a month.
    const elsewhere = [
      'firestore.rules',
      'keydesk-policy.schema.json',
      'keydesk-policy-tests.schema.json',
      'first-policy.yaml',
      'first-step.yml',
      'pipeline.audit.yml',
      'pipeline.live.yml',
      'pipeline.policy.yml',
      'pipeline.review.yml',
      'policy.test.yaml',
    ];
    for (const { name } of files) expect([...named, 'pipeline.release.yml', ...elsewhere]).toContain(name);
    for (const name of ['executable.json', 'file.json', 'url.json'])
      expect(existsSync(join(ROOT, 'examples/credentials', name))).toBe(true);
    expect(readdirSync(join(ROOT, 'examples/credentials'))).toHaveLength(3);
  });
});
