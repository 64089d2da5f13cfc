// deploy/terraform/grant-roles.sh with a fake gcloud that records its arguments.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neededApis } from '../../../cli/preflight/apis.ts';
import { NEEDED, READS } from '../../../cli/preflight/needed-permissions.ts';
import type { ProjectKind } from '../../../cli/preflight/target.ts';
import { permissionsOf } from '../../fixtures/google-roles.ts';
import { DATA, KEYDESK, POOL, TARGET, TOUCHED } from '../../fixtures/preflight-world.ts';

const SCRIPT = 'deploy/terraform/grant-roles.sh';
const PROJECTS = ['keydesk=acme-keydesk', 'pool=acme-ci-pool', 'data=acme-staging', 'data=acme-production'];
const ARGS = ['user:ada@acme.example', ...PROJECTS, 'bucket=acme-ci-cache', 'organization=123'];

const KINDS: readonly ProjectKind[] = ['keydesk', 'pool', 'data', 'accounts', 'touched'];

const isIn = (where: readonly string[], kind: string) => where.includes(kind);

function neededIn(kind: ProjectKind, logArchive: boolean): string[] {
  const apply = NEEDED.filter((entry) => isIn(entry.in, kind) && (entry.with === undefined || logArchive));
  const reads = Object.values(READS).filter((entry) => isIn(entry.in, kind));
  return [...apply.flatMap(({ permissions }) => permissions), ...reads.map(({ permission }) => permission)];
}

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

  it('grants to the member alone, on what was named alone, and never the role of an owner or editor', () => {
    const lines = execFileSync(SCRIPT, [...ARGS, '--print'], { encoding: 'utf8', env })
      .trim()
      .split('\n');
    const grants = lines.filter((line) => line.includes('add-iam-policy-binding'));
    const on = grants.map(
      (line) => / add-iam-policy-binding (\S+) --member=user:ada@acme\.example --role=/.exec(line)?.[1],
    );
    const named = ['acme-keydesk', 'acme-ci-pool', 'acme-staging', 'acme-production', 'gs://acme-ci-cache', '123'];
    expect([...new Set(on)]).toEqual(named);
    expect(grants.filter((line) => /roles\/(owner|editor)/.test(line))).toEqual([]);
  });

  const printed = (...args: readonly string[]) =>
    execFileSync(SCRIPT, ['user:ada@acme.example', ...args, '--print'], { encoding: 'utf8', env })
      .trim()
      .split('\n');
  const rolesOf = (...args: readonly string[]) =>
    printed(...args).flatMap((line) => / --role=(\S+)/.exec(line)?.[1] ?? []);

  const options = [
    ['', []],
    [' without log_archive', ['--no-log-archive']],
  ] as const;
  const cases = KINDS.flatMap((kind) => options.map(([title, flags]) => ({ kind, title, flags })));

  it.each(cases)(
    'grants in a project of $kind$title what the apply and the preflight need there',
    ({ kind, flags }) => {
      const held = rolesOf(`${kind}=acme`, ...flags).flatMap(permissionsOf);
      expect(neededIn(kind, flags.length === 0).filter((permission) => !held.includes(permission))).toEqual([]);
    },
  );

  it.each(KINDS)('grants in a project of %s no role that nothing needs', (kind) => {
    const roles = rolesOf(`${kind}=acme`);
    const without = (role: string) => roles.filter((other) => other !== role).flatMap(permissionsOf);
    const superfluous = roles.filter((role) => neededIn(kind, true).every((one) => without(role).includes(one)));
    // To read Keydesk's log lines, as deploy/terraform/README.md says.
    expect(superfluous).toEqual(kind === 'keydesk' ? ['roles/logging.viewer'] : []);
  });

  it('grants on a bucket and on an organization what is needed there', () => {
    const onBucket = Object.values(READS).flatMap(({ permission, in: where }) =>
      isIn(where, 'bucket') ? permission : [],
    );
    expect(rolesOf('bucket=acme').flatMap(permissionsOf)).toEqual(expect.arrayContaining(onBucket));
    expect(rolesOf('organization=1').flatMap(permissionsOf)).toContain('orgpolicy.policy.set');
  });

  it('names with each permission a role that has it', () => {
    for (const { role, permissions } of NEEDED)
      expect(permissionsOf(role)).toEqual(expect.arrayContaining([...permissions]));
    for (const { role, permission } of Object.values(READS)) expect(permissionsOf(role)).toContain(permission);
  });

  it.each([
    { kind: 'keydesk', project: KEYDESK },
    { kind: 'pool', project: POOL },
    { kind: 'data', project: DATA },
    { kind: 'touched', project: TOUCHED },
    { kind: 'accounts', project: TOUCHED },
  ])(
    'enables in a project of $kind the APIs that the preflight looks for, at most 20 in a command',
    ({ kind, project }) => {
      for (const [flags, settings] of [
        [[], { logArchive: true }],
        [['--no-log-archive'], {}],
        [['--no-log-archive', '--pool-groups'], { poolGroups: true }],
        [['--pool-groups'], { logArchive: true, poolGroups: true }],
      ] as const) {
        const [command = ''] = printed(`${kind}=${project}`, ...flags);
        const enabled = /^gcloud services enable (.+) --project=/.exec(command)?.[1]?.split(' ') ?? [];
        expect(enabled.toSorted()).toEqual(neededApis({ ...TARGET, touched: [TOUCHED], ...settings }, project));
        // Source: docs.cloud.google.com/service-usage/docs/reference/rest/v1/services/batchEnable.
        expect(enabled.length).toBeLessThanOrEqual(20);
      }
    },
  );

  it('with --revoke removes each role that it granted, and nothing else', () => {
    const granted = printed(...ARGS.slice(1)).filter((line) => line.includes(' add-iam-policy-binding '));
    const revoked = printed(...ARGS.slice(1), '--revoke');
    expect(revoked).toEqual(granted.map((line) => line.replace(' add-', ' remove-')));
  });

  it('with --revoke goes on when a role is not there, and then fails', () => {
    const broken = mkdtempSync(join(tmpdir(), 'grant-roles-'));
    writeFileSync(join(broken, 'gcloud'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const { status, stdout } = spawnSync(SCRIPT, [...ARGS, '--revoke'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${broken}${delimiter}${process.env.PATH}` },
    });
    rmSync(broken, { recursive: true });
    expect({ status, stdout: stdout.trim().split('\n') }).toEqual({
      status: 1,
      stdout: printed(...ARGS.slice(1), '--revoke'),
    });
  });

  it('grants each role without a condition, also where the present policy has conditions', () => {
    const lines = printed(...ARGS.slice(1), 'organization=123');
    const grants = lines.filter((line) => line.includes(' add-iam-policy-binding '));
    expect(grants.filter((line) => !line.endsWith(' --condition=None'))).toEqual([]);
  });

  it('grants no role on an organization that is not named', () => {
    expect(printed(...PROJECTS, '--forbid-keys').filter((line) => line.includes('gcloud organizations'))).toEqual([]);
  });

  it('with --forbid-keys enforces in the projects of keydesk and pool what the module does with forbid_keys', () => {
    const constraints = readFileSync('deploy/terraform/identities.tf', 'utf8').match(
      /iam\.disableServiceAccountKey\w+/g,
    );
    const enforced = printed(...PROJECTS, '--forbid-keys').filter((line) => line.includes('org-policies'));
    expect(enforced.toSorted()).toEqual(
      ['acme-ci-pool', 'acme-keydesk']
        .flatMap((project) =>
          (constraints ?? []).map(
            (one) => `gcloud resource-manager org-policies enable-enforce ${one} --project=${project}`,
          ),
        )
        .toSorted(),
    );
  });

  describe('the bucket of the state', () => {
    const STATE = ['state-bucket=acme-keydesk-state', 'state-location=eu'];
    const verbsOf = (lines: readonly string[]) =>
      lines.flatMap((line) => /^gcloud storage buckets (\w+) .*acme-keydesk-state/.exec(line)?.[1] ?? []);

    it('is created in the project of keydesk, with versions and closed to the public', () => {
      const lines = printed(...PROJECTS, ...STATE);
      expect(verbsOf(lines)).toEqual(['create', 'update']);
      const text = lines.filter((line) => line.includes('acme-keydesk-state')).join('\n');
      for (const flag of ['--project=acme-keydesk', '--location=eu', '--versioning', '--public-access-prevention'])
        expect(text).toContain(flag);
    });

    it('is not created again when the project has it', () => {
      const own = mkdtempSync(join(tmpdir(), 'grant-roles-'));
      const fake = '#!/bin/sh\ncase "$*" in *"buckets list"*) echo acme-keydesk-state ;; esac\n';
      writeFileSync(join(own, 'gcloud'), fake, { mode: 0o755 });
      const out = execFileSync(SCRIPT, ['user:ada@acme.example', ...PROJECTS, ...STATE], {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${own}${delimiter}${process.env.PATH}` },
      });
      rmSync(own, { recursive: true });
      expect(verbsOf(out.split('\n'))).toEqual(['update']);
    });

    it('stays with --revoke', () => {
      expect(verbsOf(printed(...PROJECTS, ...STATE, '--revoke'))).toEqual([]);
    });
  });

  it.each([
    ['no member', PROJECTS],
    ['a bucket of the state without a location', [...ARGS, 'state-bucket=x']],
    ['something that it does not know', [...ARGS, 'bukket=x']],
  ])('grants nothing, given %s', (_, args) => {
    const { status, stdout, stderr } = spawnSync(SCRIPT, [...args, '--print'], { encoding: 'utf8', env });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('usage: grant-roles.sh');
  });
});
