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

  async function run(args: readonly string[], polls = 0, prepare: (api: BuildApi) => void = () => undefined) {
    api = await startBuildApi('of-the-test', polls);
    prepare(api);
    const env = { ...process.env, GOOGLE_OAUTH_ACCESS_TOKEN: 'of-the-test', ...api.environment };
    return new Promise<{ code: number; output: string }>((resolve) => {
      execFile(join(ROOT, 'deploy/build.sh'), [...args], { env }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
      );
    });
  }

  it('builds an archive with functions-framework as the entry, and waits until that has ended', async () => {
    expect(await run(ARGS, 2)).toMatchObject({ code: 0, output: expect.stringContaining(`built ${IMAGE}`) });
    expect(api.builds).toEqual([
      {
        storageSource: { bucket: 'acme-archives', object: 'token-abc.zip' },
        imageUri: IMAGE,
        serviceAccount: 'projects/acme-keydesk/serviceAccounts/keydesk-build@acme-keydesk.iam.gserviceaccount.com',
        buildpackBuild: { functionTarget: 'token', baseImage: BASE, enableAutomaticUpdates: true },
      },
    ]);
  });

  it("fails with Google's message when the build fails", async () => {
    const failed = await run(ARGS, 1, ({ fail }) => fail('npm ci failed'));
    expect(failed).toMatchObject({ code: 1, output: expect.stringContaining('npm ci failed') });
  });

  it("fails with Google's message when the build is refused", async () => {
    const refused = await run([...ARGS.slice(0, 4), '--image=somewhere', ...ARGS.slice(5)]);
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('builds:submit returned 400') });
  });

  it.each([
    ['an option that is missing', ARGS.slice(1)],
    ['a source that is no object', ARGS.map((arg) => (arg.startsWith('--source') ? '--source=token.zip' : arg))],
    ['an option that is not known', [...ARGS, '--force']],
  ])('explains itself, given %s', async (_, args) => {
    expect(await run(args)).toMatchObject({ code: 2, output: expect.stringContaining('usage: deploy/build.sh') });
  });
});
