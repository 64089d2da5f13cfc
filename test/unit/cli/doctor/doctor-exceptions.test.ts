// Exceptions from the findings of `keydesk doctor`: what each is for, and when it is a finding itself.

import { beforeEach, describe, expect, it } from 'vitest';
import { countFindings, reportLines } from '../../../../cli/doctor/report.ts';
import { BROKEN, bind } from '../../../fixtures/broken-deployments.ts';
import { at } from '../../../fixtures/deployed-addresses.ts';
import type { DeployedWorld } from '../../../fixtures/deployed-google.ts';
import { group } from '../../../fixtures/deployed-policies.ts';
import { deployedWorld } from '../../../fixtures/deployed-world.ts';
import { runDoctorOn } from '../../../fixtures/doctor-run.ts';
import { DATA, KEYDESK, SHARED, signerOf } from '../../../fixtures/preflight-world.ts';

const OTHER = 'serviceAccount:ci@acme-other.iam.gserviceaccount.com';
let google: { readonly world: DeployedWorld };
beforeEach(() => {
  google = { world: deployedWorld() };
});
const run = (options: Parameters<typeof runDoctorOn>[1] = {}) => runDoctorOn(google.world, options);
const namesIn = ({ findings }: Awaited<ReturnType<typeof run>>) => [...new Set(findings.map(({ finding }) => finding))];

describe('exceptions', () => {
  const exception = {
    finding: 'others_may_sign',
    resource: `account ${signerOf(DATA)}`,
    member: OTHER,
    role: 'roles/iam.serviceAccountTokenCreator',
    permissions: ['iam.serviceAccounts.signBlob', 'iam.serviceAccounts.signJwt'],
    reason: 'signs for the website',
    expires: '2026-11-24',
  };
  const open = () => BROKEN.others_may_sign?.change(google.world);

  it('take a finding out of the count until the end of their last day', async () => {
    open();
    const diagnosis = await run({ exceptions: [exception] });
    expect(countFindings(diagnosis)).toMatchObject({ errors: 0, warnings: 0, excepted: 1 });
    expect(reportLines(diagnosis).join('\n')).toContain('signs for the website');
  });

  it('that have expired are a finding, and hide nothing', async () => {
    open();
    const diagnosis = await run({ exceptions: [{ ...exception, expires: '2026-11-23' }] });
    expect(namesIn(diagnosis).sort()).toEqual(['exception_expired', 'others_may_sign']);
    expect(countFindings(diagnosis)).toMatchObject({ errors: 2, excepted: 0 });
  });

  it('that are for nothing are a finding, unless something could not be looked at', async () => {
    expect(namesIn(await run({ exceptions: [exception] }))).toEqual(['exception_unused']);
    google.world.held = (permission) => permission !== 'iam.serviceAccounts.getIamPolicy';
    expect(namesIn(await run({ exceptions: [exception] }))).toEqual([]);
  });

  const { member: _member, ...withoutMember } = exception;
  const { role: _role, ...withoutRole } = exception;
  const { permissions: _permissions, ...withoutPermissions } = exception;
  it.each([
    ['another member', { ...exception, member: 'user:eve@acme.example' }],
    ['another resource', { ...exception, resource: `account ${SHARED}` }],
    ['no member', withoutMember],
    ['another role', { ...exception, role: 'roles/owner' }],
    ['no role', withoutRole],
    ['a condition', { ...exception, condition: 'true' }],
    ['other permissions', { ...exception, permissions: ['iam.serviceAccounts.signJwt'] }],
    ['no permissions', withoutPermissions],
  ])('are not for %s', async (_, other) => {
    open();
    const diagnosis = await run({ exceptions: [other] });
    expect(namesIn(diagnosis).sort()).toEqual(['exception_unused', 'others_may_sign']);
  });
});

describe('an exception for what is held', () => {
  it('is none for a worse role of the same member', async () => {
    const member = 'group:analysts@acme.example';
    const roles = { 'roles/datastore.viewer': ['get'], 'roles/datastore.owner': ['get', 'update', 'delete'] };
    for (const [role, verbs] of Object.entries(roles))
      google.world.resources[at.role(role)] = {
        includedPermissions: verbs.map((verb) => `datastore.entities.${verb}`),
      };
    Object.assign(google.world.resources, Object.fromEntries(group('analysts@acme.example', 'eve@acme.example')));
    bind(at.project(KEYDESK), 'roles/datastore.viewer', member)(google.world);
    const exception = {
      finding: 'others_reach_ledger',
      resource: `project ${KEYDESK}`,
      member,
      role: 'roles/datastore.viewer',
      permissions: ['datastore.entities.get'],
      reason: 'reads',
      expires: '2027-01-01',
    };
    expect(countFindings(await run({ exceptions: [exception] }))).toMatchObject({ errors: 0, excepted: 1 });
    bind(at.project(KEYDESK), 'roles/datastore.owner', member)(google.world);
    expect(countFindings(await run({ exceptions: [exception] }))).toMatchObject({ errors: 1, excepted: 1 });
  });

  it('is none for one permission more of an own role', async () => {
    const address = at.role(`projects/${KEYDESK}/roles/keydesk_ledger`);
    const { includedPermissions } = google.world.resources[address] as { includedPermissions: readonly string[] };
    const withMore = (...more: readonly string[]) => {
      google.world.resources[address] = { includedPermissions: [...includedPermissions, ...more] };
      return run({
        exceptions: [
          {
            finding: 'own_role_has_more',
            resource: `projects/${KEYDESK}/roles/keydesk_ledger`,
            permissions: ['datastore.databases.list'],
            reason: 'metrics',
            expires: '2027-01-01',
          },
        ],
      });
    };
    expect(countFindings(await withMore('datastore.databases.list'))).toMatchObject({ errors: 0, excepted: 1 });
    const worse = countFindings(await withMore('datastore.databases.list', 'iam.serviceAccounts.signJwt'));
    expect(worse).toMatchObject({ errors: 1, excepted: 0 });
  });
});
