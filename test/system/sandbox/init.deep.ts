// The policy that `keydesk init` writes runs in the sandbox: each of its credentials is issued to a job that its rules grant it to.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import { openEnvironment } from '../../../sandbox/environment.ts';
import { type IssuedOnce, issueEach } from '../../../sandbox/policy-run.ts';
import { policyFrom } from '../../fixtures/policy-tests.ts';
import { runCli } from '../cli/run-cli.ts';

const FLAGS = [
  ...['--organization', 'globex', '--organization-id', 'f892efa9-103e-4d28-97a1-3b8616a0994e'],
  ...['--pipeline', 'web=0184990a-4782-42b5-afc1-16715b10b1f1', '--pool', 'staging=globex-ci'],
  ...['--firestore', 'staging=globex-staging', '--firestore', 'production=globex-production/orders'],
  ...['--contact', '#platform', '--project', 'globex-keydesk', '--region', 'europe-west1'],
  ...['--url', 'https://keydesk.globex.io'],
];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-init-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

it('issues every credential of a first policy', async () => {
  expect(await runCli('init', FLAGS, { cwd: folder })).toMatchObject({ code: 0 });
  const policyFile = join(folder, 'policy.yaml');
  const { policy } = policyFrom(readFileSync(policyFile, 'utf8'));
  vi.stubEnv('FIRESTORE_EMULATOR_HOST', inject('firestoreHost'));
  vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', inject('authHost'));
  const environment = await openEnvironment({ policy, policyFile });
  try {
    const results: IssuedOnce[] = [];
    expect(await issueEach(environment, (result) => results.push(result))).toBe(true);
    expect(results.map(({ credential, outcome }) => [credential, outcome])).toEqual([
      ['staging-config', 'issued'],
      ['staging-admin', 'issued'],
      ['production-config', 'issued'],
    ]);
  } finally {
    await environment.close();
  }
});
