// deploy/terraform/grant-roles.sh with a fake gcloud that records its arguments.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SCRIPT = 'deploy/terraform/grant-roles.sh';
const PROJECTS = ['keydesk=acme-keydesk', 'pool=acme-ci-pool', 'data=acme-staging', 'data=acme-production'];
const ARGS = ['user:ada@acme.example', ...PROJECTS, 'bucket=acme-ci-cache', 'organization=123'];

describe(SCRIPT, () => {
  const folder = mkdtempSync(join(tmpdir(), 'grant-roles-'));
  const calls = join(folder, 'calls');
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  beforeAll(() => {
    writeFileSync(join(folder, 'gcloud'), `#!/bin/sh\necho "gcloud $*" >>'${calls}'\n`);
    chmodSync(join(folder, 'gcloud'), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('prints each command, and with --print runs none', () => {
    const printed = execFileSync(SCRIPT, [...ARGS, '--print'], { encoding: 'utf8', env });
    expect(existsSync(calls)).toBe(false);
    const run = execFileSync(SCRIPT, ARGS, { encoding: 'utf8', env });
    expect(run).toBe(printed);
    expect(readFileSync(calls, 'utf8')).toBe(printed);
  });

  it('grants to the member alone, on what was named alone, and never the role of an owner', () => {
    const lines = execFileSync(SCRIPT, [...ARGS, '--print'], { encoding: 'utf8', env })
      .trim()
      .split('\n');
    const grants = lines.filter((line) => line.includes('add-iam-policy-binding'));
    const on = grants.map(
      (line) => / add-iam-policy-binding (\S+) --member=user:ada@acme\.example --role=/.exec(line)?.[1],
    );
    const named = ['acme-keydesk', 'acme-ci-pool', 'acme-staging', 'acme-production', 'gs://acme-ci-cache', '123'];
    expect([...new Set(on)]).toEqual(named);
    expect(grants.filter((line) => /roles\/owner/.test(line))).toEqual([]);
  });

  it.each([
    ['no member', PROJECTS],
    ['something that it does not know', [...ARGS, 'bukket=x']],
  ])('grants nothing, given %s', (_, args) => {
    const { status, stdout, stderr } = spawnSync(SCRIPT, [...args, '--print'], { encoding: 'utf8', env });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('usage: grant-roles.sh');
  });
});
