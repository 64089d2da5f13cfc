// What deploy/gcloud/deploy.sh makes of a Google Cloud in which somebody has been at work, and of one that is slow to know what was
// created: deleted roles, rights of others, audit logs, groups, what is not there and should be. Against a stand-in for gcloud.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { base, createWorkplace, GROUP, POLICY, startAcme, type Workplace, whole } from './gcloud-deploy.ts';

const DESK = 'acme-keydesk.iam.gserviceaccount.com';
const CI = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const TOKEN = `serviceAccount:keydesk-token@${DESK}`;
const LEDGER = 'datastore.entities.get,datastore.entities.list,datastore.entities.create,datastore.entities.update';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.stop());

describe('deploy.sh where somebody has been at work', () => {
  let deployed: Awaited<ReturnType<Workplace['deploy']>>;
  const exempt = {
    service: 'iam.googleapis.com',
    auditLogConfigs: [{ logType: 'ADMIN_READ', exemptedMembers: ['user:a@acme.example'] }],
  };
  const others = { role: 'roles/viewer', member: 'user:auditor@acme.example' };
  const conditional = {
    ...others,
    title: 'until spring',
    expression: 'request.time < timestamp("2027-03-20T00:00:00Z")',
  };
  const mallory = 'user:mallory@acme.example';
  const ledgerRole = 'projects/acme-keydesk/roles/keydesk_ledger';

  beforeAll(async () => {
    const gcloud = await startAcme();
    gcloud.enable('acme-keydesk', 'iam', 'secretmanager', 'cloudidentity');
    gcloud.enable('acme-ci-pool', 'iam');
    for (const email of CI) gcloud.addAccount(email, 'acme-ci-pool');
    gcloud.addAccount(`keydesk-token@${DESK}`, 'acme-keydesk');
    gcloud.members.set(GROUP, new Set(CI.slice(0, 1)));
    gcloud.roles.set('projects/acme-ci-pool/roles/keydesk_minter', {
      permissions: 'iam.serviceAccounts.getAccessToken',
      deleted: true,
    });
    gcloud.roles.set(ledgerRole, { permissions: `${LEDGER},datastore.entities.delete`, deleted: false });
    gcloud.roles.set('projects/acme-ci-pool/roles/keydesk_waker', {
      permissions: 'iam.serviceAccounts.enable,iam.serviceAccounts.get,iam.serviceAccounts.disable',
      deleted: false,
    });
    gcloud.policies.set('projects acme-keydesk', [
      others,
      conditional,
      { role: 'roles/datastore.user', member: TOKEN, title: 'keydesk ledger only', expression: ledger('other') },
      // The right title on another database.
      { role: ledgerRole, member: TOKEN, title: 'keydesk ledger only', expression: ledger('other') },
    ]);
    gcloud.policies.set('projects acme-ci-pool', [
      others,
      { role: 'roles/iam.serviceAccountTokenCreator', member: mallory },
    ]);
    gcloud.auditConfigs.set('acme-ci-pool', [exempt]);
    gcloud.auditConfigs.set('acme-production', [
      {
        service: 'allServices',
        auditLogConfigs: ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'].map((logType) => ({ logType })),
      },
    ]);
    gcloud.policies.set(`iam service-accounts ${CI[0]}`, [
      { role: 'roles/iam.serviceAccountTokenCreator', member: mallory },
      { role: 'projects/acme-ci-pool/roles/keydesk_waker', member: TOKEN },
      { role: 'roles/iam.serviceAccountViewer', member: 'user:auditor@acme.example' },
    ]);
    gcloud.lag.bindings = 3;
    // As if somebody had changed it between reading and writing.
    const failWith = 'ABORTED: There were concurrent policy changes.';
    Object.assign(gcloud.settings, { failAt: 'projects set-iam-policy acme-staging', failWith, failTimes: 2 });
    deployed = await workplace.deploy([...whole(workplace), '--yes'], { gcloud });
  });

  it('comes through', () => {
    expect(deployed.status, deployed.stderr).toBe(0);
  });

  it('brings a deleted role back, and gives one the permissions it must have', () => {
    const roles = deployed.plan.filter((line) => line.startsWith('  gcloud iam roles ') && !line.includes(' create '));
    expect(roles).toEqual([
      '  gcloud iam roles undelete keydesk_minter --project=acme-ci-pool',
      `  gcloud iam roles update keydesk_ledger --project=acme-keydesk --permissions=${LEDGER}`,
    ]);
    expect(deployed.gcloud.roles.get(ledgerRole)?.permissions).toBe(LEDGER);
  });

  it('takes a grant under another condition for none', () => {
    const bindings = deployed.gcloud.policies.get('projects acme-keydesk') ?? [];
    expect(bindings.filter(({ role, member }) => role === ledgerRole && member === TOKEN)).toEqual([
      { role: ledgerRole, member: TOKEN, title: 'keydesk ledger only', expression: ledger('other') },
      { role: ledgerRole, member: TOKEN, title: 'keydesk ledger only', expression: ledger('keydesk') },
    ]);
  });

  it('warns of whoever else may act as an account, and of what the desk may do besides, and changes neither', () => {
    const warnings = deployed.stdout.split('\n').filter((line) => line.startsWith('Warning: '));
    const left = 'which is not of this plan. It is left as it is: see whether it is meant.';
    expect(warnings.sort()).toEqual(
      [
        `${TOKEN} has ${ledgerRole} on project acme-keydesk where ${ledger('other')}`,
        `${TOKEN} has roles/datastore.user on project acme-keydesk where ${ledger('other')}`,
        `${TOKEN} has projects/acme-ci-pool/roles/keydesk_waker on account ${CI[0]}`,
        `${mallory} has roles/iam.serviceAccountTokenCreator on account ${CI[0]}`,
        `${mallory} has roles/iam.serviceAccountTokenCreator on project acme-ci-pool`,
      ]
        .map((warning) => `Warning: ${warning}, ${left}`)
        .sort(),
    );
    expect(deployed.changes.filter((call) => call.includes('remove-iam-policy-binding'))).toEqual([]);
  });

  it('switches on the audit logs that are off, and keeps the rest of the policy', () => {
    const { auditConfigs, policies } = deployed.gcloud;
    const on = ['ADMIN_READ', 'DATA_READ', 'DATA_WRITE'].map((logType) => ({ logType }));
    expect(auditConfigs.get('acme-ci-pool')).toEqual([
      { ...exempt, auditLogConfigs: [...exempt.auditLogConfigs, { logType: 'DATA_READ' }, { logType: 'DATA_WRITE' }] },
    ]);
    expect(auditConfigs.get('acme-staging')).toEqual(
      ['datastore', 'iam', 'sts'].map((name) => ({ service: `${name}.googleapis.com`, auditLogConfigs: on })),
    );
    expect(deployed.plan.filter((line) => line.includes('audit-logs.sh acme-production'))).toEqual([]);
    expect(policies.get('projects acme-ci-pool')).toEqual([
      others,
      { role: 'roles/iam.serviceAccountTokenCreator', member: mallory },
    ]);
    expect(policies.get('projects acme-keydesk')).toEqual(expect.arrayContaining([others, conditional]));
  });

  it('lets only those join a group that are not in it', () => {
    const joining = deployed.plan.filter((line) => line.includes('memberships add'));
    expect(joining.map((line) => /--member-email=(\S+)/.exec(line)?.[1])).toEqual(CI.slice(1));
  });

  it('waits until an account that was just created is known, and begins anew with a policy that was changed meanwhile', () => {
    const late = 'Not known everywhere yet, or changed meanwhile: once more in 0 seconds.';
    // Four accounts were created: webhook, sweep, scheduler, build.
    expect(deployed.stdout.split('\n').filter((line) => line === late)).toHaveLength(4 * 3 + 2);
  });
});

describe('deploy.sh', () => {
  it.each([
    [
      'a service that stays off',
      'secrets create keydesk-webhook-tokens',
      'SERVICE_DISABLED: Secret Manager API has not been used in project 1 before or it is disabled.',
      7,
    ],
    [
      'an account that stays unknown',
      'projects add-iam-policy-binding acme-keydesk',
      'INVALID_ARGUMENT: Service account x does not exist.',
      7,
    ],
    [
      'a new account of which Google says that one may not look',
      `service-accounts add-iam-policy-binding ${CI[0]}`,
      'PERMISSION_DENIED: denied (or it may not exist)',
      7,
    ],
    ['what is refused', 'projects add-iam-policy-binding acme-keydesk', 'PERMISSION_DENIED: refused', 1],
  ])('tries what fails for %s so often and no more', async (_, failAt, failWith, times) => {
    const gcloud = await startAcme();
    Object.assign(gcloud.settings, { failAt, failWith });
    const { status, stderr } = await workplace.deploy([...base(workplace), ...workplace.rules, '--yes'], { gcloud });
    expect(status).toBe(1);
    expect(gcloud.calls.filter(({ args }) => args.join(' ').includes(failAt))).toHaveLength(times);
    expect(stderr).toMatch(/stopped at command \d+ of \d+/);
  });

  it('lets accounts that were in a group before its service was on stay there', async () => {
    const gcloud = await startAcme();
    gcloud.members.set(GROUP, new Set(CI));
    const args = [...base(workplace), ...workplace.rules, '--group', `staging=${GROUP}`, '--yes'];
    const { status, plan } = await workplace.deploy(args, { gcloud });
    expect(status).toBe(0);
    expect(plan.filter((line) => line.includes('memberships add'))).toHaveLength(3);
  });

  it('says which group it cannot see', async () => {
    const gcloud = await startAcme();
    gcloud.enable('acme-keydesk', 'cloudidentity');
    gcloud.members.clear();
    const { status, stderr } = await workplace.deploy([...whole(workplace), '--yes'], { gcloud });
    expect(status).toBe(1);
    expect(stderr).toContain(`nothing was changed. Is ${GROUP} there, and may you see it?`);
  });

  it('plans nothing for what is yours and not there, but says so; accounts it creates when it is told to', async () => {
    const gcloud = await startAcme();
    const policy = workplace.withPolicy(
      readFileSync(POLICY, 'utf8').replaceAll('export@acme-staging', 'export-2@acme-staging'),
    );
    const missing = await workplace.deploy(policy, { gcloud });
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain(
      'export-2@acme-staging.iam.gserviceaccount.com, which the policy names as a shared account, is not there: create it, or say --create-policy-accounts. Nothing was changed',
    );
    const created = await workplace.deploy([...policy, '--create-policy-accounts', '--dry-run'], { gcloud });
    expect(created.plan.filter((line) => line.includes('create export-2'))).toEqual([
      "  gcloud iam service-accounts create export-2 --project=acme-staging --display-name='Keydesk: named by the policy'",
    ]);
    const bucket = workplace.withPolicy(readFileSync(POLICY, 'utf8').replaceAll('acme-ci-cache', 'acme-other-cache'));
    expect((await workplace.deploy([...bucket, '--dry-run'], { gcloud })).stderr).toContain(
      'bucket gs://acme-other-cache, which the policy opens, is not there',
    );
    const text = readFileSync(POLICY, 'utf8').replaceAll(
      'project: acme-production',
      'project: acme-production\n      database: other',
    );
    const database = workplace.withPolicy(text);
    expect((await workplace.deploy([...database, '--dry-run'], { gcloud })).stderr).toContain(
      'database acme-production/other, which the policy opens, is not there',
    );
  });
});

function ledger(database: string): string {
  return `resource.name == "projects/acme-keydesk/databases/${database}"`;
}
