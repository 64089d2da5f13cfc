// `keydesk doctor` as its user sees it: files, lines, JSON and exit codes, with the rights of the person who runs it.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ALL_IDS } from '../../../cli/doctor/checks.ts';
import { FUNCTIONS } from '../../../cli/doctor/functions.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { toIso } from '../../../shared/core/iso-time.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';
import { VERSION } from '../../../shared/version.ts';
import { BROKEN, bind } from '../../fixtures/broken-deployments.ts';
import { ARCHIVE, at } from '../../fixtures/deployed-addresses.ts';
import { type DeployedGoogle, startDeployedGoogle } from '../../fixtures/deployed-google.ts';
import { SERVICES, SERVICES_TOKEN, withWebhook } from '../../fixtures/deployed-webhook.ts';
import { deployedWorld, SETTINGS } from '../../fixtures/deployed-world.ts';
import { KEYDESK, POLICY, POOL } from '../../fixtures/preflight-world.ts';
import { runCli } from './run-cli.ts';

const OTHER = 'serviceAccount:ci@acme-other.iam.gserviceaccount.com';
const EXPIRES = toIso(systemClock.now() + 86_400_000).slice(0, 10);
const EXCEPTION = `exceptions:
  - finding: others_may_create_keys
    resource: project ${POOL}
    member: ${OTHER}
    role: roles/iam.serviceAccountKeyAdmin
    permissions: [iam.serviceAccountKeys.create]
    reason: until the old CI is gone
    expires: ${EXPIRES}
`;

describe('the pipeline of the periodic review', () => {
  it.each([
    [0, 'success'],
    [1, 'error'],
  ])('ends with the exit code %i of the doctor, and shows the report', (code, style) => {
    const folder = mkdtempSync(join(tmpdir(), 'keydesk-review-'));
    const tool = (name: string, script: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    tool('keydesk', `echo "the report of $*"; exit ${code}`);
    tool('buildkite-agent', 'echo "$@"; cat');
    const [step] = parse(readFileSync(join(ROOT, 'examples/pipeline.review.yml'), 'utf8')).steps;
    const ran = spawnSync('/bin/bash', ['-e', '-c', step.command.replaceAll('$$', '$')], {
      cwd: folder,
      env: { PATH: `${folder}:${process.env.PATH}` },
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true, force: true });
    expect(ran.status).toBe(code);
    const report = 'the report of doctor --deployment deployment.json --exceptions exceptions.yaml';
    expect(ran.stdout).toContain(`annotate --context keydesk-review --style ${style}\n    ${report}`);
  });
});

describe('keydesk doctor', () => {
  let folder: string;
  let google: DeployedGoogle;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-doctor-'));
    const file = (name: string, text: string) => writeFileSync(join(folder, name), text);
    file('policy.yaml', POLICY);
    file('deployment.json', JSON.stringify(SETTINGS));
    file('exceptions.yaml', EXCEPTION);
    mkdirSync(join(folder, 'packages'));
    file(
      'packages/manifest.json',
      JSON.stringify({ archives: Object.fromEntries(FUNCTIONS.map(({ name }) => [name, ARCHIVE])) }),
    );
    const world = { ...deployedWorld(), now: systemClock.now() };
    world.resources[at.health] = {
      status: 'ok',
      version: VERSION,
      policy_sha256: createHash('sha256').update(POLICY).digest('hex'),
    };
    google = await startDeployedGoogle(world);
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true });
    await google.close();
  });

  const doctor = (args: readonly string[] = [], more: Record<string, string> = {}) =>
    runCli('doctor', ['--deployment', 'deployment.json', '--archives', 'packages', ...args], {
      cwd: folder,
      env: {
        KEYDESK_GOOGLE_APIS_URL: google.url,
        GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token',
        BUILDKITE_API_TOKEN: 'buildkite-token',
        HOME: folder,
        ...more,
      },
    });

  it('exits with 0 where everything is as the policy needs it, and asks only what Google defines', async () => {
    google.world.resources[at.apiToken] = { scopes: ['read_builds'] };
    const { code, out } = await doctor();
    expect(out).toMatch(/^As it must be\n/);
    expect(code).toBe(0);
    expect(google.unexpected).toEqual([]);
  });

  it('groups findings by severity, each with evidence, risk, fix and undo, and exits with 1', async () => {
    BROKEN.ledger_without_recovery?.change(google.world);
    BROKEN.invoker_check_off?.change(google.world);
    const { code, out } = await doctor();
    expect(code).toBe(1);
    expect(out).toMatch(
      /^Errors\n {2}invoker_check_off .*\n( {4}(evidence|risk|fix|undo): .*\n){4}\nWarnings\n {2}ledger_without_recovery/,
    );
  });

  it('does not count what is excepted, and has all of it as JSON', async () => {
    bind(at.project(POOL), 'roles/iam.serviceAccountKeyAdmin', OTHER)(google.world);
    google.world.resources[at.apiToken] = { scopes: ['read_builds'] };
    const { code, out } = await doctor(['--exceptions', 'exceptions.yaml', '--json']);
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      project: KEYDESK,
      source: { kind: 'google_apis' },
      not_looked_at: [{ flag: '--services-token-file' }],
      counts: { errors: 0, warnings: 0, excepted: 1, could_not_look: 0 },
    });
    expect(report.findings).toEqual([
      {
        finding: 'others_may_create_keys',
        severity: 'error',
        check: 'IAM bindings',
        resource: `project ${POOL}`,
        member: OTHER,
        role: 'roles/iam.serviceAccountKeyAdmin',
        permissions: ['iam.serviceAccountKeys.create'],
        evidence: expect.stringContaining('iam.serviceAccountKeys.create'),
        risk: expect.any(String),
        fix: `gcloud projects remove-iam-policy-binding ${POOL} --member=${OTHER} --role=roles/iam.serviceAccountKeyAdmin --condition=None`,
        undo: `gcloud projects add-iam-policy-binding ${POOL} --member=${OTHER} --role=roles/iam.serviceAccountKeyAdmin --condition=None`,
        exception: { reason: 'until the old CI is gone', expires: EXPIRES },
      },
    ]);
    expect(report.findings.every(({ finding }: { finding: string }) => ALL_IDS.includes(finding))).toBe(true);
  });

  it('looks at the notification service at Buildkite with a token for it, and shows neither that token nor a key', async () => {
    withWebhook(google.world, google.url);
    google.world.resources[at.apiToken] = { scopes: ['read_builds'] };
    writeFileSync(join(folder, 'services-token'), SERVICES_TOKEN);
    const more = { KEYDESK_BUILDKITE_API_URL: `${google.url}/api.buildkite.com` };
    const { code, out, err } = await doctor(['--services-token-file', 'services-token'], more);
    expect(out).toMatch(/ {2}webhook service: 1\n {2}webhook key: 1\n {2}webhook arrival: 1\n/);
    // A slow machine sees how far it is.
    expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/^(\d+ of \d+ checks are done…\n)*$/) });
    expect(google.unexpected).toEqual([]);
    delete google.world.resources[SERVICES];
    const refused = await doctor(['--services-token-file', 'services-token', '--json'], more);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.out).counts).toMatchObject({ errors: 0, could_not_look: 3 });
    expect(out + refused.out + refused.err).not.toMatch(/services-token\b|webhook-key/);
  });

  it('shows neither token, whatever it finds', async () => {
    google.world.held = () => false;
    const { code, out, err } = await doctor(['--json']);
    expect(code).toBe(1);
    expect(out + err).not.toMatch(/operator-token|buildkite-token/);
  });

  it('says in its JSON when the data was read: the oldest file of an export', async () => {
    const before = systemClock.now();
    const madeAt = ({ out }: { out: string }) => Date.parse(JSON.parse(out).made_at);
    expect(madeAt(await doctor(['--json']))).toBeGreaterThanOrEqual(before);
    mkdirSync(join(folder, 'export'));
    const written = {
      'secretmanager.projects.acme-keydesk.secrets.keydesk-webhook-tokens.versions.json': 1_790_000_000,
    };
    for (const [name, seconds] of Object.entries({
      ...written,
      'agent.buildkite.com..well-known.jwks.json': 1_780_000_000,
    })) {
      writeFileSync(join(folder, 'export', name), '{}');
      utimesSync(join(folder, 'export', name), seconds, seconds);
    }
    expect(madeAt(await doctor(['--from', 'export', '--json']))).toBe(1_780_000_000_000);
  });

  it('looks at a folder of exports without credentials, and names what it lacks', async () => {
    mkdirSync(join(folder, 'export'));
    const { code, out } = await doctor(['--from', 'export'], { GOOGLE_OAUTH_ACCESS_TOKEN: '' });
    expect(code).toBe(1);
    expect(out).toContain('gcloud projects get-iam-policy acme-pool --format=json > export/');
    expect(google.unexpected).toEqual([]);
  });

  it.each([
    ['no deployment', []],
    ['a deployment that is none', ['--deployment', 'policy.yaml']],
    ['a deployment that does not exist', ['--deployment', 'nowhere.json']],
    ['exceptions that are none', ['--project', KEYDESK, '--region', 'europe-west1', '--exceptions', 'policy.yaml']],
    ['a folder that does not exist', ['--project', KEYDESK, '--region', 'europe-west1', '--from', 'nowhere']],
    [
      'a token for an export',
      ['--project', KEYDESK, '--region', 'europe-west1', '--from', '.', '--services-token-file', 'policy.yaml'],
    ],
    ['archives that are none', ['--project', KEYDESK, '--region', 'europe-west1', '--archives', '.']],
  ])('refuses %s with 2', async (_, args) => {
    const { code, out, err } = await runCli('doctor', args, { cwd: folder, env: { HOME: folder } });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toBe('');
  });
});
