// Other plans than the one that terraform-plan.test.ts judges: with less known, of other policies, and with other settings.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import {
  createPlanner,
  DEPLOYED,
  type Plan,
  type PlannedResource,
  type Planner,
  TERRAFORM,
  toAddress,
  UNHURRIED,
} from './terraform-plan.ts';

const POOL = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const OTHER_POOL = `    serviceAccount:
      pool: [other-001@acme-ci-pool.iam.gserviceaccount.com]
      scopes: ["https://www.googleapis.com/auth/cloud-platform"]
`;
const POLICY = readFileSync('examples/policy.yaml', 'utf8');

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('another plan'), UNHURRIED, () => {
  let planner: Planner;
  let plan: Plan;

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    plan = await planner.plan(DEPLOYED);
  }, UNHURRIED.timeout);
  afterAll(() => planner?.stop());

  const all = (address: string, resources = plan.resources) => resources.filter((each) => toAddress(each) === address);

  it('is the same when nothing that Google sets is known yet, as in a first real plan', async () => {
    const first = await createPlanner({ known: false });
    try {
      const { resources, outputs } = await first.plan(DEPLOYED);
      expect(resources.map(({ address }) => address)).toEqual(plan.resources.map(({ address }) => address));
      // A reviewer reads who gets what, whatever else is "known after apply".
      expect(outputs.privileges).toEqual(plan.outputs.privileges);
    } finally {
      first.stop();
    }
  });

  it('is the same when variables get their values from resources that are not there yet', async () => {
    const later = 'terraform_data.later.output';
    const values = {
      project_numbers: `{ for project in ["acme-keydesk", "acme-ci-pool"] : project => ${later} }`,
      readers: `{ security = ${later} }`,
      admins: `{ oncall = ${later} }`,
      pool_roles: `{ staging = { database = { project = ${later}, role = ${later} } } }`,
      notification_channels: `[${later}]`,
      playbooks_url: later,
    };
    const edit = (main: string) =>
      Object.entries(values).reduce(
        (text, [name, value]) => text.replace(`= var.${name}\n`, `= ${value}\n`),
        `${main}\nresource "terraform_data" "later" {\n  input = "x"\n}\n`,
      );
    const first = await createPlanner({ known: false, edit });
    try {
      const { resources } = await first.plan({ ...DEPLOYED, log_archive: 'null' });
      const { resources: expected } = await planner.plan({ ...DEPLOYED, log_archive: 'null' });
      expect(resources.map(({ address }) => address)).toEqual(expected.map(({ address }) => address));
    } finally {
      first.stop();
    }
  });

  it.each([
    ['of Firestore databases', 'staging-config', 'google_firestore_field.needed', ['production-config']],
    ['of a pool', 'staging-admin', 'google_service_account.pooled', []],
    ['of a shared account', 'staging-export', 'google_service_account_iam_member.mint', []],
    ['of a bucket', 'staging-cache', 'google_storage_bucket_iam_member.shared', []],
  ])('can be made of a policy that has no credentials but those %s', async (_, name, address, more) => {
    const kept = [name, ...more];
    const text = POLICY.replace(/^ {2}# .*\n/gm, '')
      .replace(/^ {2}(?:staging|production)-(?:\w+):\n(?: {4}.*\n)+/gm, (entry) =>
        kept.some((each) => entry.startsWith(`  ${each}:`)) ? entry : '',
      )
      .replace(/grants: \[(.*)\]/g, (_all, names: string) => {
        const granted = names.split(', ').filter((each) => kept.includes(each));
        return `grants: [${granted.length > 0 ? granted.join(', ') : name}]`;
      });
    const firestore = name === 'staging-config';
    const { resources } = await planner.plan({
      ...DEPLOYED,
      ...planner.writePolicy(text),
      ...(!firestore && { rules_files: '{}' }),
    });
    expect(all(address, resources)).not.toEqual([]);
    expect(all('terraform_data.rules', resources).length > 0).toBe(firestore);
  });

  it('keeps the secrets in certain regions where that is set', async () => {
    const replication = (resources: readonly PlannedResource[]) =>
      resources.filter(({ type }) => type === 'google_secret_manager_secret').map(({ values }) => values.replication);
    const automatic = { auto: [{}], user_managed: [] };
    expect(replication(plan.resources)).toMatchObject([[automatic], [automatic], [automatic]]);
    const { resources } = await planner.plan({ ...DEPLOYED, secret_locations: '["europe-west1", "europe-west4"]' });
    const managed = {
      auto: [],
      user_managed: [{ replicas: [{ location: 'europe-west1' }, { location: 'europe-west4' }] }],
    };
    expect(replication(resources)).toMatchObject([[managed], [managed], [managed]]);
  });

  it('waits before it deploys functions also for rules that somebody else releases', async () => {
    const { resources } = await planner.plan({
      ...DEPLOYED,
      rules_files: '{ "acme-staging/(default)" = "acme-staging.rules" }',
      rules_managed_externally: '["acme-production/(default)", "another/(default)"]',
    });
    expect(all('time_sleep.rules', resources)).toEqual(all('time_sleep.rules'));
    expect(all('time_sleep.rules').map(({ values }) => values.create_duration)).toEqual(['600s', '600s']);
  });

  it('grants roles to the group of an environment where there is one, with its accounts as members', async () => {
    const { resources } = await planner.plan({
      ...DEPLOYED,
      pool_groups: '{ staging = { id = "groups/a1", email = "ci@acme.example" } }',
    });
    expect(all('google_project_iam_member.pool', resources).map(({ values }) => values.member)).toEqual([
      'group:ci@acme.example',
    ]);
    expect(
      all('google_cloud_identity_group_membership.pooled', resources).map(({ values }) => [
        values.group,
        z.array(z.object({ id: z.string() })).parse(values.preferred_member_key)[0]?.id,
      ]),
    ).toEqual(POOL.map((email) => ['groups/a1', email]));
  });

  it('keeps accounts that retire, and what mints from, disables and enables them', async () => {
    const [old, others] = ['ci-001', 'ci-002'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
    const text = POLICY.replace(`        - ${old}\n`, '').replace(
      '      pool:\n',
      `      retiring: [${old}]\n      pool:\n`,
    );
    const { resources } = await planner.plan({ ...DEPLOYED, ...planner.writePolicy(text) });
    const bindings = ['mint_pooled', 'disable_pooled', 'enable_pooled'].map(
      (name) => `google_service_account_iam_binding.${name}`,
    );
    for (const address of ['google_service_account.pooled', ...bindings])
      for (const email of [old, others])
        expect(resources.map((one) => one.address)).toContain(`${address}["${email}"]`);
    const members = (all_: readonly PlannedResource[]) =>
      all_.filter(({ type }) => type === 'google_service_account_iam_binding').map(({ values }) => values.members);
    expect(members(resources)).toEqual(members(plan.resources));
  });

  it('refuses pools of two environments in one project, unless each has a group', async () => {
    const two = planner.writePolicy(
      POLICY.replace(
        'credentials:\n',
        `credentials:\n  other:\n    environment: production\n    ttl: 10m\n${OTHER_POOL}`,
      ),
    );
    const refusal = 'give each environment a pool project of its own, or name a group for each of them';
    const groups = (...names: readonly string[]) => ({
      pool_groups: `{ ${names.map((name) => `${name} = { id = "groups/a1", email = "${name}@acme.example" }`).join(', ')} }`,
    });
    expect(await planner.complaint(two)).toContain(refusal);
    expect(await planner.complaint({ ...two, ...groups('staging') })).toContain(refusal);
    expect(await planner.complaint({ ...two, ...groups('staging', 'production') })).not.toContain('Error');
  });

  it.each(['"no"', '"null"'])('names by policy what YAML 1.1 would read as something else: %s', async (word) => {
    const name = word.replaceAll('"', '');
    const text = POLICY.replaceAll('environment: staging', `environment: ${word}`)
      .replace('  staging: {}', `  ${word}: {}`)
      .replaceAll(/\bstaging-admin\b/g, word)
      .replace('audience: https://keydesk.acme.example', 'audience: 0x1F.example');
    const { resources, outputs, said } = await planner.plan({
      ...DEPLOYED,
      ...planner.writePolicy(text),
      pool_groups: `{ "${name}" = { id = "groups/a1", email = "a@b.c" } }`,
      pool_roles: `{ "${name}" = {} }`,
    });
    const pooled = all('google_service_account.pooled', resources);
    expect(pooled.map(({ values }) => values.display_name)).toEqual(pooled.map(() => `Keydesk pool: ${name}`));
    expect(all('google_cloud_identity_group_membership.pooled', resources)).toHaveLength(pooled.length);
    expect(pooled.length).toBeGreaterThan(0);
    expect(said).not.toMatch(/in check "every_(pool|role)/);
    expect(outputs.audience).toBe('0x1F.example');
  });

  it('takes addresses from a proxy only where nobody reaches a function without it', async () => {
    const behind = (name: string) => ({
      [`${name}_function`]: '{ ingress = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" }',
    });
    const refusal = 'trusted_proxies needs another ingress than INGRESS_TRAFFIC_ALL';
    const proxied = { ...DEPLOYED, trusted_proxies: '1' };
    expect(await planner.complaint(proxied)).toContain(refusal);
    expect(await planner.complaint({ ...proxied, ...behind('token') })).toContain(refusal);
    expect(await planner.complaint({ ...proxied, ...behind('webhook') })).toContain(refusal);
    const { resources } = await planner.plan({ ...proxied, ...behind('token'), ...behind('webhook') });
    const proxiedServices = all('google_cloud_run_v2_service.keydesk', resources).filter(({ values }) =>
      JSON.stringify(values).includes('KEYDESK_TRUSTED_PROXIES'),
    );
    expect(proxiedServices.map(({ values }) => values.name)).toEqual(['keydesk-token', 'keydesk-webhook']);
  });
});
