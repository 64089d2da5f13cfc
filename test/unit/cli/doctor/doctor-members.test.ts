// Who `keydesk doctor` takes for a service of Google, for a shared account or for anybody else: by facts that nobody can choose.

import { describe, expect, it } from 'vitest';
import { bind, type Change } from '../../../fixtures/broken-deployments.ts';
import { at } from '../../../fixtures/deployed-addresses.ts';
import { agent, member } from '../../../fixtures/deployed-policies.ts';
import { deployedWorld, deploymentOf, SETTINGS } from '../../../fixtures/deployed-world.ts';
import { runDoctorOn } from '../../../fixtures/doctor-run.ts';
import { DATA, KEYDESK, POOL, SHARED, signerOf } from '../../../fixtures/preflight-world.ts';

const OTHER = 'serviceAccount:ci@acme-other.iam.gserviceaccount.com';
const MINTS = ['iam.serviceAccounts.getAccessToken', 'iam.serviceAccounts.signJwt', 'iam.serviceAccounts.enable'];

async function namesAfter(...changes: readonly Change[]): Promise<string[]> {
  const world = deployedWorld();
  for (const change of changes) change(world);
  const { findings, notLooked } = await runDoctorOn(world);
  expect(notLooked).toEqual([]);
  return [...new Set(findings.map(({ finding }) => finding))].sort();
}

const defineRole =
  (role: string, ...includedPermissions: readonly string[]): Change =>
  ({ resources }) => {
    resources[at.role(role)] = { name: role, includedPermissions };
  };

const AGENT_ROLE = 'roles/run.serviceAgent';
const CUSTOM_ROLE = `projects/${POOL}/roles/opsServiceAgent`;

describe('a service agent of Google', () => {
  it.each([
    ['of a service with a domain of the present form', agent('1004', 'gcp-sa-run')],
    ['of a service with a domain of the older form', agent('1004', 'serverless-robot-prod')],
    ['of Google APIs', 'serviceAccount:1004@cloudservices.gserviceaccount.com'],
    ['of another project of the deployment', agent('1002', 'gcp-sa-run')],
  ])('%s is nothing with a role for service agents', async (_, who) => {
    expect(await namesAfter(defineRole(AGENT_ROLE, ...MINTS), bind(at.project(POOL), AGENT_ROLE, who))).toEqual([]);
  });

  it.each([
    ['has a domain that anybody can have', agent('1004', 'evil-project')],
    ['has a domain that only looks like one', agent('1004', 'gcp-sa-run.evil-project')],
    ['has the number of a project that is not of the deployment', agent('1234567', 'gcp-sa-run')],
    ['has no number of a project', agent('0', 'gcp-sa-run')],
    ['is of Google APIs in another project', 'serviceAccount:1234567@cloudservices.gserviceaccount.com'],
    ['is another account', OTHER],
  ])('is somebody else when it %s', async (_, who) => {
    const found = await namesAfter(defineRole(AGENT_ROLE, ...MINTS), bind(at.project(POOL), AGENT_ROLE, who));
    expect(found).toEqual(['others_may_enable', 'others_may_mint']);
  });

  it('has a role that Google defines: with a custom role of such a name it is a finding', async () => {
    const changes = [
      defineRole(CUSTOM_ROLE, ...MINTS),
      bind(at.project(POOL), CUSTOM_ROLE, agent('1004', 'gcp-sa-run')),
    ];
    expect(await namesAfter(...changes)).toEqual(['service_agent_role']);
  });

  it("is none by its name alone, on the ledger's project and on the organization", async () => {
    const role = `projects/${KEYDESK}/roles/opsServiceAgent`;
    const who = agent('1234567', 'evil-project');
    const permissions = [...MINTS, 'datastore.entities.update', 'run.routes.invoke'];
    const define = defineRole(role, ...permissions);
    expect(await namesAfter(define, bind(at.project(KEYDESK), role, who), bind(at.organization, role, who))).toEqual([
      'others_may_act_as_keydesk',
      'others_may_call',
      'others_may_enable',
      'others_may_mint',
      'others_may_sign',
      'others_reach_ledger',
    ]);
  });
});

describe('a shared account of the policy', () => {
  const shared = `serviceAccount:${SHARED}`;

  it('that may sign as the signer is a finding', async () => {
    const found = await namesAfter(bind(at.project(DATA), 'roles/iam.serviceAccountTokenCreator', shared));
    expect(found).toEqual(['others_may_mint', 'others_may_sign']);
  });

  it('that owns the organization is a finding', async () => {
    expect(await namesAfter(bind(at.organization, 'roles/owner', shared))).toEqual(['basic_role']);
  });

  it('has no business in a project of Keydesk, whatever its role', async () => {
    const found = [bind(at.project(POOL), 'roles/browser', shared), bind(at.project(KEYDESK), 'roles/browser', shared)];
    for (const change of found) expect(await namesAfter(change)).toEqual(['privilege_not_needed']);
  });

  it('may have what reaches nothing of Keydesk', async () => {
    expect(await namesAfter(bind(at.project(DATA), 'roles/datastore.user', shared))).toEqual([]);
  });
});

describe('an account of Keydesk', () => {
  it('needs no more than the module gives it, in whatever project', async () => {
    expect(await namesAfter(bind(at.project(DATA), 'roles/browser', member('reader')))).toEqual([
      'privilege_not_needed',
    ]);
  });
});

const ARCHIVES = `${KEYDESK}-keydesk-archives`;

/** Each permission alone, where it reaches something, and the finding. */
const ALONE: readonly (readonly [permission: string, address: string, finding: string])[] = [
  ['iam.serviceAccounts.implicitDelegation', at.project(POOL), 'others_may_mint'],
  ['iam.serviceAccounts.getOpenIdToken', at.project(POOL), 'others_may_mint'],
  ['storage.hmacKeys.create', at.project(POOL), 'others_may_create_keys'],
  ['iam.roles.update', at.project(POOL), 'others_may_set_policy'],
  ['secretmanager.versions.add', at.secret('webhook-tokens'), 'others_may_read_secrets'],
  ['secretmanager.secrets.setIamPolicy', at.secret('webhook-tokens'), 'others_may_read_secrets'],
  ['run.services.setIamPolicy', at.servicePolicy('admin'), 'others_may_change_functions'],
  ['run.services.delete', at.servicePolicy('token'), 'others_may_change_functions'],
  ['storage.objects.create', at.bucket(ARCHIVES), 'others_may_change_archives'],
  ['storage.objects.delete', at.project(KEYDESK), 'others_may_change_archives'],
  ['storage.buckets.setIamPolicy', at.bucket(ARCHIVES), 'others_may_change_archives'],
  ['artifactregistry.repositories.uploadArtifacts', at.repository, 'others_may_push_images'],
  ['artifactregistry.tags.update', at.folder, 'others_may_push_images'],
  ['artifactregistry.repositories.setIamPolicy', at.repository, 'others_may_push_images'],
  ['logging.buckets.update', at.project(KEYDESK), 'others_may_change_log_archive'],
  ['logging.buckets.delete', at.organization, 'others_may_change_log_archive'],
  ['logging.sinks.update', at.project(KEYDESK), 'others_may_change_log_archive'],
  ['logging.sinks.delete', at.project(KEYDESK), 'others_may_change_log_archive'],
  ['firebaserules.releases.create', at.project(KEYDESK), 'others_may_release_rules'],
  ['firebaserules.releases.update', at.project(KEYDESK), 'others_may_release_rules'],
];

describe('one permission', () => {
  const role = 'roles/acme.one';

  it.each(ALONE)('%s is a finding for another account', async (permission, address, finding) => {
    expect(await namesAfter(defineRole(role, permission), bind(address, role, OTHER))).toEqual([finding]);
  });

  it('of a role that is not found is not known', async () => {
    const world = deployedWorld();
    bind(at.account(DATA, signerOf(DATA)), 'organizations/777/roles/hidden', OTHER)(world);
    const { notLooked, findings } = await runDoctorOn(world);
    expect([findings, notLooked]).toMatchObject([[], [{ resource: `account ${signerOf(DATA)}` }]]);
    expect(notLooked[0]?.evidence).toContain('organizations/777/roles/hidden');
  });

  it('of the log archive is none where there is no archive', async () => {
    const world = deployedWorld();
    bind(at.project(KEYDESK), 'roles/logging.admin', OTHER)(world);
    const deployment = deploymentOf({ ...SETTINGS, log_archive: null });
    expect((await runDoctorOn(world, { deployment })).findings).toEqual([]);
  });

  it('of a person on the archives counts as one on a resource of Keydesk, and those of a project role do not', async () => {
    expect(await namesAfter(bind(at.bucket(ARCHIVES), 'roles/browser', 'user:eve@acme.example'))).toEqual([
      'person_bound',
    ]);
    const ofProject = (who: string) => namesAfter(bind(at.bucket(ARCHIVES), 'roles/storage.objectAdmin', who));
    expect(await ofProject(`projectEditor:${KEYDESK}`)).toEqual([]);
    expect(await ofProject(`projectViewer:${KEYDESK}`)).toEqual(['others_may_change_archives']);
    expect(await ofProject('projectEditor:acme-other')).toEqual(['others_may_change_archives']);
  });

  it('of a role that is deleted is none', async () => {
    const deleted: Change = ({ resources }) => {
      resources[at.role(role)] = { name: role, includedPermissions: MINTS, deleted: true };
    };
    expect(await namesAfter(deleted, bind(at.project(POOL), role, OTHER))).toEqual([]);
  });
});
