// A policy of the user's own in the sandbox: each of its databases has its rules, its accounts and buckets exist, and the
// printed lines run a job that one of its rules grants.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type Environment, openEnvironment } from '../../../sandbox/environment.ts';
import { exampleJobFor } from '../../../sandbox/example-job.ts';
import { policyLines } from '../../../sandbox/lines.ts';
import { openPlayground, type Playground } from '../../../sandbox/playground.ts';
import { type IssuedOnce, issueEach } from '../../../sandbox/policy-run.ts';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { TWO_DATABASES_POLICY } from '../../fixtures/two-databases.ts';

describe('a policy of the user', () => {
  let folder: string;
  let environment: Environment;
  let playground: Playground;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-policy-'));
    const policyFile = join(folder, 'policy.yaml');
    writeFileSync(policyFile, TWO_DATABASES_POLICY);
    const parsed = parsePolicy(TWO_DATABASES_POLICY, policyFile);
    if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
    vi.stubEnv('FIRESTORE_EMULATOR_HOST', inject('firestoreHost'));
    vi.stubEnv('FIREBASE_AUTH_EMULATOR_HOST', inject('authHost'));
    environment = await openEnvironment({ policy: parsed.policy, policyFile });
    playground = await openPlayground(environment);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await playground?.close();
    await environment?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The status of a document's GET with the token of a credential. */
  async function read(credential: string, database: string, document: string): Promise<number> {
    const job = environment.buildkite.startJob(exampleJobFor(environment.policy, credential)?.claims);
    const response = await fetch(`${environment.token.url}/token/${credential}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await environment.buildkite.jobToken(job)}`, accept: 'text/plain' },
    });
    const authorization = `Bearer ${await response.text()}`;
    const at = `http://${environment.firestoreHost}/v1/${database}/documents/${document}`;
    return (await fetch(at, { headers: { authorization } })).status;
  }

  it('has the rules of each of its databases, also of two in one project', async () => {
    const [first, second] = ['projects/other-one/databases/(default)', 'projects/other-one/databases/second'];
    const tenanted = 'projects/other-two/databases/(default)';
    // 404: the rules allow it, and nothing is there.
    expect(await read('first', first, 'one/a')).toBe(404);
    expect(await read('second', second, 'two/a')).toBe(404);
    expect(await read('tenanted', tenanted, 'three/a')).toBe(404);
    expect(await read('first', first, 'two/a')).toBe(403);
    expect(await read('first', second, 'two/a')).toBe(403);
    expect(await read('second', first, 'one/a')).toBe(403);
    expect(await read('tenanted', first, 'one/a')).toBe(403);
  });

  it('issues each credential that a rule grants once', async () => {
    const results: IssuedOnce[] = [];
    expect(await issueEach(environment, (result) => results.push(result))).toBe(true);
    expect(Object.fromEntries(results.map(({ credential, outcome }) => [credential, outcome]))).toEqual({
      first: 'issued',
      second: 'issued',
      tenanted: 'issued',
      pooled: 'issued',
      cache: 'issued',
      unused: 'ungranted',
    });
    expect(environment.google.unexpected).toEqual([]);
  });

  it('fails for a credential that is not issued, as when its pool has no free account', async () => {
    const results: IssuedOnce[] = [];
    expect(await issueEach(environment, (result) => results.push(result))).toBe(false);
    expect(results.filter(({ outcome }) => outcome === 'failed').map(({ credential }) => credential)).toEqual([
      'pooled',
    ]);
  });

  it('has lines that run a job from start to end in a shell', async () => {
    const lines = policyLines(environment, playground.jobsUrl);
    const { stdout } = await promisify(execFile)('bash', ['-c', lines.join('\n')]);
    expect(stdout).toContain('"active":true');
    expect(stdout).toContain('{"result":"job_ended","revoked":1,');
  });
});
