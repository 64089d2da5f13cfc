// `keydesk doctor --before-deploy` as its user sees it: lines, JSON and exit codes, with the rights of the person who runs it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { neededApis } from '../../../cli/preflight/apis.ts';
import { type GoogleProjects, startGoogleProjects } from '../../fixtures/google-projects.ts';
import { BUCKET, DATA, KEYDESK, POLICY, rightWorld, TARGET, TOUCHED } from '../../fixtures/preflight-world.ts';
import { runCli } from './run-cli.ts';

describe('keydesk doctor --before-deploy', () => {
  let folder: string;
  let google: GoogleProjects;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keydesk-doctor-'));
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    const world = rightWorld();
    // The module has a log archive by default.
    for (const project of TARGET.projects)
      for (const api of neededApis({ ...TARGET, logArchive: true }, project)) world.projects[project]?.apis.add(api);
    google = await startGoogleProjects(world);
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true });
    await google.close();
  });

  /** @param archive the world has no APIs of a log archive */
  const doctor = (
    args: readonly string[] = [],
    more: Record<string, string> = {},
    archive: readonly string[] = ['--no-log-archive'],
  ) =>
    runCli(
      'doctor --before-deploy',
      ['--project', KEYDESK, '--region', 'europe-west1', '--ledger-location', 'eur3', ...archive, ...args],
      {
        cwd: folder,
        env: {
          KEYDESK_GOOGLE_APIS_URL: google.url,
          GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token',
          HOME: folder,
          ...more,
        },
      },
    );
  const lines = (out: string) => out.split('\n\n')[0]?.split('\n') ?? [];

  it('exits with 0 and a line for each check when everything is right', async () => {
    const { code, out } = await doctor();
    expect(code).toBe(0);
    expect(lines(out).filter((line) => !line.startsWith('ok '))).toEqual([]);
    expect(lines(out).length).toBeGreaterThan(20);
  });

  it('exits with 1 for a finding, names what fixes it, and counts it no more when it is accepted', async () => {
    google.world.buckets[BUCKET] = {};
    const { code, out } = await doctor();
    expect(code).toBe(1);
    expect(lines(out).filter((line) => line.startsWith('finding '))).toHaveLength(1);
    expect(out).toContain(`gcloud storage buckets update gs://${BUCKET} --uniform-bucket-level-access`);
    expect((await doctor(['--accept', 'bucket_with_object_acls'])).code).toBe(0);
    expect(await doctor(['--accept', 'bucket_with_object_acl'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('Did you mean "bucket_with_object_acls"?'),
    });
  });

  it('has all of it as JSON', async () => {
    google.world.buckets[BUCKET] = {};
    const { code, out } = await doctor(['--json']);
    expect(code).toBe(1);
    const { project, policy_sha256, counts, checks } = JSON.parse(out);
    expect({ project, policy_sha256, counts }).toEqual({
      project: KEYDESK,
      policy_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      counts: { checks: checks.length, ok: checks.length - 1, errors: 0, warnings: 1, accepted: 0, could_not_look: 0 },
    });
    expect(checks.find(({ result }: { result: string }) => result === 'finding')).toEqual({
      check: 'bucket',
      subject: BUCKET,
      result: 'finding',
      findings: [
        {
          finding: 'bucket_with_object_acls',
          severity: 'warning',
          what: expect.any(String),
          why: expect.any(String),
          fix: expect.any(String),
          undo: expect.any(String),
          accepted: false,
        },
      ],
    });
  });

  it('could look at nothing as a caller without any permission, and exits with 1', async () => {
    google.world.held = () => false;
    const { code, out } = await doctor();
    expect(code).toBe(1);
    expect(lines(out).filter((line) => !line.startsWith('could not look '))).toEqual([]);
  });

  it('could look at nothing without a network, says so, and shows no token', async () => {
    const { url } = google;
    await google.close();
    google = await startGoogleProjects(rightWorld());
    const away = await doctor([], { KEYDESK_GOOGLE_APIS_URL: url });
    expect(away.code).toBe(1);
    expect(lines(away.out).filter((line) => !line.startsWith('could not look '))).toEqual([]);
    expect(away.out + away.err).not.toContain('operator-token');
  });

  it.each([
    ['', { METADATA_SERVER_DETECTION: 'none' }],
    [' and with a metadata server that is none', { GCE_METADATA_HOST: '256.0.0.1' }],
  ])('says once what to do without credentials%s, and looks at nothing', async (_, environment) => {
    const anonymous = { GOOGLE_OAUTH_ACCESS_TOKEN: '', GOOGLE_APPLICATION_CREDENTIALS: '', ...environment };
    const { code, out, err } = await doctor([], anonymous);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.match(/gcloud auth application-default login/g)).toHaveLength(1);
    expect(err).not.toContain('Warning');
    expect(google.calls).toEqual([]);
  });

  it('looks at the projects and the options of the Terraform module that the policy does not have', async () => {
    const { code, out } = await doctor(['--touched', TOUCHED, '--project-number', `${DATA}=77`], {}, []);
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`^finding +apis +${TOUCHED}: terraform_api_disabled, api_disabled`, 'm'));
    expect(out).toMatch(new RegExp(`^finding +project +${DATA}: project_number_differs`, 'm'));
  });

  it('refuses a wrong command line with 2, before it sends anything', async () => {
    expect(await doctor(['--touched', 'A'])).toMatchObject({ code: 2 });
    expect(await doctor(['--project-number', DATA])).toMatchObject({ code: 2 });
    expect(await runCli('doctor --before-deploy', ['--region', 'europe-west1'])).toMatchObject({ code: 2 });
    expect(await doctor(['--region', 'Europe'])).toMatchObject({ code: 2 });
    expect(await doctor(['--project', 'A'])).toMatchObject({ code: 2 });
    expect(google.calls).toEqual([]);
  });

  it('follows the policy: another project of data is looked at', async () => {
    writeFileSync(join(folder, 'policy.yaml'), POLICY.replaceAll(DATA, 'acme-elsewhere'));
    const { code, out } = await doctor();
    expect(code).toBe(1);
    expect(out).toMatch(/^could not look +project +acme-elsewhere: /m);
  });
});
