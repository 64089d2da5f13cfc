// What people may do by the Terraform module, as terraform itself plans it: call the functions `reader` and `admin`, and nothing else.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { permissionsOf } from '../../fixtures/google-roles.ts';
import { TARGETS } from './archives.ts';
import { grants } from './terraform-module.ts';
import {
  boundBy,
  createPlanner,
  DEPLOYED,
  ownRoles,
  type Plan,
  type Planner,
  poolWith,
  TERRAFORM,
  UNHURRIED,
} from './terraform-plan.ts';

const OWN = new Set([...TARGETS, 'scheduler', 'build'].map((name) => `serviceAccount:keydesk-${name}@acme-keydesk`));
const LEDGER = 'projects/acme-keydesk/databases/keydesk';
/** With each of these, a caller gets a token or a signature of the account that it is granted on. */
const ACTING = [
  'iam.serviceAccounts.actAs',
  'iam.serviceAccounts.getAccessToken',
  'iam.serviceAccounts.getOpenIdToken',
  'iam.serviceAccounts.implicitDelegation',
  'iam.serviceAccounts.signBlob',
  'iam.serviceAccounts.signJwt',
];
const PEOPLE = {
  readers: '{ security = "group:keydesk-readers@acme.example", ada = "user:ada@acme.example" }',
  admins:
    '{ oncall = "group:keydesk-oncall@acme.example", drill = "serviceAccount:drill@acme-ops.iam.gserviceaccount.com" }',
};
/** Everything that the variables offer by which somebody else could come to hold something. */
const SETTINGS = {
  'people alone': PEOPLE,
  'public by allUsers': { ...PEOPLE, public_access: '"all_users"' },
  'a group for the pool, and roles of many kinds': {
    ...PEOPLE,
    pool_groups: '{ staging = { id = "groups/a1", email = "ci@acme.example" } }',
    ...poolWith(['acme-staging', 'roles/datastore.user'], ['acme-run', 'roles/run.admin']),
  },
  'an ingress from inside': {
    ...PEOPLE,
    reader_function: '{ ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY" }',
    admin_function: '{ ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY" }',
    sweep_function: '{ ingress = "INGRESS_TRAFFIC_ALL" }',
  },
} as const;

interface Granted {
  readonly who: string;
  readonly role: string;
  readonly permissions: readonly string[];
  readonly on: string;
}

const place = z.object({
  project: z.string().optional(),
  service_account_id: z.string().optional(),
  name: z.string().optional(),
  condition: z.array(z.object({ expression: z.string() })).default([]),
});

/** Every grant of a plan: Keydesk's own roles as the plan has them, Google's as google-roles.json has them. */
function granted({ resources }: Plan): Granted[] {
  const own = ownRoles(resources);
  return resources
    .filter(({ type }) => grants(type))
    .flatMap((resource) => {
      const { role, members } = boundBy(resource);
      const { project, service_account_id, name, condition } = place.parse(resource.values);
      const on = [
        service_account_id ?? name ?? `projects/${project}`,
        ...condition.map(({ expression }) => expression),
      ];
      return members.map((one) => ({
        who: one,
        role,
        permissions: own.get(role) ?? permissionsOf(role),
        on: on.join(' if '),
      }));
    });
}

const isOwn = (who: string) => OWN.has(who.replace('.iam.gserviceaccount.com', ''));

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('what people may do'), UNHURRIED, () => {
  let planner: Planner;
  const plans = new Map<string, Plan>();

  beforeAll(async () => {
    planner = await createPlanner({ known: true });
    for (const [name, settings] of Object.entries(SETTINGS))
      plans.set(name, await planner.plan({ ...DEPLOYED, ...settings }));
  }, UNHURRIED.timeout);
  afterAll(() => planner?.stop());

  const services = (plan: Plan) => plan.resources.filter(({ type }) => type === 'google_cloud_run_v2_service');
  const invokersOf = (plan: Plan, name: string) =>
    plan.resources
      .filter(({ type, values }) => /^google_cloud_run_v2_service_iam_/.test(type) && values.name === name)
      .map((resource) => ({ type: resource.type, ...boundBy(resource) }));

  it.each(Object.keys(SETTINGS))(
    'with %s: nobody but the functions holds a datastore permission on the ledger',
    (name) => {
      const onDatastore = granted(plans.get(name) as Plan).filter(({ permissions }) =>
        permissions.some((permission) => permission.startsWith('datastore.')),
      );
      const onLedger = onDatastore.filter(({ on }) => on.startsWith('projects/acme-keydesk'));
      expect(onLedger).toHaveLength(TARGETS.length);
      for (const { who, on } of onLedger) {
        expect(isOwn(who), who).toBe(true);
        expect(on).toBe(`projects/acme-keydesk if resource.name == "${LEDGER}"`);
      }
    },
  );

  it.each(Object.keys(SETTINGS))('with %s: nobody can act as a function, and no person as any account', (name) => {
    const acting = granted(plans.get(name) as Plan).filter(({ permissions }) =>
      permissions.some((permission) => ACTING.includes(permission)),
    );
    // The token function, for the accounts of the policy: this finds something.
    expect(new Set(acting.map(({ who }) => who))).toEqual(
      new Set(['serviceAccount:keydesk-token@acme-keydesk.iam.gserviceaccount.com']),
    );
    expect(acting.filter(({ on }) => /projects\/acme-keydesk(\/|$| )|@acme-keydesk\./.test(on))).toEqual([]);
  });

  it.each(Object.keys(SETTINGS))(
    'with %s: a person holds roles/run.invoker on one function, and nothing else',
    (name) => {
      const people = granted(plans.get(name) as Plan).filter(
        ({ who }) => /acme\.example|drill@/.test(who) && !/^group:ci@/.test(who),
      );
      expect(people).toHaveLength(4);
      for (const { role, on } of people)
        expect([role, on]).toEqual(['roles/run.invoker', expect.stringMatching(/^keydesk-(reader|admin)$/)]);
    },
  );

  it.each(Object.keys(SETTINGS))('with %s: Cloud Run checks who calls sweep, reader and admin', (name) => {
    const unchecked = services(plans.get(name) as Plan).filter(({ values }) => values.invoker_iam_disabled !== false);
    expect(services(plans.get(name) as Plan)).toHaveLength(TARGETS.length);
    for (const { values } of unchecked) expect(['keydesk-token', 'keydesk-webhook']).toContain(values.name);
  });

  it.each(Object.keys(SETTINGS))(
    'with %s: the invokers of reader and admin are the members of the variables',
    (name) => {
      const plan = plans.get(name) as Plan;
      const invokers = (name: string) => {
        const [only, ...more] = invokersOf(plan, name);
        expect([only?.type, only?.role, more]).toEqual([
          'google_cloud_run_v2_service_iam_binding',
          'roles/run.invoker',
          [],
        ]);
        return only?.members.toSorted();
      };
      expect(invokers('keydesk-reader')).toEqual(['group:keydesk-readers@acme.example', 'user:ada@acme.example']);
      expect(invokers('keydesk-admin')).toEqual([
        'group:keydesk-oncall@acme.example',
        'serviceAccount:drill@acme-ops.iam.gserviceaccount.com',
      ]);
    },
  );

  it('grants nobody to call them without members, and names the members in the output for reviewers', async () => {
    const nobody = await planner.plan({ ...DEPLOYED, readers: '{}', admins: '{}' });
    for (const service of ['keydesk-reader', 'keydesk-admin']) expect(invokersOf(nobody, service)).toEqual([]);
    const reported = z
      .record(z.string(), z.array(z.string()))
      .parse((plans.get('people alone') as Plan).outputs.privileges);
    expect(reported['user:ada@acme.example']).toEqual(['roles/run.invoker on service keydesk-reader']);
    expect(reported['group:keydesk-oncall@acme.example']).toEqual(['roles/run.invoker on service keydesk-admin']);
  });

  /** What terraform says against them as readers and as admins, with as little else to plan as it can have. */
  const complaintAbout = (member: string) => {
    const both = { readers: `{ all = "${member}" }`, admins: `{ all = "${member}" }` };
    const targets = ['reader', 'admin'].map(
      (name) => `-target=module.keydesk.google_cloud_run_v2_service_iam_binding.${name}`,
    );
    return planner.complaint({ ...DEPLOYED, ...both }, ...targets);
  };

  it.each([
    'allUsers',
    'allAuthenticatedUsers',
    'domain:acme.example',
    'principalSet://goog/public:all',
    'ada@acme.example',
  ])('refuses %s in readers and admins', async (member) => {
    const complaint = await complaintAbout(member);
    for (const variable of ['readers', 'admins'])
      expect(complaint).toContain(`${variable} must be IAM members such as group:`);
  });

  it.each(['ci-001@acme-ci-pool', 'keydesk-webhook@acme-keydesk', 'keydesk-scheduler@acme-keydesk'])(
    'refuses %s, which is no person, in readers and admins',
    async (account) => {
      const member = `serviceAccount:${account}.iam.gserviceaccount.com`;
      const complaint = await complaintAbout(member);
      for (const variable of ['readers', 'admins'])
        expect(complaint).toContain(`${variable} has ${member}: an account of a pool`);
    },
  );
});
