// `keydesk doctor --before-deploy` against a fake Google: each finding has a change of the world that triggers it and, but for that
// change, is not there. What could not be looked at is never a success.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGoogle } from '../../cli/checks/google.ts';
import { countResults, explanations } from '../../cli/checks/report.ts';
import { COULD_NOT_LOOK, planChecks, type Result, runChecks } from '../../cli/checks/run.ts';
import { MODULE_APIS, neededApis } from '../../cli/preflight/apis.ts';
import { CHECK_KINDS, FINDING_NAMES } from '../../cli/preflight/checks.ts';
import { neededPermissions } from '../../cli/preflight/needed-permissions.ts';
import { type Place, type Target, targetOf } from '../../cli/preflight/target.ts';
import { projectOfAccount } from '../../shared/core/policy/account-email.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { GOOGLE_HOSTS } from '../fixtures/google-methods.ts';
import { type FakeProject, type GoogleProjects, startGoogleProjects, type World } from '../fixtures/google-projects.ts';
import {
  APART,
  BUCKET,
  DATA,
  forSignIn,
  KEYDESK,
  keyOf,
  PLACE,
  POLICY,
  POOL,
  POOLED,
  policyOf,
  rightWorld,
  SHARED,
  signerOf,
  TARGET,
  TENANT,
  TOUCHED,
} from '../fixtures/preflight-world.ts';
import { TestClock } from '../fixtures/test-clock.ts';

let google: GoogleProjects;
beforeEach(async () => {
  google = await startGoogleProjects(rightWorld());
});
afterEach(() => google.close());

async function run({ target = TARGET, base = google.url, accepted = [] as string[] } = {}) {
  const send = createHttpClient(new TestClock(Date.parse('2026-11-24T10:00:00Z')));
  const asOperator: typeof send = (request) =>
    send({ ...request, headers: { ...request.headers, authorization: 'Bearer operator-token' } });
  const reported: Result[] = [];
  const results = await runChecks(
    planChecks(CHECK_KINDS, target),
    createGoogle(asOperator, { quotaProject: target.project, base }),
    { accepted, report: (result) => reported.push(result) },
  );
  expect(reported).toEqual(results);
  return results;
}

const namesIn = (results: readonly Result[]) => [
  ...new Set(results.flatMap(({ findings }) => findings.map(({ finding }) => finding))),
];

const projectOf = (world: World, id: string) => world.projects[id] as FakeProject;
const policies = (world: World, id: string, more: FakeProject['policies']) =>
  Object.assign(projectOf(world, id).policies, more);
const ENFORCED = [{ enforce: true }];
const OWN_DOMAIN = [{ values: { allowedValues: ['C0abc'] } }];
const key = (restrictions: object) => (world: World) => {
  projectOf(world, DATA).keys[keyOf(DATA)] = { restrictions: { ...forSignIn(), ...restrictions } };
};
const database = (settings: Record<string, string>) => (world: World) => {
  projectOf(world, DATA).databases['(default)'] = { type: 'FIRESTORE_NATIVE', ...settings };
};
const tenant =
  (settings: object, providers = {}) =>
  (world: World) => {
    projectOf(world, APART).tenants[TENANT] = { settings: { ...settings }, providers };
  };
const config = (settings: Record<string, unknown>) => (world: World) => {
  projectOf(world, DATA).config = { subtype: 'FIREBASE_AUTH', ...settings };
};
const providers = (subtype: string, lists: FakeProject['providers']) => (world: World) => {
  Object.assign(projectOf(world, DATA), { config: { subtype }, providers: lists });
};
const lacks = (permission: string) => (world: World) => {
  world.held = (other) => other !== permission;
};

/** Changes the world, and may return another target than the usual one. */
type Change = (world: World) => unknown;
const withPolicy = (edit: (text: string) => string, place: Partial<Place> = {}) => {
  const target = targetOf(policyOf(edit(POLICY)), { ...PLACE, ...place });
  return () => target;
};
const targetFrom = (returned: unknown): Target =>
  typeof returned === 'object' && returned !== null && 'dataProjects' in returned ? (returned as Target) : TARGET;

/** What triggers each finding, and what is close to it and does not. */
const CASES: Readonly<Record<string, { readonly triggers: readonly Change[]; readonly near?: readonly Change[] }>> = {
  project_not_active: {
    triggers: [(world) => (projectOf(world, POOL).state = 'DELETE_REQUESTED')],
  },
  project_number_differs: {
    triggers: [withPolicy((text) => text, { projectNumbers: { [POOL]: '1003' } })],
    near: [withPolicy((text) => text, { projectNumbers: { [POOL]: '1004' } })],
  },
  terraform_api_disabled: {
    triggers: [
      (world) => projectOf(world, POOL).apis.delete('cloudresourcemanager.googleapis.com'),
      withPolicy((text) => text, { touched: [TOUCHED] }),
      withPolicy((text) => text.replaceAll(SHARED, `shared@${TOUCHED}.iam.gserviceaccount.com`)),
    ],
  },
  api_disabled: {
    triggers: [
      (world) => projectOf(world, DATA).apis.delete('firebaserules.googleapis.com'),
      withPolicy((text) => text, { logArchive: true }),
      withPolicy((text) => text, { poolGroups: true }),
    ],
    near: [
      (world) => projectOf(world, DATA).apis.delete('run.googleapis.com'),
      (world) => {
        projectOf(world, DATA).apis.add('logging.googleapis.com');
        for (const project of [APART, POOL]) projectOf(world, project).apis.add('logging.googleapis.com');
        projectOf(world, KEYDESK).apis.add('bigquery.googleapis.com');
        return withPolicy((text) => text, { logArchive: true })();
      },
    ],
  },
  permission_missing: {
    triggers: [
      lacks('run.services.setIamPolicy'),
      lacks('firebaserules.releases.update'),
      lacks('iam.roles.create'),
      (world) => {
        lacks('logging.sinks.create')(world);
        return withPolicy((text) => text, { logArchive: true })();
      },
    ],
    near: [
      lacks('resourcemanager.projects.delete'),
      (world) => world.notTestable.push('run.services.setIamPolicy'),
      lacks('logging.sinks.create'),
    ],
  },
  permission_not_testable: {
    triggers: [(world) => world.notTestable.push('run.services.setIamPolicy')],
    near: [(world) => world.notTestable.push('run.services.delete')],
  },
  public_access_forbidden: {
    triggers: [
      (world) =>
        policies(world, KEYDESK, {
          'run.managed.requireInvokerIam': ENFORCED,
          'iam.allowedPolicyMemberDomains': OWN_DOMAIN,
        }),
      (world) =>
        policies(world, KEYDESK, {
          'run.managed.requireInvokerIam': ENFORCED,
          'iam.managed.allowedPolicyMembers': [
            {
              enforce: true,
              parameters: { allowedPrincipalSets: ['//cloudresourcemanager.googleapis.com/organizations/1'] },
            },
          ],
        }),
      (world) =>
        policies(world, KEYDESK, {
          'run.managed.requireInvokerIam': ENFORCED,
          'iam.allowedPolicyMemberDomains': [{ denyAll: true }],
        }),
    ],
    near: [
      (world) => policies(world, KEYDESK, { 'iam.allowedPolicyMemberDomains': OWN_DOMAIN }),
      (world) => policies(world, DATA, { 'run.managed.requireInvokerIam': ENFORCED }),
    ],
  },
  invoker_check_required: {
    triggers: [
      (world) => policies(world, KEYDESK, { 'run.managed.requireInvokerIam': ENFORCED }),
      (world) =>
        policies(world, KEYDESK, {
          'run.managed.requireInvokerIam': ENFORCED,
          'iam.managed.allowedPolicyMembers': [
            { enforce: true, parameters: { allowedPrincipalSets: ['principalSet://goog/public:all'] } },
          ],
        }),
    ],
    near: [(world) => policies(world, KEYDESK, { 'run.managed.requireInvokerIam': [{ enforce: false }] })],
  },
  ingress_restricted: {
    triggers: [
      (world) =>
        policies(world, KEYDESK, {
          'run.allowedIngress': [{ values: { allowedValues: ['internal', 'internal-and-cloud-load-balancing'] } }],
        }),
      (world) => policies(world, KEYDESK, { 'run.allowedIngress': [{ values: { deniedValues: ['all'] } }] }),
    ],
    near: [(world) => policies(world, KEYDESK, { 'run.allowedIngress': [{ values: { allowedValues: ['is:all'] } }] })],
  },
  accounts_forbidden: {
    triggers: [
      (world) => policies(world, KEYDESK, { 'iam.disableServiceAccountCreation': ENFORCED }),
      (world) => policies(world, POOL, { 'iam.managed.disableServiceAccountCreation': ENFORCED }),
    ],
    near: [(world) => policies(world, DATA, { 'iam.disableServiceAccountCreation': ENFORCED })],
  },
  keys_allowed: {
    triggers: [
      (world) => {
        policies(world, POOL, { 'iam.managed.disableServiceAccountKeyCreation': [] });
        lacks('orgpolicy.policy.set')(world);
      },
      (world) => {
        policies(world, POOL, { 'iam.disableServiceAccountKeyUpload': [] });
        lacks('orgpolicy.policy.set')(world);
      },
    ],
    near: [
      (world) => policies(world, POOL, { 'iam.managed.disableServiceAccountKeyCreation': [] }),
      lacks('orgpolicy.policy.set'),
      (world) => {
        policies(world, POOL, { 'iam.managed.disableServiceAccountKeyCreation': [] });
        world.notTestable.push('orgpolicy.policy.set');
      },
    ],
  },
  keys_not_known: {
    triggers: [
      (world) => {
        policies(world, POOL, { 'iam.managed.disableServiceAccountKeyCreation': [] });
        world.notTestable.push('orgpolicy.policy.set');
      },
    ],
    near: [
      (world) => world.notTestable.push('orgpolicy.policy.set'),
      (world) => {
        policies(world, POOL, { 'iam.managed.disableServiceAccountKeyCreation': [] });
        lacks('orgpolicy.policy.set')(world);
      },
    ],
  },
  location_forbidden: {
    triggers: [
      (world) =>
        policies(world, KEYDESK, {
          'gcp.resourceLocations': [{ values: { allowedValues: ['in:us-east1-locations', 'eur3'] } }],
        }),
      (world) => policies(world, KEYDESK, { 'gcp.resourceLocations': [{ values: { deniedValues: ['eur3'] } }] }),
    ],
    near: [
      (world) =>
        policies(world, KEYDESK, {
          'gcp.resourceLocations': [{ values: { allowedValues: ['in:europe-west1-locations', 'eur3'] } }],
        }),
    ],
  },
  locations_restricted: {
    triggers: [
      (world) =>
        policies(world, KEYDESK, { 'gcp.resourceLocations': [{ values: { allowedValues: ['in:eu-locations'] } }] }),
      (world) =>
        policies(world, KEYDESK, { 'gcp.resourceLocations': [{ values: { deniedValues: ['in:us-locations'] } }] }),
    ],
    near: [
      (world) =>
        policies(world, KEYDESK, {
          'gcp.resourceLocations': [{ values: { allowedValues: ['in:eu-locations', 'europe-west1', 'eur3'] } }],
        }),
    ],
  },
  location_unknown: {
    triggers: [
      (world) => Object.assign(world.locations, { 'run.googleapis.com': ['us-east1'] }),
      (world) => Object.assign(world.locations, { 'cloudscheduler.googleapis.com': [] }),
      (world) => Object.assign(world.locations, { 'firestore.googleapis.com': ['europe-west1'] }),
    ],
  },
  database_missing: { triggers: [(world) => (projectOf(world, DATA).databases = {})] },
  database_in_datastore_mode: {
    triggers: [database({ type: 'DATASTORE_MODE' })],
    near: [database({ type: 'FIRESTORE_NATIVE' })],
  },
  database_of_enterprise_edition: {
    triggers: [database({ databaseEdition: 'ENTERPRISE' })],
    near: [database({ databaseEdition: 'STANDARD' })],
  },
  authentication_missing: { triggers: [(world) => (projectOf(world, DATA).config = undefined)], near: [config({})] },
  blocking_functions: {
    triggers: [config({ blockingFunctions: { triggers: { beforeSignIn: { functionUri: 'https://f.example' } } } })],
    near: [config({ blockingFunctions: { triggers: {} } })],
  },
  sign_up_disabled: {
    triggers: [config({ client: { permissions: { disabledUserSignup: true } } })],
    near: [
      config({ client: { permissions: { disabledUserDeletion: true } } }),
      (world) => (projectOf(world, APART).config = { client: { permissions: { disabledUserSignup: true } } }),
    ],
  },
  project_sign_in: {
    triggers: [
      config({ signIn: { email: { enabled: true } } }),
      config({ signIn: { phoneNumber: { enabled: true } } }),
      config({ signIn: { anonymous: { enabled: true } } }),
      providers('FIREBASE_AUTH', { defaultSupportedIdpConfigs: [{ name: 'projects/p/x/google.com', enabled: true }] }),
      providers('IDENTITY_PLATFORM', { oauthIdpConfigs: [{ name: 'projects/p/x/oidc.acme', enabled: true }] }),
      providers('IDENTITY_PLATFORM', { inboundSamlConfigs: [{ name: 'projects/p/x/saml.acme', enabled: true }] }),
    ],
    near: [
      config({ signIn: { email: { enabled: false } } }),
      providers('IDENTITY_PLATFORM', { oauthIdpConfigs: [{ name: 'projects/p/x/oidc.acme', enabled: false }] }),
      (world) =>
        (projectOf(world, APART).providers = {
          defaultSupportedIdpConfigs: [{ name: 'projects/p/x/google.com', enabled: true }],
        }),
    ],
  },
  tenant_missing: { triggers: [(world) => (projectOf(world, APART).tenants = {})] },
  tenant_disabled: { triggers: [tenant({ disableAuth: true })], near: [tenant({ disableAuth: false })] },
  tenant_sign_in: {
    triggers: [
      tenant({ allowPasswordSignup: true }),
      tenant({ enableEmailLinkSignin: true }),
      tenant({ enableAnonymousUser: true }),
      tenant({}, { defaultSupportedIdpConfigs: [{ name: 'projects/p/tenants/t/x/google.com', enabled: true }] }),
      tenant({}, { oauthIdpConfigs: [{ name: 'projects/p/tenants/t/x/oidc.acme', enabled: true }] }),
      tenant({}, { inboundSamlConfigs: [{ name: 'projects/p/tenants/t/x/saml.acme', enabled: true }] }),
    ],
    near: [tenant({}, { oauthIdpConfigs: [{ name: 'projects/p/tenants/t/x/oidc.acme', enabled: false }] })],
  },
  app_check_on_firestore: {
    triggers: [(world) => (projectOf(world, DATA).appCheck['firestore.googleapis.com'] = 'ENFORCED')],
    near: [(world) => (projectOf(world, DATA).appCheck['firestore.googleapis.com'] = 'UNENFORCED')],
  },
  app_check_on_sign_in: {
    triggers: [(world) => (projectOf(world, APART).appCheck['identitytoolkit.googleapis.com'] = 'ENFORCED')],
    near: [(world) => (projectOf(world, POOL).appCheck['identitytoolkit.googleapis.com'] = 'ENFORCED')],
  },
  api_key_placeholder: {
    triggers: [withPolicy((text) => text.replace(keyOf(DATA), 'later'))],
    near: [
      (world) => (projectOf(world, DATA).keys[keyOf(DATA)] = {}),
      withPolicy((text) => text.replace(keyOf(DATA), 'to-be-created')),
    ],
  },
  api_key_of_another_project: {
    triggers: [
      (world) => {
        projectOf(world, KEYDESK).keys[keyOf(DATA)] = {};
        delete projectOf(world, DATA).keys[keyOf(DATA)];
      },
    ],
  },
  api_key_deleted: {
    triggers: [
      (world) => Object.assign(projectOf(world, DATA).keys, { [keyOf(DATA)]: { deleteTime: '2026-11-01T00:00:00Z' } }),
      (world) => Object.assign(projectOf(world, DATA).keys, { [keyOf(DATA)]: { purged: true } }),
    ],
  },
  api_key_application_restricted: {
    triggers: [
      key({ browserKeyRestrictions: { allowedReferrers: ['acme.example'] } }),
      key({ serverKeyRestrictions: { allowedIps: ['192.0.2.1'] } }),
      key({ androidKeyRestrictions: {} }),
      key({ iosKeyRestrictions: {} }),
    ],
  },
  api_key_not_for_sign_in: {
    triggers: [
      key({ apiTargets: [{ service: 'firestore.googleapis.com' }] }),
      key({ apiTargets: [{ service: 'identitytoolkit.googleapis.com', methods: ['google.cloud.other.*'] }] }),
    ],
    near: [
      key({ apiTargets: [{ service: 'maps.googleapis.com' }, { service: 'identitytoolkit.googleapis.com' }] }),
      key({
        apiTargets: [{ service: 'identitytoolkit.googleapis.com', methods: ['google.cloud.identitytoolkit.v1.*'] }],
      }),
    ],
  },
  api_key_unrestricted: { triggers: [key({ apiTargets: [] }), key({ apiTargets: undefined })] },
  account_missing: {
    triggers: [
      (world) => delete projectOf(world, DATA).accounts[SHARED],
      (world) => delete projectOf(world, APART).accounts[signerOf(APART)],
    ],
    near: [
      (world) => {
        delete projectOf(world, DATA).accounts[SHARED];
        return targetOf(policyOf(POLICY), { ...PLACE, createPolicyAccounts: true });
      },
    ],
  },
  account_disabled: {
    triggers: [
      (world) => Object.assign(projectOf(world, DATA).accounts, { [SHARED]: { projectId: DATA, disabled: true } }),
    ],
    near: [
      (world) =>
        Object.assign(projectOf(world, POOL).accounts, { [`${POOLED[0]}`]: { projectId: POOL, disabled: true } }),
    ],
  },
  signer_of_another_project: {
    triggers: [(world) => Object.assign(projectOf(world, DATA).accounts, { [signerOf(DATA)]: { projectId: APART } })],
    near: [(world) => Object.assign(projectOf(world, DATA).accounts, { [SHARED]: { projectId: APART } })],
  },
  account_role_missing: { triggers: [lacks('iam.serviceAccounts.setIamPolicy')] },
  account_quota: {
    triggers: [
      (world) => {
        for (let nth = 0; nth < 98; nth += 1)
          projectOf(world, POOL).accounts[`other-${nth}@${POOL}.iam.gserviceaccount.com`] = { projectId: POOL };
      },
    ],
    near: [
      (world) => {
        for (let nth = 0; nth < 97; nth += 1)
          projectOf(world, POOL).accounts[`other-${nth}@${POOL}.iam.gserviceaccount.com`] = { projectId: POOL };
      },
    ],
  },
  bucket_missing: { triggers: [(world) => delete world.buckets[BUCKET]] },
  bucket_with_object_acls: {
    triggers: [
      (world) => (world.buckets[BUCKET] = {}),
      (world) => (world.buckets[BUCKET] = { iamConfiguration: { uniformBucketLevelAccess: { enabled: false } } }),
    ],
  },
  bucket_role_missing: { triggers: [lacks('storage.buckets.setIamPolicy')] },
};

describe('the preflight', () => {
  it('finds nothing where everything is as the policy needs it, with requests that Google defines', async () => {
    const results = await run();
    expect(results.filter(({ result }) => result !== 'ok')).toEqual([]);
    expect(google.unexpected).toEqual([]);
    expect(new Set(results.map(({ check }) => check))).toEqual(new Set(CHECK_KINDS.map(({ name }) => name)));
    expect(countResults(results)).toEqual({
      checks: results.length,
      ok: results.length,
      errors: 0,
      warnings: 0,
      accepted: 0,
      could_not_look: 0,
    });
  });

  it('has a case for each finding', () => {
    // test/http/preflight-tokens.test.ts has one for each finding about API tokens.
    const atGoogle = CHECK_KINDS.flatMap(({ findings }) => Object.keys(findings));
    expect(Object.keys(CASES).sort()).toEqual(atGoogle.sort());
    expect(new Set(FINDING_NAMES).size).toBe(FINDING_NAMES.length);
  });

  it.each(
    Object.entries(CASES).flatMap(([finding, { triggers }]) =>
      triggers.map((change, at) => [finding, at + 1, change] as const),
    ),
  )('finds %s (%i)', async (finding, _, change) => {
    const results = await run({ target: targetFrom(change(google.world)) });
    expect(namesIn(results)).toContain(finding);
    expect(google.unexpected).toEqual([]);
  });

  it.each(
    Object.entries(CASES).flatMap(([finding, { near = [] }]) =>
      near.map((change, at) => [finding, at + 1, change] as const),
    ),
  )('does not find %s where there is no reason (%i)', async (finding, _, change) => {
    const results = await run({ target: targetFrom(change(google.world)) });
    expect(namesIn(results)).not.toContain(finding);
    expect(google.unexpected).toEqual([]);
  });

  it('has commands that also grant a role where the present policy has conditions', () => {
    const fixes = CHECK_KINDS.flatMap(({ findings }) => Object.values(findings).map(({ fix }) => fix));
    const grants = fixes.filter((fix) => fix.includes('add-iam-policy-binding'));
    expect(grants.length).toBeGreaterThan(2);
    expect(grants.filter((fix) => !fix.includes(' --condition=None'))).toEqual([]);
  });

  it('names each constraint on keys that the module sets and that is not enforced', async () => {
    policies(google.world, POOL, {
      'iam.managed.disableServiceAccountKeyCreation': [],
      'iam.disableServiceAccountKeyUpload': [],
    });
    lacks('orgpolicy.policy.set')(google.world);
    const found = (await run()).find(({ check, subject }) => check === 'account keys' && subject === POOL);
    const fix = found?.findings[0]?.fix;
    const inModule = readFileSync('deploy/terraform/identities.tf', 'utf8').match(/iam\.disableServiceAccountKey\w+/g);
    expect(inModule).toHaveLength(2);
    for (const constraint of inModule ?? []) expect(fix).toContain(constraint);
  });

  it('does not count what is accepted, and explains the other findings', async () => {
    CASES.bucket_with_object_acls?.triggers[0]?.(google.world);
    CASES.api_key_unrestricted?.triggers[0]?.(google.world);
    const results = await run({ accepted: ['api_key_unrestricted'] });
    expect(countResults(results)).toMatchObject({ errors: 0, warnings: 1, accepted: 1, could_not_look: 0 });
    const text = explanations(results).join('\n');
    expect(text).toContain('bucket_with_object_acls');
    expect(text).not.toContain('api_key_unrestricted');
  });

  it('does not send what has not the form of an API key to Google, and exits well when that is accepted', async () => {
    const target = targetFrom(withPolicy((text) => text.replaceAll(/apiKey: \S+?,/g, 'apiKey: later,'))());
    const results = await run({ target, accepted: ['api_key_placeholder'] });
    expect(countResults(results)).toMatchObject({ errors: 0, warnings: 0, accepted: 2, could_not_look: 0 });
    expect(results.filter(({ check, result }) => check === 'api key' && result === 'ok')).toEqual([]);
    expect(google.calls.filter((call) => call.includes('apikeys.googleapis.com'))).toEqual([]);
  });

  it('as a caller without any permission looks at nothing, and says so on each line', async () => {
    google.world.held = () => false;
    const results = await run();
    expect(results.filter(({ result }) => result !== COULD_NOT_LOOK)).toEqual([]);
    expect(countResults(results).could_not_look).toBe(results.length);
    expect(explanations(results).filter((line) => line.includes(COULD_NOT_LOOK))).toHaveLength(1);
  });

  it('as a caller who may only use the quota knows what it lacks, and finds nothing right', async () => {
    google.world.held = (permission) => permission === 'serviceusage.services.use';
    const results = await run();
    expect(results.filter(({ result }) => result === 'ok')).toEqual([]);
    expect(namesIn(results).sort()).toEqual(
      ['account_role_missing', 'bucket_role_missing', 'permission_missing', COULD_NOT_LOOK].sort(),
    );
  });

  it('names the one permission that Google does not test, and looks at the others', async () => {
    google.world.notTestable.push('run.services.update');
    lacks('iam.roles.create')(google.world);
    const found = (await run()).find(({ check, subject }) => check === 'permissions' && subject === KEYDESK);
    expect(found?.findings.map(({ finding, what }) => [finding, what.split(': ')[1]?.split('. ')[0]])).toEqual([
      ['permission_missing', 'iam.roles.create.'],
      ['permission_not_testable', 'run.services.update'],
    ]);
    const requests = google.calls.filter((call) => call.includes(`projects/${KEYDESK}:testIamPermissions`));
    expect(requests.length).toBeLessThan(20);
  });

  it('could not look at permissions where Google tests none', async () => {
    google.world.notTestable.push(...neededPermissions(TARGET, POOL).keys());
    const found = (await run()).find(({ check, subject }) => check === 'permissions' && subject === POOL);
    expect(found?.result).toBe(COULD_NOT_LOOK);
  });

  it('names the permission and a role where Google refuses', async () => {
    lacks('orgpolicy.policy.get')(google.world);
    const found = (await run()).find(({ check }) => check === 'ingress');
    expect(found).toMatchObject({
      result: COULD_NOT_LOOK,
      findings: [{ severity: 'error', fix: expect.stringMatching(/orgpolicy\.policy\.get.*roles\/viewer/) }],
    });
  });

  it('names the command where the API it looks by is not enabled', async () => {
    projectOf(google.world, KEYDESK).apis.delete('orgpolicy.googleapis.com');
    const found = (await run()).find(({ check }) => check === 'ingress');
    expect(found).toMatchObject({
      result: COULD_NOT_LOOK,
      findings: [{ fix: `gcloud services enable orgpolicy.googleapis.com --project=${KEYDESK}` }],
    });
  });

  it('with a token that is not accepted says how to log in', async () => {
    google.world.token = 'another';
    const results = await run();
    expect(results.every(({ result }) => result === COULD_NOT_LOOK)).toBe(true);
    expect(new Set(results.map(({ findings }) => findings[0]?.fix))).toHaveLength(1);
  });

  it('without a network looks at nothing', async () => {
    const { url } = google;
    await google.close();
    google = await startGoogleProjects(rightWorld());
    const results = await run({ base: url });
    expect(results.every(({ result }) => result === COULD_NOT_LOOK)).toBe(true);
  });

  it('does not run checks of what the policy does not have', async () => {
    const text = POLICY.replace(/ {2}config: \{[\s\S]*?(?= {2}admin:)/, '').replace('databases:\n', 'credentials:\n');
    const target = targetOf(policyOf(text.replace('[config, apart, admin, cache]', '[admin, cache]')), PLACE);
    const results = await run({ target });
    expect(new Set(results.map(({ check }) => check))).not.toContain('database');
    expect(target.projects).toEqual([KEYDESK, POOL, projectOfAccount(SHARED)]);
  });

  it('reads by APIs that its page says to enable', () => {
    const page = readFileSync(new URL('../../docs/PREFLIGHT.md', import.meta.url), 'utf8');
    const command = /gcloud services enable ([\s\S]*?) --project=PROJECT/.exec(page)?.[1] ?? '';
    expect(command.split(/[\s\\]+/).sort()).toEqual([...GOOGLE_HOSTS].sort());
  });

  it('knows the options of the module by which an API is enabled', () => {
    const without = neededApis(TARGET, KEYDESK);
    expect(neededApis({ ...TARGET, logArchive: true }, KEYDESK)).toEqual(
      [...without, 'bigquery.googleapis.com'].sort(),
    );
    expect(neededApis({ ...TARGET, poolGroups: true }, POOL)).toContain('cloudidentity.googleapis.com');
    expect(neededApis({ ...TARGET, logArchive: true, touched: [TOUCHED] }, TOUCHED)).toContain(
      'logging.googleapis.com',
    );
  });

  it('knows every API that the Terraform module enables', () => {
    const module = readFileSync(new URL('../../deploy/terraform/apis.tf', import.meta.url), 'utf8');
    const lists = module.slice(module.indexOf('locals {'), module.indexOf('  apis = {'));
    const named = [...lists.matchAll(/"([a-z]+)"/g)].map(([, api = '']) => api);
    expect(named).toContain('run');
    const known: readonly string[] = [...Object.values(MODULE_APIS).flat(), 'cloudidentity'];
    expect(named.filter((api) => !known.includes(api))).toEqual([]);
  });
});
