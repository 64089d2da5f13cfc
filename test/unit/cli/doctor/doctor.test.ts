// `keydesk doctor` against a fake Google in which everything is as it must be, and one thing at a time is not: exactly that is found.

import { readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FindingTexts } from '../../../../cli/checks/check.ts';
import { AUDIT_VIEWS } from '../../../../cli/doctor/audit-queries.ts';
import { DOCTOR_KINDS, FINDING_IDS, OWN_KINDS, PREFLIGHT_KINDS } from '../../../../cli/doctor/checks.ts';
import { countFindings, isHealthy, reportLines, toJson } from '../../../../cli/doctor/report.ts';
import { WEBHOOK_KINDS } from '../../../../cli/doctor/webhook.ts';
import { BROKEN, bind, type Change, withRule } from '../../../fixtures/broken-deployments.ts';
import { at } from '../../../fixtures/deployed-addresses.ts';
import { type DeployedWorld, inProcess } from '../../../fixtures/deployed-google.ts';
import { group, onDatabase } from '../../../fixtures/deployed-policies.ts';
import { SERVICES, withWebhook } from '../../../fixtures/deployed-webhook.ts';
import { DEPLOYMENT, deployedWorld, deploymentOf, SETTINGS } from '../../../fixtures/deployed-world.ts';
import { IN_PROCESS, runDoctorOver, transportTo, webhookAccessTo } from '../../../fixtures/doctor-run.ts';
import { BUCKET, DATA, KEYDESK, POOL, SHARED, signerOf } from '../../../fixtures/preflight-world.ts';

let google: { readonly world: DeployedWorld; readonly unexpected: string[] };
beforeEach(() => {
  google = { world: deployedWorld(), unexpected: [] };
});

function run(options: Parameters<typeof runDoctorOver>[1] = {}) {
  const offsets = new Map<string, number>();
  const transport = transportTo(inProcess(google.world, google.unexpected), offsets);
  return runDoctorOver(transport, { offsets, ...options });
}

const namesIn = ({ findings }: Awaited<ReturnType<typeof run>>) => [...new Set(findings.map(({ finding }) => finding))];

describe('the doctor', () => {
  it('finds nothing where everything is as the policy needs it, with requests that Google defines', async () => {
    const diagnosis = await run();
    expect(google.unexpected).toEqual([]);
    expect([...diagnosis.findings, ...diagnosis.notLooked]).toEqual([]);
    const looked = new Set(diagnosis.results.map(({ check }) => check));
    // No rule of this policy has a condition.
    const without = [...DOCTOR_KINDS].map(({ name }) => name).filter((name) => !looked.has(name));
    expect(without).toEqual(['API token for conditions']);
    expect(isHealthy(countFindings(diagnosis))).toBe(true);
  });

  it.each<[string, readonly string[], readonly string[]]>([
    ['read_teams', ['read_teams'], []],
    ['view_teams, the other name for it', ['view_teams'], []],
    ['read_builds', ['read_builds'], ['api_token_scope_missing', 'api_token_scope_not_needed']],
    ['write_builds too', ['read_teams', 'write_builds'], ['api_token_may_unblock']],
    ['write_teams too', ['read_teams', 'write_teams'], ['api_token_scope_not_needed']],
  ])('judges an API token for teams with %s', async (_, scopes, expected) => {
    Object.assign(google.world.resources, { [at.apiToken]: { scopes, expires_at: null } });
    const diagnosis = await run({ apiToken: null, teamsApiToken: 'buildkite-token' });
    expect(namesIn(diagnosis).sort()).toEqual(expected);
    expect(new Set(diagnosis.findings.map(({ resource }) => resource)).size).toBeLessThanOrEqual(1);
  });

  it('expects the secret of that token where rules name teams', async () => {
    const diagnosis = await run({ policy: withRule({ match: { team: { name: 'platform' } } }) });
    expect(namesIn(diagnosis)).toEqual(['secret_missing']);
    expect(diagnosis.findings[0]?.resource).toContain('KEYDESK_BUILDKITE_TEAMS_API_TOKEN');
  });

  it.each<[string, readonly [policy: object, version: string | null]]>([
    ['no rule is judged by what Buildkite has of a build', [{ match: { team: { name: 'platform' } } }, null]],
    ['the sweep has one', [{ approval: { step: 'approve', by: 'platform', within: '1h' } }, '1']],
  ])('misses no API token that can look at builds where %s', async (_, [more, buildkite_api_token_version]) => {
    const deployment = { ...DEPLOYMENT, buildkite_api_token_version };
    const diagnosis = await run({ policy: withRule(more), deployment });
    expect(namesIn(diagnosis)).not.toContain('api_token_missing');
  });

  it('says that approvals are lost too, where rules have them', async () => {
    Object.assign(google.world.resources, { [at.apiToken]: { scopes: [], expires_at: null } });
    const whyOf = async (policy: (text: string) => string) => {
      const { findings } = await run({ policy });
      return findings.find(({ finding }) => finding === 'api_token_scope_missing')?.risk;
    };
    expect(await whyOf((text) => text)).not.toContain('approval');
    expect(await whyOf(withRule({ approval: { step: 'a', by: 'platform', within: '1h' } }))).toContain('approval');
  });

  it('has a broken deployment for each finding that the preflight does not have', () => {
    // test/http/webhook-install.test.ts has one for each finding about the webhook.
    const own = OWN_KINDS.filter((kind) => !WEBHOOK_KINDS.includes(kind)).flatMap(({ findings }) =>
      Object.keys(findings),
    );
    expect(Object.keys(BROKEN).sort()).toEqual([...new Set(own)].sort());
    expect(new Set(DOCTOR_KINDS.map(({ name }) => name)).size).toBe(DOCTOR_KINDS.length);
  });

  it.each(Object.entries(BROKEN))(
    'finds %s and nothing else where that alone is broken',
    async (finding, { change, also = [], options }) => {
      change(google.world);
      const diagnosis = await run(options);
      expect(namesIn(diagnosis).sort()).toEqual([finding, ...also].sort());
      expect(diagnosis.notLooked).toEqual([]);
      expect(google.unexpected).toEqual([]);
      expect(isHealthy(countFindings(diagnosis))).toBe(false);
    },
  );

  it.each(['token', 'webhook', 'sweep', 'reader', 'admin'])('finds a setting of %s that is for tests', async (name) => {
    const service = google.world.resources[at.service(name)] as {
      spec: { template: { spec: { containers: { env: object[] }[] } } };
    };
    for (const setting of ['KEYDESK_GOOGLE_KEYS_URL', 'KEYDESK_ISSUER'])
      service.spec.template.spec.containers[0]?.env.push({ name: setting, value: 'https://keys.example' });
    const found = (await run()).findings.map(({ finding, resource }) => [finding, resource]);
    expect(found).toEqual([
      ['override_set', `keydesk-${name} KEYDESK_GOOGLE_KEYS_URL`],
      ['override_set', `keydesk-${name} KEYDESK_ISSUER`],
    ]);
  });

  it('has the findings of the preflight that still apply', async () => {
    google.world.buckets[BUCKET] = {};
    const diagnosis = await run();
    expect(namesIn(diagnosis)).toEqual(['bucket_with_object_acls']);
    expect(PREFLIGHT_KINDS.length).toBeGreaterThan(5);
  });

  it('looks for the views that the module makes', () => {
    const files = readdirSync(new URL('../../../../deploy/audit/views', import.meta.url));
    expect(AUDIT_VIEWS.map((name) => `${name}.sql`)).toEqual(files.sort());
  });

  it('has evidence, risk, a fix and an undo for each finding', () => {
    const texts = [...OWN_KINDS, ...PREFLIGHT_KINDS].flatMap(({ findings }): [string, FindingTexts][] =>
      Object.entries(findings),
    );
    expect(texts.filter(([, { what, why, fix, undo }]) => !(what && why && fix && undo)).map(([name]) => name)).toEqual(
      [],
    );
  });
});

const OTHER = 'serviceAccount:ci@acme-other.iam.gserviceaccount.com';

/** Bindings that are close to a finding and are none. */
const NEAR: Readonly<Record<string, Change>> = {
  'a person who may look at databases': bind(
    at.project(KEYDESK),
    'roles/datastore.indexAdmin',
    'group:more@acme.example',
  ),
  'somebody who may mint elsewhere': bind(at.project(KEYDESK), 'roles/browser', OTHER),
  'a member that is deleted': bind(
    at.project(POOL),
    'roles/iam.serviceAccountTokenCreator',
    'deleted:serviceAccount:gone@acme-pool.iam.gserviceaccount.com?uid=1',
  ),
  'a role that the owner gave a shared account': bind(
    at.project(DATA),
    'roles/datastore.user',
    `serviceAccount:${SHARED}`,
  ),
  'a service agent with its own role': bind(
    at.project(POOL),
    'roles/iam.serviceAgent',
    'serviceAccount:service-1004@gcp-sa-iam.iam.gserviceaccount.com',
  ),
};

describe('the doctor, about IAM', () => {
  it.each(Object.entries(NEAR))('finds nothing about %s', async (_, change) => {
    Object.assign(google.world.resources, Object.fromEntries(group('more@acme.example', 'dave@acme.example')));
    change(google.world);
    expect((await run()).findings).toEqual([]);
  });

  it.each([
    ['a project', at.project(DATA), `project ${DATA}`, ['others_may_mint', 'others_may_sign']],
    ['a folder', at.folder, 'folder 888', ['others_may_act_as_keydesk', 'others_may_mint', 'others_may_sign']],
  ])('names what a role on %s reaches below it', async (_, address, resource, findings) => {
    bind(address, 'roles/iam.serviceAccountTokenCreator', OTHER)(google.world);
    const diagnosis = await run();
    expect(namesIn(diagnosis).sort()).toEqual(findings);
    expect(new Set(diagnosis.findings.map((one) => one.resource))).toEqual(new Set([resource]));
    expect(diagnosis.findings).toHaveLength(findings.length);
  });

  it('does not evaluate a condition: who has a role under one is named with it', async () => {
    bind(
      at.account(DATA, signerOf(DATA)),
      'roles/iam.serviceAccountTokenCreator',
      OTHER,
      onDatabase(DATA, 'x'),
    )(google.world);
    const [finding] = (await run()).findings;
    expect(finding).toMatchObject({ finding: 'others_may_sign', member: OTHER });
    expect(finding?.evidence).toContain(onDatabase(DATA, 'x').expression);
    expect(finding?.undo).toContain('--condition=');
  });

  it('names the people in a group, and what it does not know of one', async () => {
    const who = 'group:somebody@acme.example';
    bind(at.account(DATA, signerOf(DATA)), 'roles/iam.serviceAccountTokenCreator', who)(google.world);
    expect(namesIn(await run()).sort()).toEqual(['group_not_readable', 'others_may_sign']);
    Object.assign(google.world.resources, Object.fromEntries(group('somebody@acme.example', 'eve@acme.example')));
    const diagnosis = await run();
    expect(namesIn(diagnosis)).toEqual(['others_may_sign']);
    expect(diagnosis.findings[0]?.evidence).toContain('eve@acme.example');
  });

  it('takes the settings of the deployment for what it needs', async () => {
    const deployment = deploymentOf({ ...SETTINGS, public_access: 'all_users', readers: {} });
    const findings = namesIn(await run({ deployment }));
    expect(findings.sort()).toEqual(['others_may_call', 'privilege_missing']);
  });

  it.each([
    ['reader', 'group:keydesk-readers@acme.example'],
    ['admin', 'group:keydesk-admins@acme.example'],
  ])('lets exactly those that the deployment names call %s', async (name, who) => {
    const address = at.servicePolicy(name);
    bind(address, 'roles/run.invoker', OTHER)(google.world);
    const resource = `service keydesk-${name}`;
    const pairs = ({ findings }: Awaited<ReturnType<typeof run>>) =>
      findings.map((one) => [one.finding, one.resource, one.member]);
    expect(pairs(await run())).toEqual([['others_may_call', resource, OTHER]]);
    google.world.resources[address] = { bindings: [] };
    expect(pairs(await run())).toEqual([['privilege_missing', resource, who]]);
  });

  it.each([
    ['reader', { readers: {} }],
    ['admin', { admins: {} }],
  ])('finds who may call %s although the deployment lets nobody call it', async (name, nobody) => {
    const deployment = deploymentOf({ ...SETTINGS, ...nobody });
    const address = at.servicePolicy(name);
    google.world.resources[address] = { bindings: [] };
    expect((await run({ deployment })).findings).toEqual([]);
    bind(address, 'roles/run.invoker', OTHER)(google.world);
    const [finding, ...more] = (await run({ deployment })).findings;
    expect([more, finding]).toMatchObject([
      [],
      { finding: 'others_may_call', resource: `service keydesk-${name}`, member: OTHER },
    ]);
    expect(finding?.fix).toContain(`gcloud run services remove-iam-policy-binding keydesk-${name}`);
  });

  it('does not know what a role is that it may not read, and says so', async () => {
    google.world.held = (permission) => permission !== 'iam.roles.get';
    const { notLooked } = await run();
    expect(new Set(notLooked.map(({ check }) => check))).toEqual(
      new Set(['own roles', 'IAM bindings', 'inherited IAM bindings']),
    );
  });
});

describe('the doctor, about the webhook', () => {
  const about = new Set(WEBHOOK_KINDS.map(({ name }) => name));
  const lookAtWebhook = () => {
    const webhook = webhookAccessTo(inProcess(google.world, google.unexpected));
    return run({ webhook });
  };
  beforeEach(() => withWebhook(google.world, IN_PROCESS));

  it('looks at the notification service at Buildkite when it has a token for that, and not without', async () => {
    const looked = (await lookAtWebhook()).results.filter(({ check }) => about.has(check));
    expect(looked.map(({ check, result }) => [check, result])).toEqual(WEBHOOK_KINDS.map(({ name }) => [name, 'ok']));
    expect(google.unexpected).toEqual([]);
    expect((await run()).results.filter(({ check }) => about.has(check))).toEqual([]);
  });

  it('has its findings with an undo, and no key in any of them', async () => {
    const { items } = google.world.resources[SERVICES] as { items: { settings: Record<string, unknown> }[] };
    Object.assign(items[0]?.settings ?? {}, { token_mode: 'token', events: [] });
    const diagnosis = await lookAtWebhook();
    expect(namesIn(diagnosis)).toEqual(['webhook_not_signed', 'webhook_events_missing']);
    for (const finding of diagnosis.findings)
      expect(finding).toMatchObject({ resource: 'keydesk-webhook', undo: expect.stringContaining('At Buildkite') });
    expect(JSON.stringify(diagnosis)).not.toMatch(/webhook-key|services-token/);
    expect(isHealthy(countFindings(diagnosis))).toBe(false);
  });

  it('is not healthy when Buildkite does not let it look', async () => {
    delete google.world.resources[SERVICES];
    const { notLooked } = await lookAtWebhook();
    expect(notLooked.map(({ check }) => check)).toEqual([...about]);
  });
});

describe('the doctor, when nobody asks for a check', () => {
  const flagsIn = (lines: readonly string[]) => lines.join('\n').match(/(?<=give )--\S+/g) ?? [];

  it('names what it did not look at, with the option, and stays healthy', async () => {
    const diagnosis = await run({ hasArchives: false, apiToken: null });
    const flags = ['--archives', '--token-file', '--services-token-file'];
    expect(flagsIn(reportLines(diagnosis))).toEqual(flags);
    const { not_looked_at } = toJson(diagnosis, { project: KEYDESK, policySha256: '', madeAt: 0 });
    expect(not_looked_at.map(({ flag }) => flag)).toEqual(flags);
    expect(isHealthy(countFindings(diagnosis))).toBe(true);
  });

  it('says whether the data is of APIs or of files, and how old these are', async () => {
    const diagnosis = await run();
    const about = { project: KEYDESK, policySha256: '', madeAt: 1000 };
    expect(toJson(diagnosis, about)).toMatchObject({ project: KEYDESK, source: { kind: 'google_apis' } });
    const files = { oldest: 1000, newest: 2000 };
    expect(toJson(diagnosis, { ...about, files }).source).toEqual({
      kind: 'files',
      oldest_at: '1970-01-01T00:00:01.000Z',
      newest_at: '1970-01-01T00:00:02.000Z',
    });
  });

  it('names nothing when it looked at everything', async () => {
    withWebhook(google.world, IN_PROCESS);
    const diagnosis = await run({ webhook: webhookAccessTo(inProcess(google.world, google.unexpected)) });
    expect(flagsIn(reportLines(diagnosis))).toEqual([]);
    expect(diagnosis.notLookedAt).toEqual([]);
  });
});

describe('the doctor, when it cannot look', () => {
  it('says so of everything at Google, as a caller without any permission', async () => {
    google.world.held = () => false;
    const diagnosis = await run();
    const elsewhere = new Set(['key endpoint', 'API token', 'clock']);
    const ofGoogle = diagnosis.results.filter(({ check }) => !elsewhere.has(check));
    expect(ofGoogle.filter(({ result }) => result !== 'could_not_look')).toEqual([]);
    expect(diagnosis.findings).toEqual([]);
    expect(isHealthy(countFindings(diagnosis))).toBe(false);
  });

  it.each([
    ['run.services.get', 'functions'],
    ['iam.serviceAccountKeys.list', 'keys of accounts'],
    ['firebaserules.rulesets.get', 'security rules'],
    ['resourcemanager.organizations.getIamPolicy', 'inherited IAM bindings'],
  ])('is not healthy without %s alone', async (permission, check) => {
    google.world.held = (other) => other !== permission;
    const diagnosis = await run();
    expect(diagnosis.notLooked.map((one) => one.check)).toContain(check);
    expect(diagnosis.notLooked.find((one) => one.check === check)?.fix).toContain(permission);
    expect(isHealthy(countFindings(diagnosis))).toBe(false);
  });
});

describe('the findings', () => {
  it('have IDs that no other finding has', () => {
    const ids = [...DOCTOR_KINDS, ...WEBHOOK_KINDS]
      .filter(({ name }) => name !== 'inherited IAM bindings')
      .flatMap(({ findings }) => Object.keys(findings));
    expect(ids.length).toBe(new Set(ids).size);
    expect(FINDING_IDS).toEqual(expect.arrayContaining(['clock_differs', 'webhook_branch_filter']));
  });
});
