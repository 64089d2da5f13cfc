// The local Cloud Storage by its real commands: gcloud, and Terraform's gcs backend.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { BUCKET, BYTES, bounded, GRAIN, google, openStorage, upload, within } from '../../fixtures/local-storage.ts';
import { needs } from '../../fixtures/needs.ts';

beforeEach(openStorage);
afterEach(() => google.close());

interface Run {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

async function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Run> {
  const options = { cwd, env: { PATH: process.env.PATH, HOME: cwd, ...env }, maxBuffer: 2 ** 24 };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, [...args], options);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = z.object({ code: z.unknown(), stdout: z.string(), stderr: z.string() }).parse(error);
    return { code: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keydesk-storage-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const gcloud = needs('gcloud');
describe.skipIf(gcloud.missing)(gcloud.title('gcloud'), () => {
  const storage = (accessToken: string, ...args: readonly string[]) =>
    run('gcloud', ['storage', ...args], folder, {
      CLOUDSDK_AUTH_ACCESS_TOKEN: accessToken,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${google.url}/storage/v1/`,
      CLOUDSDK_CONFIG: join(folder, 'gcloud'),
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
      CLOUDSDK_CORE_DISABLE_FILE_LOGGING: 'true',
      CLOUDSDK_SURVEY_DISABLE_PROMPTS: '1',
      CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
      CLOUDSDK_STORAGE_PROCESS_COUNT: '1',
      CLOUDSDK_STORAGE_THREAD_COUNT: '1',
      CLOUDSDK_STORAGE_RESUMABLE_THRESHOLD: '100Ki',
    });
  const warm = () => bounded({ expression: within('warm/') });

  it('copies up, lists, shows, copies down and removes inside the prefix', async () => {
    const accessToken = await warm();
    const big = Buffer.alloc(3 * GRAIN + 5, BYTES);
    await writeFile(join(folder, 'small.txt'), 'hello cache\n');
    await writeFile(join(folder, 'big.bin'), big);
    expect(await storage(accessToken, 'cp', 'small.txt', `gs://${BUCKET}/warm/small.txt`)).toMatchObject({ code: 0 });
    expect(await storage(accessToken, 'cp', 'big.bin', `gs://${BUCKET}/warm/deep/big.bin`)).toMatchObject({ code: 0 });
    expect(google.objects.get(`${BUCKET}/warm/small.txt`)).toBe('hello cache\n');
    expect(google.objects.get(`${BUCKET}/warm/deep/big.bin`)).toEqual(big);
    expect(await storage(accessToken, 'ls', `gs://${BUCKET}/warm/**`)).toMatchObject({
      code: 0,
      out: `gs://${BUCKET}/warm/deep/big.bin\ngs://${BUCKET}/warm/small.txt\n`,
    });
    expect(await storage(accessToken, 'cat', `gs://${BUCKET}/warm/small.txt`)).toMatchObject({
      code: 0,
      out: 'hello cache\n',
    });
    expect(await storage(accessToken, 'cp', `gs://${BUCKET}/warm/deep/big.bin`, 'back.bin')).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, 'back.bin'))).toEqual(big);
    expect(await storage(accessToken, 'rm', `gs://${BUCKET}/warm/**`)).toMatchObject({ code: 0 });
    expect([google.objects.size, google.unexpected]).toEqual([0, []]);
  });

  it('is refused outside the prefix', async () => {
    await upload('warmer/x');
    await writeFile(join(folder, 'small.txt'), 'hello cache\n');
    const accessToken = await warm();
    for (const args of [
      ['cp', 'small.txt', `gs://${BUCKET}/warmer/x`],
      ['cat', `gs://${BUCKET}/warmer/x`],
      ['ls', `gs://${BUCKET}`],
      ['ls', `gs://${BUCKET}/warmer/*`],
      ['rm', `gs://${BUCKET}/warmer/x`],
    ])
      expect(await storage(accessToken, ...args)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/does not have storage\.objects\.(get|list) access/),
      });
    expect([...google.objects.values()]).toEqual(['content']);
    expect(google.unexpected).toEqual([]);
  });

  it('is refused the list of the prefix by the name of its folder, whose slash it takes off', async () => {
    await upload('warm/x');
    const { code, err } = await storage(await warm(), 'ls', `gs://${BUCKET}/warm/`);
    expect([code, err]).toEqual([1, expect.stringContaining('does not have storage.objects.list access')]);
  });

  it('cannot copy up with a role that may only create, as it looks for the object first', async () => {
    await writeFile(join(folder, 'small.txt'), 'hello cache\n');
    const accessToken = await bounded({ roles: ['roles/storage.objectCreator'] });
    const { code, err } = await storage(accessToken, 'cp', 'small.txt', `gs://${BUCKET}/warm/small.txt`);
    expect([code, err]).toEqual([1, expect.stringContaining('does not have storage.objects.get access')]);
  });
});

const hasTerraform = needs('terraform');
describe.skipIf(hasTerraform.missing)(hasTerraform.title('the gcs backend of terraform'), () => {
  const PREFIX = 'terraform/app';
  const terraform = async (accessToken: string, prefix: string, ...args: readonly string[]) => {
    const config = `terraform {
      backend "gcs" {
        bucket                  = "${BUCKET}"
        prefix                  = "${prefix}"
        storage_custom_endpoint = "${google.url}/storage/v1/b"
      }
    }
    output "greeting" { value = "hello" }`;
    await writeFile(join(folder, 'main.tf'), config);
    const env = { GOOGLE_OAUTH_ACCESS_TOKEN: accessToken, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' };
    return run('terraform', [...args, '-no-color'], folder, env);
  };
  afterEach(() => rm(join(folder, '.terraform'), { recursive: true, force: true }));
  const bound = (...roles: string[]) => bounded({ roles, expression: within(`${PREFIX}/`) });
  const STATE = `${BUCKET}/${PREFIX}/default.tfstate`;

  it('keeps its state and its lock under the prefix', async () => {
    const accessToken = await bound('roles/storage.objectUser');
    expect(await terraform(accessToken, PREFIX, 'init', '-input=false')).toMatchObject({ code: 0 });
    expect(await terraform(accessToken, PREFIX, 'apply', '-auto-approve')).toMatchObject({ code: 0 });
    expect([...google.objects.keys()]).toEqual([STATE]);
    expect(JSON.parse(String(google.objects.get(STATE)))).toMatchObject({ outputs: { greeting: { value: 'hello' } } });

    const reader = await bound('roles/storage.objectViewer');
    expect(await terraform(reader, PREFIX, 'output')).toMatchObject({ code: 0, out: 'greeting = "hello"\n' });
    await upload(`${PREFIX}/default.tflock`, '{"Who":"another job"}');
    const locked = await terraform(accessToken, PREFIX, 'apply', '-auto-approve');
    expect([locked.code, locked.err]).toEqual([
      1,
      expect.stringMatching(/Error acquiring the state lock[\s\S]*another job/),
    ]);
    expect(google.unexpected).toEqual([]);
  });

  it('is refused another prefix', async () => {
    const accessToken = await bound('roles/storage.objectUser');
    const { code, err } = await terraform(accessToken, 'terraform/other', 'init', '-input=false');
    expect([code, err]).toEqual([1, expect.stringContaining('does not have storage.objects.list access')]);
    expect(google.objects.size).toBe(0);
  });
});
