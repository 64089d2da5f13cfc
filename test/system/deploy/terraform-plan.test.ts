// The Terraform module as terraform itself plans it from the example policy: what follows from the policy and from
// firestore.indexes.json, and what is refused. Other plans are in terraform-variants.deep.ts. Who may do what is
// terraform-privileges.test.ts, logs terraform-logs.deep.ts.
// The provider is a fake with the real one's schema.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { JOB_END_EVENTS } from '../../../shared/core/webhook/event.ts';
import { TARGETS } from './archives.ts';
import {
  createPlanner,
  DEPLOYED,
  type Plan,
  type Planner,
  poolWith,
  TERRAFORM,
  toAddress,
  UNHURRIED,
} from './terraform-plan.ts';

const POOL = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const POLICY = readFileSync('examples/policy.yaml', 'utf8');

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

const secretSource = z.object({ secret_key_ref: z.array(z.object({ secret: z.string(), version: z.string() })) });

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('the plan'), UNHURRIED, () => {
  let planner: Planner;
  let plan: Plan;
  let warnings: string;

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    plan = await planner.plan(DEPLOYED);
    warnings = await planner.complaint({
      ...DEPLOYED,
      notification_channels: '[]',
      pool_roles: '{ stagging = {} }',
    });
  }, UNHURRIED.timeout);
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

  it('is judged by the schema of the provider', async () => {
    const said = await planner.complaintAbout(`
      resource "google_project_iam_member" "wrong" {
        rôle   = "r"
        etag   = "e"
        member = ["m"]
        condition { titel = "t" }
        condition { title = "t" }
      }
      resource "google_cloud_run_v2_service" "wrong" {
        name = "n"
        location = "l"
        template {
          containers {
            resources {}
          }
        }
      }
    `);
    for (const message of [
      'An argument named "rôle" is not expected here',
      'The argument "project" is required',
      'The argument "role" is required',
      'Inappropriate value for attribute "member": string required',
      'An argument named "titel" is not expected here',
      'Too many condition blocks',
      'The argument "image" is required',
    ])
      expect(said).toContain(message);
  });

  it('has no resource for a secret version or the key of an account, whose values would be in the state', () => {
    const types = plan.declared.resources.map(({ type }) => type);
    expect(types).toContain('google_secret_manager_secret');
    // An API key is no secret: it is in the policy.
    expect(types.filter((type) => /secret_version|account_key|_key$/.test(type))).toEqual(['google_apikeys_key']);
  });

  it('passes on every output of the module', () => {
    expect(plan.declared.outputsOfRoot).toEqual(plan.declared.outputs);
  });

  it('keeps the sweep from the public: the scheduler alone may call it, from inside', () => {
    const binding = all('google_cloud_run_v2_service_iam_binding.sweep');
    expect(binding.map(({ values }) => [values.name, values.role, values.members])).toEqual([
      ['keydesk-sweep', 'roles/run.invoker', ['serviceAccount:keydesk-scheduler@acme-keydesk.iam.gserviceaccount.com']],
    ]);
    expect(one('google_cloud_run_v2_service.keydesk["sweep"]')).toMatchObject({
      ingress: 'INGRESS_TRAFFIC_INTERNAL_ONLY',
      invoker_iam_disabled: false,
      template: [{ timeout: '120s', scaling: [{ max_instance_count: 1 }] }],
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

  it('opens the token and the webhook function to the internet without a grant to everybody', async () => {
    const disabled = (resources = plan.resources) =>
      all('google_cloud_run_v2_service.keydesk', resources)
        .filter(({ values }) => values.invoker_iam_disabled)
        .map(({ values }) => values.name);
    expect(disabled()).toEqual(['keydesk-token', 'keydesk-webhook']);
    expect(all('google_cloud_run_v2_service_iam_member.public')).toEqual([]);
    expect(JSON.stringify(plan.resources)).not.toContain('allUsers');

    const { resources } = await planner.plan({ ...DEPLOYED, public_access: '"all_users"' });
    expect(disabled(resources)).toEqual([]);
    const open = all('google_cloud_run_v2_service_iam_member.public', resources);
    expect(open.map(({ values }) => [values.name, values.role, values.member])).toEqual([
      ['keydesk-token', 'roles/run.invoker', 'allUsers'],
      ['keydesk-webhook', 'roles/run.invoker', 'allUsers'],
    ]);
  });

  it('gives each function its own identity, archive and settings, and only the secrets it needs', () => {
    const env = z.array(
      z.object({ name: z.string(), value: z.string().nullable(), value_source: z.array(secretSource) }),
    );
    const container = z.object({ env, image: z.string(), startup_probe: z.array(z.unknown()).length(1) });
    const template = z.array(z.object({ containers: z.array(container).length(1) })).length(1);
    const secrets: unknown[] = [];
    for (const name of TARGETS) {
      const service = one(`google_cloud_run_v2_service.keydesk["${name}"]`);
      const [, hash = ''] =
        /^gs:\/\/acme-keydesk-keydesk-archives\/\w+-([0-9a-f]{64})\.zip$/.exec(
          z.array(z.object({ source_location: z.string() })).parse(service.build_config)[0]?.source_location ?? '',
        ) ?? [];
      const image = `europe-west1-docker.pkg.dev/acme-keydesk/keydesk-functions/${name}:${hash}`;
      const base = 'europe-west1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/nodejs24';
      expect(service).toMatchObject({
        build_config: [{ function_target: name, image_uri: image, base_image: base, enable_automatic_updates: true }],
        template: [
          {
            service_account: `keydesk-${name}@acme-keydesk.iam.gserviceaccount.com`,
            containers: [{ image, base_image_uri: base, resources: [{ startup_cpu_boost: true, cpu_idle: true }] }],
          },
        ],
      });
      const variables = template.parse(service.template)[0]?.containers[0]?.env ?? [];
      expect(
        Object.fromEntries(variables.filter(({ value }) => value).map(({ name, value }) => [name, value])),
      ).toEqual({
        NODE_ENV: 'production',
        NODE_OPTIONS: '--max-old-space-size=320 --max-semi-space-size=16',
        GOOGLE_CLOUD_PROJECT: 'acme-keydesk',
        KEYDESK_DATABASE: 'keydesk',
        ...(name === 'token' && { KEYDESK_POLICY: 'policy.yaml' }),
        ...((name === 'reader' || name === 'admin') && {
          KEYDESK_OPERATOR_AUDIENCES: `https://keydesk-${name}-123456789012.europe-west1.run.app,32555940559.apps.googleusercontent.com`,
        }),
      });
      for (const { name: variable, value_source } of variables)
        for (const { secret_key_ref } of value_source)
          secrets.push(...secret_key_ref.map(({ secret, version }) => [name, variable, secret, version]));
    }
    expect(secrets).toEqual([
      ['webhook', 'KEYDESK_WEBHOOK_TOKENS', 'keydesk-webhook-tokens', '3'],
      ['sweep', 'KEYDESK_BUILDKITE_API_TOKEN', 'keydesk-buildkite-api-token', '2'],
      ['sweep', 'KEYDESK_BUILDKITE_TEAMS_API_TOKEN', 'keydesk-buildkite-teams-api-token', '1'],
    ]);
    expect(one('google_cloud_run_v2_service.keydesk["token"]')).toMatchObject({
      template: [
        {
          max_instance_request_concurrency: 40,
          containers: [
            {
              resources: [{ limits: { cpu: '1', memory: '512Mi' } }],
              startup_probe: [{ http_get: [{ path: '/health' }] }],
              liveness_probe: [{ http_get: [{ path: '/health' }] }],
            },
          ],
        },
      ],
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

  it('creates pooled accounts in their own project, without keys, and grants roles to all accounts of that project', () => {
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
    expect(all('google_cloud_identity_group_membership.pooled')).toEqual([]);
    expect(all('google_project_iam_member.pool').map(({ values }) => [values.project, values.member])).toEqual([
      ['acme-staging', 'principalSet://cloudresourcemanager.googleapis.com/projects/210987654321/type/ServiceAccount'],
    ]);
  });

  it('creates an API key for each data project that calls Identity Toolkit alone, and prints it for the policy', async () => {
    expect(all('google_apikeys_key.firebase').map(({ values }) => [values.project, values.restrictions])).toEqual(
      ['acme-production', 'acme-staging'].map((project) => [
        project,
        [expect.objectContaining({ api_targets: [{ methods: null, service: 'identitytoolkit.googleapis.com' }] })],
      ]),
    );
    expect(plan.outputs.api_keys).toEqual({
      'acme-production': 'AIzaSyExampleWebKeyOfAcmeProduction',
      'acme-staging': 'AIzaSyExampleWebKeyOfAcmeStaging',
    });
    const other = planner.writePolicy(POLICY.replace('AIzaSyExampleWebKeyOfAcmeStaging', 'AIzaOther'));
    expect(await planner.complaint({ ...DEPLOYED, ...other })).toContain(
      "another apiKey than Keydesk's own for acme-staging",
    );
    expect(await planner.complaint(other)).not.toContain('another apiKey');
  });

  it('deploys no function with a policy whose apiKey is to-be-created, and creates everything else', async () => {
    const policy = planner.writePolicy(POLICY.replace('AIzaSyExampleWebKeyOfAcmeStaging', 'to-be-created'));
    expect(await planner.complaint({ ...DEPLOYED, ...policy })).toContain('The policy has the apiKey to-be-created');
    expect(await planner.complaint(policy)).not.toContain('Error');
  });

  it('says what to paste into Buildkite', () => {
    expect(plan.outputs).toMatchObject({
      audience: 'https://keydesk.acme.example',
      policy_sha256: createHash('sha256').update(POLICY).digest('hex'),
      token_url: expect.stringMatching(/^https:/),
      buildkite_webhook: {
        url: expect.stringMatching(/^https:/),
        token_mode: expect.stringMatching(/^signature/),
        events: [...JOB_END_EVENTS],
        branch_filter: expect.stringMatching(/^leave empty/),
      },
    });
  });

  it('names for Buildkite the events that the conditions of rules need', async () => {
    const conditions = `
    approval: { step: approve, by: managers, within: 4h }
  - name: by a manager
    match: { pipeline: web, build_source: ui, created_by: { team: managers } }
    grants: [staging-config]
`;
    const teams = 'teams: { managers: 0184990a-4782-42b5-afc1-16715b10c001 }\n\nrules:\n';
    const policy = planner.writePolicy(POLICY.trimEnd().replace(/^rules:\n/m, teams) + conditions);
    const { outputs } = await planner.plan({ ...DEPLOYED, ...policy });
    expect(outputs).toMatchObject({
      buildkite_webhook: { events: ['job.finished', 'job.activated', 'build.scheduled'] },
    });
  });

  it('deploys no function before there is a webhook token, and says how to add one', async () => {
    const first = await planner.plan();
    for (const address of [
      'google_cloud_run_v2_service.keydesk',
      'terraform_data.image',
      'google_cloud_scheduler_job.sweep',
      'google_cloud_run_v2_service_iam_member.public',
    ])
      expect(all(address, first.resources)).toEqual([]);
    expect(first.outputs).toMatchObject({
      // Before there is a function: the webhook at Buildkite comes first, for it makes the key.
      token_url: 'https://keydesk-token-123456789012.europe-west1.run.app',
      buildkite_webhook: { url: 'https://keydesk-webhook-123456789012.europe-west1.run.app' },
      secret_commands: {
        webhook_tokens_version: expect.stringMatching(
          /^read -rs VALUE && printf %s "\$VALUE" \| gcloud secrets versions add keydesk-webhook-tokens /,
        ),
      },
    });
  });

  it.each([
    ['a pool whose accounts may do nothing', 'No entry in pool_roles for the pools of staging'],
    [
      'roles for an environment that has no pool',
      'pool_roles or pool_groups name environments in which the policy has no pool: stagging',
    ],
    ['alerts that nobody receives', 'notification_channels is empty'],
    ['a policy without a canary', 'The policy has no credential called canary'],
  ])('warns of %s', (_, message) => {
    expect(warnings).toContain(message);
    expect(warnings).not.toContain('Error');
  });

  it('warns of nothing else', () => {
    expect([...plan.said.matchAll(/in check "(\w+)"/g)].map(([, name]) => name)).toEqual(['there_is_a_canary']);
  });

  it('refuses a rules file that is not what the packaged policy makes', async () => {
    const complaint = (rules: string) =>
      planner.complaint({
        rules_files: `{ "acme-staging/(default)" = ${planner.writeRules(rules)} }`,
        rules_managed_externally: '["acme-production/(default)"]',
      });
    expect(await complaint('// keydesk:begin\nmatch /all/{rest=**} { allow read; }\n// keydesk:end\n')).toContain(
      'A rules file is not what keydesk rules write makes of the policy',
    );
  });

  it.each([
    ['a project that is none', { project_id: '"Acme"' }, 'project_id must be a Google Cloud project ID'],
    [
      'one number for two projects',
      { project_numbers: '{ acme-keydesk = "123456789012", acme-ci-pool = "123456789012" }' },
      'the same number for two projects',
    ],
    [
      'a floating secret version',
      { webhook_tokens_version: '"latest"' },
      'webhook_tokens_version must be a version number',
    ],
    ['a policy that is not there', { policy_file: '"none.yaml"' }, 'policy_file must be the path of a policy'],
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
    ['a pool that could change the ledger', poolWith(['acme-keydesk', 'roles/datastore.user']), "in Keydesk's project"],
    [
      'a pool that could let in whom it likes',
      poolWith(['acme-ci-pool', 'roles/iam.securityAdmin']),
      "or in a pool's would let a job",
    ],
    ["Keydesk in the pool's project", { project_id: '"acme-ci-pool"' }, 'Pooled accounts need a project of their own'],
    [
      'a pool that could mint',
      poolWith(['p', 'roles/iam.serviceAccountTokenCreator']),
      'would let a job outlive its own end',
    ],
  ])('refuses %s', async (_, settings, message) => {
    expect(await planner.complaint(settings)).toContain(message);
  });

  it("refuses a policy that opens the ledger's own database", async () => {
    const own = POLICY.replace('project: acme-staging', 'project: acme-keydesk\n    database: keydesk');
    expect(await planner.complaint(planner.writePolicy(own))).toContain("opens the ledger's own database");
  });

  it.each([
    ['the sweep', 'keydesk-sweep@acme-keydesk.iam.gserviceaccount.com'],
    ['an account of a pool', 'ci-009@acme-ci-pool.iam.gserviceaccount.com'],
    ["Keydesk's default account", '123456789012-compute@developer.gserviceaccount.com'],
    ['the default account of a pool’s project', 'acme-ci-pool@appspot.gserviceaccount.com'],
  ])('refuses a policy by which the one that mints could become %s', async (_, email) => {
    const settings = planner.writePolicy(POLICY.replace('export@acme-staging.iam.gserviceaccount.com', email));
    expect(await planner.complaint(settings)).toContain('could act as Keydesk, or for another job');
  });

  it('refuses archives that were packaged with another policy, or that are not those that were packaged', async () => {
    const changed = planner.writePolicy(`${POLICY}\n# changed since\n`, POLICY);
    expect(await planner.complaint(changed)).toContain('packaged with another policy than policy_file');
    const packaged = planner.writePolicy(POLICY);
    planner.changeArchive(packaged);
    expect(await planner.complaint(packaged)).toContain('does not match manifest.json');
  });

  it.each([
    ['of another policy', JSON.stringify({ sha256: '0'.repeat(64), policy: { credentials: {} } })],
    ['that is cut short', '{"sha256": "'],
    ['that is YAML', POLICY],
  ])('refuses a policy.json %s', async (_, text) => {
    const settings = planner.writePolicy(POLICY);
    planner.changePolicyJson(settings, text);
    expect(await planner.complaint(settings)).toContain('policy.json in archives_dir was made from another policy');
  });
});
