// The files that people give to `keydesk doctor`, and what it knows of the Terraform module.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ALL_IDS, FINDING_IDS } from '../../../../cli/doctor/checks.ts';
import { parseDeployment } from '../../../../cli/doctor/deployment.ts';
import { parseExceptions } from '../../../../cli/doctor/exceptions.ts';
import { FUNCTIONS } from '../../../../cli/doctor/functions.ts';
import { SPOTS } from '../../../../cli/doctor/iam/needed.ts';
import { doctorTargetOf, logBucketOf } from '../../../../cli/doctor/target.ts';
import { FUNCTIONS as PACKAGED } from '../../../../cli/installation.ts';
import { PRIVILEGES } from '../../../../deploy/privileges.ts';
import { POLICY, policyOf } from '../../../fixtures/preflight-world.ts';
import { TestClock } from '../../../fixtures/test-clock.ts';

const VALID = `exceptions:
  - finding: basic_role
    resource: project acme-ci
    member: group:platform@acme.example
    role: roles/owner
    condition: request.time < timestamp("2030-01-01T00:00:00Z")
    permissions: [iam.serviceAccounts.setIamPolicy]
    reason: applies the Terraform module
    expires: 2027-03-01
`;

const NOW = Date.parse('2026-11-24T10:00:00Z');
const parse = (text: string) => parseExceptions(text, { ids: FINDING_IDS, now: NOW });

describe('a file of exceptions', () => {
  it('has a finding, a resource, what is held there, a reason and an end', () => {
    expect(parse(VALID)).toEqual({
      exceptions: [
        {
          finding: 'basic_role',
          resource: 'project acme-ci',
          member: 'group:platform@acme.example',
          role: 'roles/owner',
          condition: 'request.time < timestamp("2030-01-01T00:00:00Z")',
          permissions: ['iam.serviceAccounts.setIamPolicy'],
          reason: 'applies the Terraform module',
          expires: '2027-03-01',
        },
      ],
    });
    expect(parse('')).toEqual({ exceptions: [] });
  });

  it.each([
    ['no reason', VALID.replace(/ {4}reason: .*\n/, '')],
    ['a reason of space', VALID.replace('applies the Terraform module', '"  "')],
    ['no end', VALID.replace(/ {4}expires: .*\n/, '')],
    ['an end that is no date', VALID.replace('2027-03-01', 'next spring')],
    ['an end that is not on the calendar', VALID.replace('2027-03-01', '2027-02-30')],
    ['a key that it does not know', `${VALID}    severity: error\n`],
    ['no YAML', ': ['],
    ['what could not be looked at', VALID.replace('basic_role', 'could_not_look')],
  ])('is refused with %s', (_, text) => {
    expect(parse(text)).toEqual({ problems: [expect.any(String)] });
  });

  it('is refused with an end that is more than 366 days away', () => {
    const until = (expires: string) => parse(VALID.replace('expires: 2027-03-01', `expires: ${expires}`));
    expect(until('2027-11-25')).toHaveProperty('exceptions');
    expect(until('2027-11-26')).toEqual({ problems: [expect.stringMatching(/2027-11-26.*366 days.*2027-11-25/)] });
  });

  it('is refused with a finding that does not exist, and names the one that was probably meant', () => {
    const parsed = parse(VALID.replace('basic_role', 'basic_rule'));
    expect(parsed).toEqual({ problems: [expect.stringContaining('Did you mean basic_role?')] });
    expect(ALL_IDS).toContain('could_not_look');
  });
});

describe('a file of the deployment', () => {
  const minimal = { project_id: 'acme-keydesk', region: 'europe-west1' };

  it('has the defaults of the module', () => {
    const parsed = parseDeployment(minimal);
    const variables = readFileSync('deploy/terraform/variables.tf', 'utf8');
    const defaultOf = (name: string) =>
      new RegExp(`variable "${name}" \\{[\\s\\S]*?\\n  default +=(.*)\\n`).exec(variables)?.[1]?.trim();
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    const { deployment } = parsed;
    for (const name of [
      'ledger_database',
      'name_prefix',
      'public_access',
      'grant_bucket_roles',
      'forbid_keys',
    ] as const)
      expect([name, JSON.stringify(deployment[name])]).toEqual([name, defaultOf(name)]);
  });

  it('has a log archive in the region of the functions, as the module', () => {
    const parsed = parseDeployment(minimal);
    expect(parsed).toMatchObject({ deployment: { log_archive: { retention_days: 400, locked: false } } });
    if ('problems' in parsed) throw new Error(parsed.problems.join());
    const target = doctorTargetOf({ policy: policyOf(POLICY), sha256: '' }, parsed.deployment, {
      archives: undefined,
      apiToken: undefined,
      teamsApiToken: undefined,
      clock: new TestClock(0),
      numbers: {},
    });
    expect(logBucketOf(target).name).toBe('projects/acme-keydesk/locations/europe-west1/buckets/keydesk-logs');
  });

  it('takes what terraform output prints, where a variable is null', () => {
    const written = { ...minimal, scheduler_region: null, log_archive: null, webhook_tokens_version: '3' };
    expect(parseDeployment(written)).toMatchObject({ deployment: { log_archive: null } });
    const archive = { location: null, retention_days: 30, locked: true, views: false };
    expect(parseDeployment({ ...minimal, log_archive: archive })).toMatchObject({
      deployment: { log_archive: archive },
    });
  });

  it.each([
    ['a setting that does not exist', { ...minimal, name_prefx: 'x' }, /name_prefx.*Did you mean name_prefix\?/],
    ['no project', { region: 'europe-west1' }, /project_id/],
    ['a region that is none', { ...minimal, region: 'Europe' }, /region/],
  ])('is refused with %s', (_, written, problem) => {
    expect(parseDeployment(written)).toEqual({ problems: [expect.stringMatching(problem)] });
  });
});

describe('what the doctor knows of the module', () => {
  it('has a place for each grant of privileges.json', () => {
    const granted = Object.keys(PRIVILEGES.grants).map((address) => address.split('.')[1] ?? '');
    expect(granted.filter((name) => SPOTS[name] === undefined)).toEqual([]);
    expect(granted.length).toBeGreaterThan(10);
  });

  it('has every function that is packaged, and lets nobody but jobs and Buildkite past the invoker check', () => {
    expect(FUNCTIONS.map(({ name }) => name).sort()).toEqual([...PACKAGED].sort());
    expect(FUNCTIONS.filter(({ callers }) => callers === 'anyone').map(({ name }) => name)).toEqual([
      'token',
      'webhook',
    ]);
  });

  it('has each setting that the module gives a function', () => {
    const module = readdirSync('deploy/terraform').filter((name) => name.endsWith('.tf'));
    const text = module.map((name) => readFileSync(`deploy/terraform/${name}`, 'utf8')).join('\n');
    const settings = new Set([...text.matchAll(/\b(KEYDESK_[A-Z_]+) *=/g)].map(([, name]) => name));
    const known = readFileSync('cli/doctor/functions.ts', 'utf8');
    const [, client = 'none'] = /gcloud_client_id = "(.*)"/.exec(text) ?? [];
    expect(known).toContain(client);
    expect(settings.size).toBeGreaterThan(3);
    expect([...settings].filter((name) => !known.includes(`${name}:`))).toEqual([]);
  });
});
