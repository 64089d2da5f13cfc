// The Terraform module as terraform itself plans it from the example policy: who may do what, what follows from the policy
// and from firestore.indexes.json, and what is refused. The provider is a stand-in with the real one's schemas.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { codeIn, partOf, read, rowsOf } from '../docs/page.ts';
import { grants, readPrivileges } from './terraform-module.ts';
import { createPlanner, type Plan, type PlannedResource } from './terraform-plan.ts';

const terraform = spawnSync('terraform', ['version']).status === 0;
const skipped = !terraform && process.env.CI !== 'true';

const POOL = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const SIGNERS = ['staging', 'production'].map((name) => `keydesk-signer@acme-${name}.iam.gserviceaccount.com`);
const SHARED = ['ci-cache', 'export'].map((name) => `${name}@acme-staging.iam.gserviceaccount.com`);
const OTHER = { policy_file: '"other-policy.yaml"', archives_dir: '"other-packages"' };
const ARCHIVE = { log_archive: '{ location = "eu" }' };
const DEPLOYED = { webhook_tokens_version: '"3"', buildkite_api_token_version: '"2"', ...ARCHIVE };

const indexes = z
  .object({
    indexes: z.array(
      z.object({
        collectionGroup: z.string(),
        fields: z.array(z.object({ fieldPath: z.string(), order: z.string() })),
      }),
    ),
    fieldOverrides: z.array(
      z.object({ collectionGroup: z.string(), fieldPath: z.string(), ttl: z.boolean().default(false) }),
    ),
  })
  .parse(JSON.parse(readFileSync('firestore.indexes.json', 'utf8')));

describe.skipIf(skipped)(`the plan${skipped ? ' (skipped: no terraform on PATH)' : ''}`, () => {
  let planner: Plan;
  let plan: Awaited<ReturnType<Plan['plan']>>;

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    plan = await planner.plan(DEPLOYED);
  });
  afterAll(() => planner?.stop());

  const all = (address: string, resources = plan.resources) => resources.filter((each) => toAddress(each) === address);
  const one = (address: string): Readonly<Record<string, unknown>> => {
    const found = plan.resources.filter((each) => each.address === address);
    expect(found.map((each) => each.address)).toEqual([address]);
    return found[0]?.values ?? {};
  };

  it('is made of a valid configuration', async () => {
    expect(await planner.validate()).toContain('The configuration is valid');
  });

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

  it('grants exactly what PRIVILEGES.md says', () => {
    const table = readPrivileges();
    const open = new Set(['shared account', 'pool group']);
    const rows = table.map(
      ({ identity, what, address }) => `${identity}: ${open.has(identity) ? '' : what} (${address})`,
    );
    const granted = granting(plan.resources).map(
      ({ identity, what, address }) => `${identity}: ${open.has(identity) ? '' : what} (${address})`,
    );
    expect([...new Set(granted)].sort()).toEqual(rows.sort());
  });

  it('grants it on exactly these, under exactly these conditions', () => {
    const told = granting(plan.resources).map(({ identity, what, on }) => `${identity}: ${what}: ${on}`);
    expect([...new Set(told)].sort()).toEqual(readFileSync('test/deploy/privileges.txt', 'utf8').trim().split('\n'));
  });

  it('tells a reviewer every grant in one output', () => {
    const told = z.record(z.string(), z.array(z.string())).parse(plan.outputs.privileges);
    const granted = plan.resources
      .filter(({ type }) => grants(type))
      .flatMap(({ address, values }) => {
        const { role, member, members } = z
          .object({ role: z.string(), member: z.string().optional(), members: z.array(z.string()).optional() })
          .parse(values);
        // Who writes for a sink is not known before it is there.
        const [, source] = /^google_project_iam_member\.log_archive\["(.*)"\]$/.exec(address) ?? [];
        return (source ? [`log sink of ${source}`] : (members ?? [member ?? ''])).map((who) => `${who}: ${role}`);
      });
    const lines = Object.entries(told).flatMap(([who, all]) => all.map((line) => `${who}: ${line.split(' on ')[0]}`));
    expect(lines.sort()).toEqual(granted.sort());
    expect(told['serviceAccount:keydesk-sweep@acme-keydesk.iam.gserviceaccount.com']).toContain(
      'projects/acme-ci-pool/roles/keydesk_waker on account ci-001@acme-ci-pool.iam.gserviceaccount.com',
    );
    expect(told['group:keydesk-ci-staging@acme.example']).toEqual([
      'roles/datastore.user on project acme-staging where resource.name == "projects/acme-staging/databases/(default)"',
    ]);
  });

  it('lets the identity that mints neither enable nor bring back an account', () => {
    const held = granting(plan.resources).filter(({ identity }) => identity === 'token');
    expect(held.length).toBeGreaterThan(0);
    for (const { what } of held)
      expect(what).not.toMatch(/serviceAccounts\.(enable|update|undelete|create)|admin|owner|editor|setIamPolicy/i);
    expect(new Set(held.map(({ what }) => what))).toEqual(
      new Set([
        'datastore.entities.get datastore.entities.list datastore.entities.create datastore.entities.update',
        'datastore.entities.create datastore.entities.get datastore.entities.update',
        'iam.serviceAccounts.signJwt',
        'iam.serviceAccounts.getAccessToken',
        'iam.serviceAccounts.get iam.serviceAccounts.disable',
      ]),
    );
  });

  it('lets nobody but the token function mint', () => {
    const minting = granting(plan.resources).filter(({ what }) =>
      /TokenCreator|getAccessToken|signJwt|signBlob|implicitDelegation|serviceAccountUser|actAs|Admin/i.test(what),
    );
    // An operator acts as the webhook function, which can mint nothing.
    expect(
      new Set(minting.map(({ identity, on }) => (identity === 'operator' ? `${identity} ${on}` : identity))),
    ).toEqual(
      new Set([
        'token',
        'operator projects/acme-keydesk/serviceAccounts/keydesk-webhook@acme-keydesk.iam.gserviceaccount.com',
      ]),
    );
  });

  it('lets nobody but the sweep enable an account', () => {
    const enabling = granting(plan.resources).filter(({ what }) => /enable\b/.test(what));
    expect(new Set(enabling.map(({ identity }) => identity))).toEqual(new Set(['sweep']));
    expect(enabling).toHaveLength(POOL.length);
  });

  it('grants every function Firestore in single databases only, and nobody to delete', () => {
    const roles = plan.resources.filter(({ values }) => /_(ledger|opener|closer)$/.test(String(values.role)));
    expect(granting(plan.resources).filter(({ what }) => /entities\.(delete|\*)/.test(what))).toEqual([]);
    const databases = roles.map(
      ({ values }) =>
        /^resource\.name == "([^"]+)"$/.exec(
          z
            .array(z.object({ expression: z.string() }))
            .length(1)
            .parse(values.condition)[0]?.expression ?? '',
        )?.[1],
    );
    const each = [
      'projects/acme-keydesk/databases/keydesk',
      'projects/acme-production/databases/(default)',
      'projects/acme-staging/databases/(default)',
    ];
    expect(databases.sort()).toEqual([...each, ...each, ...each].sort());
    for (const { values } of roles)
      expect(databases).toContainEqual(expect.stringContaining(`projects/${values.project}/`));
  });

  it('lets the token function sign for exactly the signers, and mint for exactly the other accounts', () => {
    const on = (what: string) =>
      granting(plan.resources)
        .filter((each) => each.what === what)
        .map((each) => each.on.split('/').at(-1));
    expect(on('iam.serviceAccounts.signJwt').sort()).toEqual([...SIGNERS].sort());
    expect(on('iam.serviceAccounts.getAccessToken').sort()).toEqual([...POOL, ...SHARED].sort());
  });

  it('keeps the sweep from the public: the scheduler alone may call it, from inside', () => {
    const binding = all('google_cloud_run_v2_service_iam_binding.sweep');
    expect(binding.map(({ values }) => [values.name, values.role, values.members])).toEqual([
      ['keydesk-sweep', 'roles/run.invoker', ['serviceAccount:keydesk-scheduler@acme-keydesk.iam.gserviceaccount.com']],
    ]);
    const open = all('google_cloud_run_v2_service_iam_member.public').map(({ values }) => [values.name, values.member]);
    expect(open).toEqual([
      ['keydesk-token', 'allUsers'],
      ['keydesk-webhook', 'allUsers'],
    ]);
    expect(one('google_cloudfunctions2_function.desk["sweep"]')).toMatchObject({
      service_config: [{ ingress_settings: 'ALLOW_INTERNAL_ONLY', max_instance_count: 1, timeout_seconds: 120 }],
    });
    expect(one('google_cloud_scheduler_job.sweep["sweep"]')).toMatchObject({
      schedule: '* * * * *',
      attempt_deadline: '130s',
      http_target: [
        {
          http_method: 'POST',
          oidc_token: [{ service_account_email: 'keydesk-scheduler@acme-keydesk.iam.gserviceaccount.com' }],
        },
      ],
    });
  });

  it('gives each function its own identity, archive and settings, and only the secrets it needs', () => {
    for (const name of ['token', 'webhook', 'sweep'])
      expect(one(`google_cloudfunctions2_function.desk["${name}"]`)).toMatchObject({
        build_config: [
          {
            runtime: 'nodejs24',
            entry_point: name,
            source: [{ storage_source: [{ object: expect.stringMatching(`^${name}-[0-9a-f]{64}\\.zip$`) }] }],
          },
        ],
        service_config: [
          {
            service_account_email: `keydesk-${name}@acme-keydesk.iam.gserviceaccount.com`,
            environment_variables: {
              NODE_ENV: 'production',
              GOOGLE_CLOUD_PROJECT: 'acme-keydesk',
              KEYDESK_DATABASE: 'keydesk',
              ...(name === 'token' && { KEYDESK_POLICY: 'policy.yaml' }),
            },
          },
        ],
      });
    const secrets = all('google_cloudfunctions2_function.desk').flatMap(({ values }) =>
      z
        .array(z.object({ secret_environment_variables: z.array(z.record(z.string(), z.string())) }))
        .parse(values.service_config)
        .flatMap(({ secret_environment_variables }) =>
          secret_environment_variables.map(({ key, secret, version }) => [values.name, key, secret, version]),
        ),
    );
    expect(secrets).toEqual([
      ['keydesk-sweep', 'KEYDESK_BUILDKITE_API_TOKEN', 'keydesk-buildkite-api-token', '2'],
      ['keydesk-webhook', 'KEYDESK_WEBHOOK_TOKENS', 'keydesk-webhook-tokens', '3'],
    ]);
    expect(one('google_cloudfunctions2_function.desk["token"]')).toMatchObject({
      service_config: [{ max_instance_request_concurrency: 40, available_cpu: '1' }],
    });
  });

  it('takes indexes, exemptions and TTL fields from firestore.indexes.json', () => {
    const planned = all('google_firestore_index.ledger').map(({ values }) => [
      values.collection,
      z
        .array(z.object({ field_path: z.string() }))
        .parse(values.fields)
        .map(({ field_path }) => field_path),
    ]);
    expect(planned.sort()).toEqual(
      indexes.indexes
        .map(({ collectionGroup, fields }) => [collectionGroup, fields.map(({ fieldPath }) => fieldPath)])
        .sort(),
    );
    const data = ['acme-production', 'acme-staging'];
    const expected = indexes.fieldOverrides.flatMap(({ collectionGroup, fieldPath, ttl }) =>
      (collectionGroup === 'keydesk_grants' ? data : ['acme-keydesk']).map(
        (project) => `${project} ${collectionGroup}.${fieldPath}${ttl ? ' ttl' : ''}`,
      ),
    );
    const fields = plan.resources
      .filter(({ type }) => type === 'google_firestore_field')
      .map(({ values }) => {
        expect(values.index_config).toEqual([{ indexes: [] }]);
        return `${values.project} ${values.collection}.${values.field}${z.array(z.unknown()).parse(values.ttl_config).length > 0 ? ' ttl' : ''}`;
      });
    expect(fields.sort()).toEqual(expected.sort());
    expect(fields).toContain('acme-staging keydesk_grants.delete_at ttl');
  });

  it('protects the ledger from being deleted and keeps its history', () => {
    expect(one('google_firestore_database.ledger')).toMatchObject({
      name: 'keydesk',
      delete_protection_state: 'DELETE_PROTECTION_ENABLED',
      point_in_time_recovery_enablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
    });
  });

  it('deploys the rules of each data database without a moment in which it has none', () => {
    expect(all('terraform_data.rules').map(({ address }) => address)).toEqual([
      'terraform_data.rules["acme-production/(default)"]',
      'terraform_data.rules["acme-staging/(default)"]',
    ]);
    expect(plan.resources.filter(({ type }) => type.startsWith('google_firebaserules'))).toEqual([]);
  });

  it("creates pooled accounts in their own project, without keys, in their environment's group", () => {
    expect(all('google_service_account.pooled').map(({ values }) => `${values.account_id}@${values.project}`)).toEqual(
      POOL.map((email) => email.replace('.iam.gserviceaccount.com', '')),
    );
    expect(all('google_org_policy_policy.no_keys').map(({ values }) => [values.name, values.spec])).toEqual(
      ['acme-ci-pool', 'acme-keydesk'].flatMap((project) =>
        ['Creation', 'Upload'].map((key) => [
          `projects/${project}/policies/iam.disableServiceAccountKey${key}`,
          [expect.objectContaining({ rules: [expect.objectContaining({ enforce: 'TRUE' })] })],
        ]),
      ),
    );
    expect(
      all('google_cloud_identity_group_membership.pooled').map(({ values }) => [
        values.group,
        z.array(z.object({ id: z.string() })).parse(values.preferred_member_key)[0]?.id,
      ]),
    ).toEqual(POOL.map((email) => ['groups/01abcde23fghij4', email]));
  });

  it('switches Data Access logs on where accounts, exchanges and data are', () => {
    expect(
      all('google_project_iam_audit_config.needed')
        .map(({ values }) => `${values.project} ${values.service}`)
        .sort(),
    ).toEqual([
      'acme-ci-pool iam.googleapis.com',
      'acme-keydesk iam.googleapis.com',
      'acme-keydesk sts.googleapis.com',
      'acme-production datastore.googleapis.com',
      'acme-production iam.googleapis.com',
      'acme-staging datastore.googleapis.com',
      'acme-staging iam.googleapis.com',
      'acme-staging sts.googleapis.com',
    ]);
  });

  it('takes metrics, alerts, service levels and the dashboard from deploy/monitoring', () => {
    const named = z.array(z.object({ displayName: z.string(), userLabels: z.object({ playbook: z.string() }) }));
    const read = (name: string): unknown => JSON.parse(readFileSync(`deploy/monitoring/${name}.json`, 'utf8'));
    const levels = z
      .object({ serviceLevelObjectives: z.array(z.object({ name: z.string() })), alertPolicies: named })
      .parse(read('slos'));
    const metrics = z.array(z.object({ name: z.string() })).parse(read('metrics'));
    // The example policy has no canary, so what would miss it stays out.
    const alerts = [...named.parse(read('alerts')), ...levels.alertPolicies].filter(
      ({ userLabels }) => !userLabels.playbook.startsWith('probe'),
    );
    expect(
      all('google_logging_metric.desk')
        .map(({ values }) => values.name)
        .sort(),
    ).toEqual(metrics.map(({ name }) => name).sort());
    expect(
      all('google_monitoring_alert_policy.desk')
        .map(({ values }) => values.display_name)
        .sort(),
    ).toEqual(alerts.map(({ displayName }) => displayName).sort());
    expect(all('google_monitoring_slo.desk').map(({ values }) => [values.slo_id, values.rolling_period_days])).toEqual(
      levels.serviceLevelObjectives.map(({ name }) => [name.split('/').at(-1), 28]),
    );
    expect(all('google_monitoring_dashboard.desk')).toHaveLength(1);
    expect(JSON.stringify(plan.resources)).not.toMatch(/PROJECT_ID|PLAYBOOKS_URL/);
  });

  it('says what to paste into Buildkite', () => {
    expect(plan.outputs).toMatchObject({
      audience: 'https://keydesk.acme.example',
      desk_url: expect.stringMatching(/^https:/),
      buildkite_webhook: {
        url: expect.stringMatching(/^https:/),
        token_mode: expect.stringMatching(/^signature/),
        events: ['job.finished'],
        branch_filter: expect.stringMatching(/^leave empty/),
      },
    });
  });

  it('deploys no function before there is a webhook token, and says how to add one', async () => {
    const first = await planner.plan();
    for (const address of [
      'google_cloudfunctions2_function.desk',
      'google_cloud_scheduler_job.sweep',
      'google_cloud_run_v2_service_iam_member.public',
    ])
      expect(all(address, first.resources)).toEqual([]);
    expect(first.outputs).toMatchObject({
      // Before there is a function: the webhook at Buildkite comes first, for it makes the key.
      desk_url: 'https://keydesk-token-123456789012.europe-west1.run.app',
      buildkite_webhook: { url: 'https://keydesk-webhook-123456789012.europe-west1.run.app' },
      secret_commands: {
        webhook_tokens_version: expect.stringMatching(
          /^read -rs VALUE && printf %s "\$VALUE" \| gcloud secrets versions add keydesk-webhook-tokens /,
        ),
      },
    });
  });

  it.each([
    ['a pool whose accounts may do nothing', { pool_groups: '{}' }, 'No entry in pool_groups for the pools of staging'],
    [
      'a group for an environment that has no pool',
      { pool_groups: '{ stagging = { id = "groups/a1", email = "a@b.c" } }' },
      'pool_groups names environments in which the policy has no pool: stagging',
    ],
    ['alerts that nobody is told of', { notification_channels: '[]' }, 'notification_channels is empty'],
    ['a policy without a canary', {}, 'The policy has no credential called canary'],
  ])('warns of %s', async (_, settings, message) => {
    expect(await planner.complaint(settings)).toContain(message);
  });

  it('refuses a rules file that is not what the packaged policy makes', async () => {
    const asked = {
      rules_files: '{ "acme-staging/(default)" = "other.rules" }',
      rules_deployed_elsewhere: '["acme-production/(default)"]',
    };
    planner.writeRules('\t// keydesk:begin\n\t\t// keydesk:end\n');
    expect(await planner.complaint(asked)).not.toContain('Error');
    planner.writeRules('// keydesk:begin\nmatch /all/{rest=**} { allow read; }\n// keydesk:end\n');
    expect(await planner.complaint(asked)).toContain('A rules file is not what npm run rules makes of the policy');
  });

  it.each([
    ['a project that is none', { project_id: '"Acme"' }, 'project_id must be a Google Cloud project ID'],
    [
      'a floating secret version',
      { webhook_tokens_version: '"latest"' },
      'webhook_tokens_version must be a version number',
    ],
    ['a policy that is none', { policy_file: '"main.tf"' }, 'policy_file must be the path of a policy'],
    ['missing archives', { archives_dir: '"."' }, 'archives_dir must hold token.zip'],
    [
      'rules that were not generated',
      { rules_files: '{ "acme-staging/(default)" = "main.tf" }' },
      'rules_files must be paths of rules files',
    ],
    [
      'a data database whose rules nobody deploys',
      { rules_files: '{}' },
      'No entry in rules_files for acme-production/(default), acme-staging/(default)',
    ],
    [
      'a group that could change the ledger',
      groupWith('acme-keydesk', 'roles/datastore.user'),
      "in the desk's project",
    ],
    [
      'a group that could let in whom it likes',
      groupWith('acme-ci-pool', 'roles/iam.securityAdmin'),
      "or in a pool's would let a job",
    ],
    ["the desk in the pool's project", { project_id: '"acme-ci-pool"' }, 'Pooled accounts need a project of their own'],
    [
      'a group that could mint',
      {
        pool_groups:
          '{ staging = { id = "groups/a1", email = "a@b.c", roles = [{ project = "p", role = "roles/iam.serviceAccountTokenCreator" }] } }',
      },
      'would let a job outlive its own end',
    ],
  ])('refuses %s', async (_, settings, message) => {
    expect(await planner.complaint(settings)).toContain(message);
  });

  it("refuses a policy that opens the ledger's own database", async () => {
    planner.writePolicy(
      readFileSync('examples/policy.yaml', 'utf8').replace(
        'project: acme-staging',
        'project: acme-keydesk\n      database: keydesk',
      ),
    );
    expect(await planner.complaint(OTHER)).toContain("opens the ledger's own database");
  });

  it.each([
    ['the sweep', 'keydesk-sweep@acme-keydesk.iam.gserviceaccount.com'],
    ['an account of a pool', 'ci-009@acme-ci-pool.iam.gserviceaccount.com'],
    ["the desk's default account", '123456789012-compute@developer.gserviceaccount.com'],
    ['the default account of a pool’s project', 'acme-ci-pool@appspot.gserviceaccount.com'],
  ])('refuses a policy by which the one that mints could become %s', async (_, email) => {
    planner.writePolicy(
      readFileSync('examples/policy.yaml', 'utf8').replace('export@acme-staging.iam.gserviceaccount.com', email),
    );
    expect(await planner.complaint(OTHER)).toContain('whoever mints for it could act as the desk');
  });

  it('refuses archives that were packaged with another policy, or that are not those that were packaged', async () => {
    const policy = readFileSync('examples/policy.yaml', 'utf8');
    planner.writePolicy(`${policy}\n# changed since\n`, policy);
    expect(await planner.complaint(OTHER)).toContain('packaged with another policy than policy_file');
    planner.writePolicy(policy);
    expect(await planner.complaint(OTHER)).not.toContain('Error');
    planner.changeArchive();
    expect(await planner.complaint(OTHER)).toContain('is not the one that manifest.json tells of');
  });

  it('switches on every service where pooled accounts act, if that is asked for, and leaves single services as they are', async () => {
    const asked = await planner.plan({ audit_logs: '{ pool_touches = true }' });
    const before = all('google_project_iam_audit_config.needed');
    const now = all('google_project_iam_audit_config.needed', asked.resources);
    const added = now.filter(({ address }) => !before.some((each) => each.address === address));
    expect(added.map(({ address, values }) => [address, values.project, values.service])).toEqual([
      ['google_project_iam_audit_config.needed["acme-staging/allServices"]', 'acme-staging', 'allServices'],
    ]);
    expect(
      z
        .array(z.object({ log_type: z.string() }))
        .parse(added[0]?.values.audit_log_config)
        .map(({ log_type }) => log_type)
        .sort(),
    ).toEqual(['ADMIN_READ', 'DATA_READ', 'DATA_WRITE']);
    // One resource speaks for a whole service of a project: two that did would undo each other.
    const spoken = now.map(({ values }) => `${values.project} ${values.service}`);
    expect(spoken).toHaveLength(before.length + 1);
    expect(new Set(spoken).size).toBe(spoken.length);
  });

  it('warns where pooled accounts leave no entry, until somebody has decided', async () => {
    const elsewhere = groupWith('acme-run', 'roles/run.developer');
    const warning =
      'Pooled accounts have roles/run.developer in acme-run, and Data Access logs of it are not switched on';
    expect(await planner.complaint({})).not.toContain('Pooled accounts have');
    expect(await planner.complaint(elsewhere)).toContain(warning);
    for (const pool_touches of ['true', 'false'])
      expect(await planner.complaint({ ...elsewhere, audit_logs: `{ pool_touches = ${pool_touches} }` })).not.toContain(
        'Pooled accounts have',
      );
    // A database that is logged anyway; its project has other services, and it may not be logged.
    const staging = groupWith('acme-staging', 'roles/datastore.user');
    expect(await planner.complaint(staging)).not.toContain('Pooled accounts have');
    expect(await planner.complaint({ ...staging, audit_logs: '{ data = false }' })).toContain('Pooled accounts have');
    expect(await planner.complaint(groupWith('acme-staging', 'roles/run.developer'))).toContain('Pooled accounts have');
  });

  it('makes no log archive unless it is asked for', async () => {
    const { resources, outputs } = await planner.plan();
    const addresses = resources.map(({ address }) => address);
    expect(addresses.filter((address) => /^google_logging_(?!metric)|log_archive|log_retention/.test(address))).toEqual(
      [],
    );
    expect(outputs.log_dataset ?? null).toBeNull();
  });

  it('gathers what the audit queries ask about in one bucket, under the name that they have', () => {
    expect(one('google_logging_project_bucket_config.archive[0]')).toMatchObject({
      ...{ project: 'acme-keydesk', location: 'eu', bucket_id: 'keydesk-logs' },
      ...{ retention_days: 400, enable_analytics: true, locked: false },
    });
    expect(one('google_logging_linked_dataset.archive[0]')).toMatchObject({ link_id: 'keydesk_logs' });
    expect(plan.outputs.log_dataset).toBe('acme-keydesk.keydesk_logs');
    for (const file of readdirSync('deploy/audit').filter((name) => name.endsWith('.sql')))
      expect(readFileSync(`deploy/audit/${file}`, 'utf8')).toContain('`PROJECT.keydesk_logs._AllLogs`');
    const apis = all('google_project_service.log_archive').map(({ values }) => `${values.project} ${values.service}`);
    expect(apis).toEqual([
      'acme-ci-pool logging.googleapis.com',
      'acme-keydesk bigquery.googleapis.com',
      'acme-production logging.googleapis.com',
      'acme-staging logging.googleapis.com',
    ]);
  });

  it('draws audit logs from every project with accounts, data or touches, and Keydesk’s lines from its own', async () => {
    const audit = 'logName:"/logs/cloudaudit.googleapis.com%2F"';
    const sinks = all('google_logging_project_sink.archive');
    expect(sinks.map(({ values }) => [values.project, String(values.filter).startsWith(audit)])).toEqual([
      ['acme-ci-pool', true],
      ['acme-keydesk', true],
      ['acme-production', true],
      ['acme-staging', true],
    ]);
    for (const { values } of sinks)
      expect(values).toMatchObject({
        name: 'keydesk-logs-of-acme-keydesk',
        destination: 'logging.googleapis.com/projects/acme-keydesk/locations/eu/buckets/keydesk-logs',
        unique_writer_identity: true,
      });
    expect(new Set(sinks.map(({ values }) => values.filter)).size).toBe(2);
    const [, own = ''] = /^logName\S+ OR jsonPayload\.event=~"(.*)"$/.exec(String(sinks[1]?.values.filter)) ?? [];
    const events = rowsOf(partOf(read('docs/AUDIT.md'), '### Events')).flatMap(([event = '', ...rest]) =>
      rest.length === 3 ? codeIn(event) : [],
    );
    const pattern = new RegExp(own.replaceAll('\\\\', '\\'));
    expect(events.length).toBeGreaterThan(15);
    expect(events.filter((event) => !pattern.test(event))).toEqual([]);
    expect(['started', 'http.request', 'grant.issued.not'].filter((event) => pattern.test(event))).toEqual([]);
    // A group that acts in a project which is neither the data's nor an account's.
    const more = await planner.plan({ ...ARCHIVE, ...groupWith('acme-run', 'roles/run.developer') });
    expect(all('google_logging_project_sink.archive', more.resources).map(({ values }) => values.project)).toContain(
      'acme-run',
    );
  });

  it('lets the sinks of other projects write into that bucket alone, and needs no leave for its own', () => {
    expect(
      all('google_project_iam_member.log_archive').map(({ address, values }) => [address, values.project]),
    ).toEqual(
      ['acme-ci-pool', 'acme-production', 'acme-staging'].map((source) => [
        `google_project_iam_member.log_archive["${source}"]`,
        'acme-keydesk',
      ]),
    );
    const told = z.record(z.string(), z.array(z.string())).parse(plan.outputs.privileges);
    expect(told['log sink of acme-staging']).toEqual([
      'roles/logging.bucketWriter on project acme-keydesk where resource.name.endsWith("locations/eu/buckets/keydesk-logs")',
    ]);
  });

  it.each([
    ['a place that is none', '{ location = "Europe" }', 'log_archive.location must be a location of log buckets'],
    ['less than a day', '{ location = "eu", retention_days = 0 }', 'log_archive.retention_days must be a whole number'],
    ['more than ten years', '{ location = "eu", retention_days = 3651 }', 'log_archive.retention_days must be a whole'],
  ])('refuses a log archive with %s', async (_, log_archive, message) => {
    expect(await planner.complaint({ log_archive })).toContain(message);
  });

  it('neither drops the log archive nor shortens its memory by accident', async () => {
    const made = await createPlanner({ known: false });
    try {
      const without = {
        rules_files: '{}',
        rules_deployed_elsewhere: '["acme-staging/(default)", "acme-production/(default)"]',
      };
      const keeping = (days: number) => ({ ...without, log_archive: `{ location = "eu", retention_days = ${days} }` });
      expect(await made.apply(keeping(400))).toContain('No changes.');
      expect(await made.complaint(keeping(399))).toContain('is less than when the archive was made');
      expect(await made.complaint(keeping(800))).not.toContain('Error');
      expect(await made.complaint(without)).toContain('Instance cannot be destroyed');
    } finally {
      made.stop();
    }
  }, 120_000);
});

function groupWith(project: string, role: string) {
  return {
    pool_groups: `{ staging = { id = "groups/a1", email = "a@b.c", roles = [{ project = "${project}", role = "${role}" }] } }`,
  };
}

function toAddress({ address }: PlannedResource): string {
  return address.replace(/\[.*\]$/, '');
}

/** Who is granted what, with custom roles written out as their permissions. */
function granting(resources: readonly PlannedResource[]) {
  const custom = new Map(
    resources
      .filter(({ type }) => type === 'google_project_iam_custom_role')
      .map(({ values }) => [
        `projects/${values.project}/roles/${values.role_id}`,
        z.array(z.string()).parse(values.permissions),
      ]),
  );
  return resources
    .filter(({ type }) => grants(type))
    .flatMap((resource) => {
      const { role, member, members } = z
        .object({ role: z.string(), member: z.string().optional(), members: z.array(z.string()).optional() })
        .parse(resource.values);
      return (members ?? [member ?? '']).map((who) => ({
        identity: toIdentity(who),
        what: custom.get(role)?.join(' ') ?? role,
        on: toObject(resource.values),
        address: toAddress(resource),
      }));
    });
}

/** What a grant is on, and under which condition. */
function toObject(values: Readonly<Record<string, unknown>>): string {
  const { service_account_id, secret_id, bucket, repository, name, project, condition } = z
    .record(z.string(), z.unknown())
    .parse(values);
  const on = service_account_id ?? secret_id ?? bucket ?? repository ?? name ?? `projects/${project}`;
  const conditions = z.array(z.object({ expression: z.string() })).parse(condition ?? []);
  return [on, ...conditions.map(({ expression }) => expression)].join(' if ');
}

function toIdentity(member: string): string {
  const [, own] = /^serviceAccount:keydesk-(\w+)@acme-keydesk\.iam\.gserviceaccount\.com$/.exec(member) ?? [];
  if (own) return own;
  if (member === 'allUsers') return 'everyone';
  if (member === 'group:keydesk-oncall@acme.example') return 'operator';
  if (member === 'google_logging_project_sink.writer_identity') return 'log sink';
  return member.startsWith('group:') ? 'pool group' : 'shared account';
}
