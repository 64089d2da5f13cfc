// Who may do what by the Terraform module, as terraform itself plans it from the example policy: what privileges.json says, on
// exactly what privileges.txt says, and under its conditions.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseDeployment } from '../../../cli/doctor/deployment.ts';
import { neededBindings } from '../../../cli/doctor/iam/needed.ts';
import { doctorTargetOf } from '../../../cli/doctor/target.ts';
import { allPrivileges, PRIVILEGES } from '../../../deploy/privileges.ts';
import { policyOf } from '../../fixtures/preflight-world.ts';
import { TestClock } from '../../fixtures/test-clock.ts';
import { grants, MODULE } from './terraform-module.ts';
import {
  boundBy,
  createPlanner,
  DEPLOYED,
  ownRoles,
  type Plan,
  type PlannedResource,
  TERRAFORM,
  toAddress,
  UNHURRIED,
} from './terraform-plan.ts';

const POOL = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const SIGNERS = ['staging', 'production'].map((name) => `keydesk-signer@acme-${name}.iam.gserviceaccount.com`);
const SHARED = ['ci-cache', 'export'].map((name) => `${name}@acme-staging.iam.gserviceaccount.com`);

describe.skipIf(TERRAFORM.missing)(TERRAFORM.title('what the plan grants'), UNHURRIED, () => {
  let plan: Plan;

  beforeAll(async () => {
    const planner = await createPlanner({ known: true });
    try {
      // With every grant that there can be.
      plan = await planner.plan({ ...DEPLOYED, public_access: '"all_users"' });
    } finally {
      planner.stop();
    }
  }, UNHURRIED.timeout);

  it('grants exactly what privileges.json says', () => {
    const open = new Set(['shared account', 'pool']);
    const rows = allPrivileges().map(
      ({ identity, permissions, role, address }) =>
        `${identity}: ${open.has(identity) ? '' : sorted(permissions?.join(' ') ?? role)} (${address})`,
    );
    const granted = granting(plan.resources).map(
      ({ identity, what, address }) => `${identity}: ${open.has(identity) ? '' : what} (${address})`,
    );
    expect([...new Set(granted)].sort()).toEqual(rows.sort());
  });

  it('has in privileges.json every grant that the module declares, planned here or not, and all in one file', () => {
    const declared = plan.declared.resources.filter(({ type }) => grants(type)).map(({ address }) => address);
    expect(Object.keys(PRIVILEGES.grants).sort()).toEqual(declared.sort());
    const text = readFileSync(`${MODULE}/privileges.tf`, 'utf8');
    for (const address of declared) expect(text).toContain(`resource "${address.replace('.', '" "')}" {`);
  });

  it('grants it on exactly these, under exactly these conditions', () => {
    const granted = granting(plan.resources).map(({ identity, what, on }) => `${identity}: ${what}: ${on}`);
    const expected = readFileSync('test/system/deploy/privileges.txt', 'utf8')
      .trim()
      .replace(/(?<=^[^:]+: )[^:]+/gm, sorted)
      .split('\n');
    expect([...new Set(granted)].sort()).toEqual(expected.sort());
  });

  it('lists every grant for a reviewer in one output', () => {
    const reported = z.record(z.string(), z.array(z.string())).parse(plan.outputs.privileges);
    const granted = plan.resources
      .filter(({ type }) => grants(type))
      .flatMap((resource) => {
        const { role, members } = boundBy(resource);
        // Who writes for a sink is not known before it is there.
        const [, source] = /^google_project_iam_member\.log_archive\["(.*)"\]$/.exec(resource.address) ?? [];
        return (source ? [`log sink of ${source}`] : members).map((who) => `${who}: ${role}`);
      });
    const lines = Object.entries(reported).flatMap(([who, all]) =>
      all.map((line) => `${who}: ${line.split(' on ')[0]}`),
    );
    expect(lines.sort()).toEqual(granted.sort());
    expect(reported['serviceAccount:keydesk-sweep@acme-keydesk.iam.gserviceaccount.com']).toContain(
      'projects/acme-ci-pool/roles/keydesk_account_enabler on account ci-001@acme-ci-pool.iam.gserviceaccount.com',
    );
    expect(
      reported['principalSet://cloudresourcemanager.googleapis.com/projects/210987654321/type/ServiceAccount'],
    ).toEqual([
      'roles/datastore.user on project acme-staging where resource.name == "projects/acme-staging/databases/(default)"',
    ]);
  });

  it('is what keydesk doctor needs of the deployment that the outputs describe', () => {
    const parsed = parseDeployment(plan.outputs.deployment);
    if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
    const { deployment } = parsed;
    const policy = policyOf(readFileSync('examples/policy.yaml', 'utf8'));
    const target = doctorTargetOf({ policy, sha256: '' }, deployment, {
      archives: undefined,
      apiToken: undefined,
      teamsApiToken: undefined,
      clock: new TestClock(0),
      numbers: deployment.project_numbers,
    });
    const needed = neededBindings(target).map(
      ({ member, role, resource, condition }) =>
        `${member}: ${role} on ${resource}${condition === undefined ? '' : ` where ${condition}`}`,
    );
    const reported = z.record(z.string(), z.array(z.string())).parse(plan.outputs.privileges);
    const planned = Object.entries(reported).flatMap(([who, lines]) => lines.map((line) => `${who}: ${line}`));
    // Who writes for a sink is not known before it is there: the doctor asks the sink.
    expect(needed.sort()).toEqual(planned.filter((line) => !line.startsWith('log sink of ')).sort());
  });

  it('lets the identity that mints neither enable nor bring back an account', () => {
    const held = granting(plan.resources).filter(({ identity }) => identity === 'token');
    expect(held.length).toBeGreaterThan(0);
    for (const { what } of held)
      expect(what).not.toMatch(/serviceAccounts\.(enable|update|undelete|create)|admin|owner|editor|setIamPolicy/i);
    expect(new Set(held.map(({ what }) => what))).toEqual(
      new Set([
        'datastore.entities.create datastore.entities.get datastore.entities.list datastore.entities.update',
        'datastore.entities.create datastore.entities.get datastore.entities.update',
        'iam.serviceAccounts.signJwt',
        'iam.serviceAccounts.getAccessToken',
        'iam.serviceAccounts.disable iam.serviceAccounts.get',
      ]),
    );
  });

  it('gives nobody a permission over users of Firebase, whom a stolen token could be turned into', () => {
    const granted = granting(plan.resources);
    expect(granted.map(({ what }) => what)).toContain('iam.serviceAccounts.signJwt');
    for (const { what, identity } of granted.filter(({ identity }) => identity !== 'pool'))
      expect(`${identity}: ${what}`).not.toMatch(
        /firebase|identityplatform|identitytoolkit|gcip|roles\/(owner|editor)/i,
      );
  });

  it('lets nobody but the token function mint', () => {
    const minting = granting(plan.resources).filter(({ what }) =>
      /TokenCreator|getAccessToken|signJwt|signBlob|implicitDelegation|serviceAccountUser|actAs|Admin/i.test(what),
    );
    expect(new Set(minting.map(({ identity }) => identity))).toEqual(new Set(['token']));
  });

  it('lets nobody but the sweep enable an account', () => {
    const enabling = granting(plan.resources).filter(({ what }) => /enable\b/.test(what));
    expect(new Set(enabling.map(({ identity }) => identity))).toEqual(new Set(['sweep']));
    expect(enabling).toHaveLength(POOL.length);
  });

  it('grants every function Firestore in single databases only, and nobody to delete', () => {
    const roles = plan.resources.filter(({ values }) =>
      /_(ledger|ledger_reader|grant_document_writer|grant_document_closer)$/.test(String(values.role)),
    );
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
    // The five functions hold the ledger; all of them but the reader hold the data databases.
    const expected = [
      ...Array.from({ length: 5 }, () => 'projects/acme-keydesk/databases/keydesk'),
      ...Array.from({ length: 4 }, () => 'projects/acme-production/databases/(default)'),
      ...Array.from({ length: 4 }, () => 'projects/acme-staging/databases/(default)'),
    ];
    expect(databases.sort()).toEqual(expected.sort());
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
});

/** Permissions in the order of the alphabet: those of a role have none. */
function sorted(what: string): string {
  return what.split(' ').sort().join(' ');
}

/** Who is granted what, with custom roles written out as their permissions. */
function granting(resources: readonly PlannedResource[]) {
  const custom = ownRoles(resources);
  return resources
    .filter(({ type }) => grants(type))
    .flatMap((resource) => {
      const { role, members } = boundBy(resource);
      return members.map((who) => ({
        identity: toIdentity(who),
        what: sorted(custom.get(role)?.join(' ') ?? role),
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
  if (member === 'group:keydesk-readers@acme.example') return 'reading person';
  if (member === 'group:keydesk-oncall@acme.example') return 'admin person';
  if (member === 'google_logging_project_sink.writer_identity') return 'log sink';
  return /^(group|principalSet):/.test(member) ? 'pool' : 'shared account';
}
