// deploy/build.sh against a fake of Cloud Run's and Cloud Build's APIs.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { type BuildApi, startBuildApi } from './build-api.ts';

const IMAGE = 'europe-west1-docker.pkg.dev/acme-keydesk/keydesk-functions/token:abc';
const BASE = 'europe-west1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/nodejs24';
const ARGS = [
  '--project=acme-keydesk',
  '--region=europe-west1',
  '--target=token',
  '--source=gs://acme-archives/token-abc.zip',
  `--image=${IMAGE}`,
  `--base-image=${BASE}`,
  '--service-account=keydesk-build@acme-keydesk.iam.gserviceaccount.com',
  '--poll-ms=1',
];

describe('deploy/build.sh', () => {
  let api: BuildApi;
  afterEach(() => api.stop());

  async function run(args: readonly string[], settings: Parameters<typeof startBuildApi>[1] = {}) {
    api = await startBuildApi('of-the-test', settings);
    const env = { ...process.env, GOOGLE_OAUTH_ACCESS_TOKEN: 'of-the-test', ...api.environment };
    return new Promise<{ code: number; output: string }>((resolve) => {
      execFile(join(ROOT, 'deploy/build.sh'), [...args], { env }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
  }
  const built = { code: 0, output: expect.stringContaining(`built ${IMAGE}`) };
  const failed = (message: string) => ({ code: 1, output: expect.stringContaining(message) });

  it('builds an archive with functions-framework as the entry, and waits until that has ended', async () => {
    expect(await run(ARGS, { polls: 2 })).toMatchObject(built);
    expect(api.builds).toEqual([
      {
        region: 'europe-west1',
        storageSource: { bucket: 'acme-archives', object: 'token-abc.zip' },
        imageUri: IMAGE,
        serviceAccount: 'projects/acme-keydesk/serviceAccounts/keydesk-build@acme-keydesk.iam.gserviceaccount.com',
        buildpackBuild: { functionTarget: 'token', baseImage: BASE, enableAutomaticUpdates: true },
      },
    ]);
  });

  it('polls the operation of the build in its location, as gcloud does', async () => {
    expect(await run(ARGS, { names: 'location', polls: 1 })).toMatchObject(built);
    expect(new Set(api.polled)).toEqual(
      new Set([expect.stringMatching(/^projects\/acme-keydesk\/locations\/europe-west1\/operations\/[0-9a-f-]{36}$/)]),
    );
  });

  it.each([
    ['where Cloud Build does not know it in its location', { names: 'own' }],
    ['where the response does not say which build it is', { names: 'own', metadata: false }],
  ] as const)("polls the operation's own name %s", async (_, settings) => {
    expect(await run(ARGS, { ...settings, polls: 2 })).toMatchObject(built);
    expect(api.polled.filter((name) => name.startsWith('projects/')).length).toBeLessThanOrEqual(1);
  });

  it('fails when Cloud Build knows the operation by neither name', async () => {
    expect(await run(ARGS, { names: 'none' })).toMatchObject(failed('returned 404'));
    expect(api.polled).toHaveLength(2);
  });

  it('keeps polling through lost connections, 429 and 5xx', async () => {
    const faults = ['cut', 'cut', { status: 429 }, { status: 503, text: 'no JSON' }] as const;
    expect(await run(ARGS, { faults })).toMatchObject(built);
    expect(api.polled.length).toBeGreaterThanOrEqual(faults.length);
  });

  it('does not keep polling when it is refused', async () => {
    const refused = { status: 403, json: { error: { code: 403, message: 'no permission' } } };
    expect(await run(ARGS, { faults: [refused] })).toMatchObject(failed('returned 403: no permission'));
    expect(api.polled).toHaveLength(1);
  });

  it('fails when Cloud Run builds on another base image than the one that it will run on', async () => {
    const baseImageUri = BASE.replace('google-24', 'google-24-full');
    expect(await run(ARGS, { baseImageUri })).toMatchObject(failed(`set base_image to ${baseImageUri}`));
  });

  it('accepts the same base image of another region, or with a tag', async () => {
    for (const baseImageUri of [BASE.replace(/^[a-z0-9-]+-docker/, 'us-docker'), `${BASE}:nodejs24_20261101`])
      expect((await run(ARGS, { baseImageUri })).code).toBe(0);
  });

  it("prints Cloud Run's warning about the base image", async () => {
    const { output } = await run(ARGS, { baseImageWarning: 'nodejs24 is deprecated' });
    expect(output).toContain('nodejs24 is deprecated');
  });

  it("fails with Google's message when the build fails", async () => {
    expect(await run(ARGS, { polls: 1, failure: 'npm ci failed' })).toMatchObject(failed('npm ci failed'));
  });

  it("fails with Google's message when the build is refused", async () => {
    const refused = await run([...ARGS.slice(0, 4), '--image=somewhere', ...ARGS.slice(5)]);
    expect(refused).toMatchObject(failed('builds:submit returned 400'));
  });

  it.each([
    ['an option that is missing', ARGS.slice(1)],
    ['a source that is no object', ARGS.map((arg) => (arg.startsWith('--source') ? '--source=token.zip' : arg))],
    ['an option that is not known', [...ARGS, '--force']],
  ])('explains itself, given %s', async (_, args) => {
    expect(await run(args)).toMatchObject({ code: 2, output: expect.stringContaining('usage: deploy/build.sh') });
  });
});
