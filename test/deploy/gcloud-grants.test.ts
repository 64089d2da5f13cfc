// Whom deploy/gcloud/deploy.sh lets do what, against a stand-in for gcloud: exactly what the Terraform module does.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkplace, flag, GROUP, OPERATOR, POLICY, startAcme, type Workplace, whole } from './gcloud-deploy.ts';
import { readPrivileges } from './terraform-module.ts';

const CI = ['ci-001', 'ci-002', 'ci-003'].map((name) => `${name}@acme-ci-pool.iam.gserviceaccount.com`);
const TOKEN = 'serviceAccount:keydesk-token@acme-keydesk.iam.gserviceaccount.com';

let workplace: Workplace;
beforeAll(async () => {
  workplace = await createWorkplace();
});
afterAll(() => workplace.stop());

/** What the script leaves to people: the groups' roles, and an archive of logs. */
const NOT_BY_GCLOUD = ['pool group', 'log sink'];

describe('what deploy.sh grants', () => {
  let changes: readonly (readonly string[])[];
  let granted: readonly { identity: string; what: string; on: string }[];

  beforeAll(async () => {
    ({ changes } = await workplace.deploy([...whole(workplace), '--yes']));
    granted = grantsIn(changes);
  });

  it('is what PRIVILEGES.md says, and no more', () => {
    const open = new Set(['shared account']);
    const table = readPrivileges().filter(({ identity }) => !NOT_BY_GCLOUD.includes(identity));
    const line = ({ identity, what }: { identity: string; what: string }) =>
      `${identity}: ${open.has(identity) ? '' : what}`;
    expect([...new Set(granted.map(line))].sort()).toEqual([...new Set(table.map(line))].sort());
  });

  it('is what the Terraform module grants, on exactly the same and under the same conditions', () => {
    const terraform = readFileSync('test/deploy/privileges.txt', 'utf8').trim().split('\n');
    expect(granted.map(({ identity, what, on }) => `${identity}: ${what}: ${on}`).sort()).toEqual(
      terraform.filter((line) => !NOT_BY_GCLOUD.some((identity) => line.startsWith(`${identity}: `))),
    );
  });

  it('is titled as the Terraform module titles it', () => {
    const titles = changes.flatMap((call) => /,title=(.*)$/.exec(flag(call, 'condition'))?.[1] ?? []);
    const written = readFileSync('deploy/terraform/privileges.tf', 'utf8');
    const theirs = [...written.matchAll(/^ +title += "(keydesk .*)"$/gm)].map(([, title = '']) =>
      title.replace(/\$\{[^}]*\}/, '(default)'),
    );
    expect([...new Set(titles)].sort()).toEqual(theirs.filter((title) => !title.includes('log archive')).sort());
  });

  it('says in so many words that there is no condition, for gcloud asks where a policy has any', () => {
    const binding = changes.filter((call) => call.includes('add-iam-policy-binding'));
    expect(binding.filter((call) => flag(call, 'condition') === '')).toEqual([]);
  });

  it('lets each environment’s pooled accounts join its group, and grants the group nothing', () => {
    const joining = changes.filter((call) => call.slice(0, 4).join(' ') === 'identity groups memberships add');
    expect(
      joining.map((call) => [flag(call, 'group-email'), flag(call, 'member-email'), flag(call, 'project')]),
    ).toEqual(CI.map((email) => [GROUP, email, 'acme-keydesk']));
    expect(changes.filter((call) => flag(call, 'member').startsWith('group:'))).toHaveLength(1);
  });

  it('forbids keys where accounts are that matter', () => {
    const forbidden = changes.filter((call) => call.includes('enable-enforce'));
    expect(forbidden.map((call) => `${flag(call, 'project')} ${call[3]}`)).toEqual([
      'acme-keydesk iam.disableServiceAccountKeyCreation',
      'acme-keydesk iam.disableServiceAccountKeyUpload',
      'acme-ci-pool iam.disableServiceAccountKeyCreation',
      'acme-ci-pool iam.disableServiceAccountKeyUpload',
    ]);
  });
});

describe('deploy.sh', () => {
  describe('and an account whose address does not tell its project', () => {
    const compute = '333333333333-compute@developer.gserviceaccount.com';
    const deploy = async (project?: string) => {
      const gcloud = await startAcme();
      if (project) gcloud.addAccount(compute, project);
      const policy = workplace.withPolicy(
        readFileSync(POLICY, 'utf8').replaceAll('export@acme-staging.iam.gserviceaccount.com', compute),
      );
      return workplace.deploy([...policy, '--dry-run'], { gcloud });
    };

    it('is minted for with Google’s own role, in the project that Google says', async () => {
      const { plan } = await deploy('acme-staging');
      expect(plan.filter((line) => line.includes(compute))).toEqual([
        `  gcloud iam service-accounts add-iam-policy-binding ${compute} --project=acme-staging --role=roles/iam.serviceAccountTokenCreator --member=${TOKEN} --condition=None --format=none`,
      ]);
    });

    it.each([
      ['acme-keydesk', "is in the desk's project"],
      ['acme-ci-pool', "is in a pool's project, acme-ci-pool"],
    ])('is refused in %s', async (project, message) => {
      const { status, stderr, plan } = await deploy(project);
      expect({ status, plan }).toEqual({ status: 1, plan: [] });
      expect(stderr).toContain(`${compute} ${message}`);
    });

    it('is left to a person when Google does not say, and everything else goes on', async () => {
      const { status, stdout, plan } = await deploy();
      expect(status).toBe(0);
      expect(
        plan.filter((line) => line.startsWith('  gcloud iam service-accounts add-iam-policy-binding')),
      ).not.toEqual([]);
      expect(
        stdout,
      ).toContain(`Warning: ${compute} could not be looked at. See that it is neither in the desk's project nor in a pool's, and let the desk mint for it:
  gcloud iam service-accounts add-iam-policy-binding ${compute} --project=ITS_PROJECT --role=roles/iam.serviceAccountTokenCreator --member=${TOKEN} --condition=None`);
    });
  });

  it('knows projects that belong to a domain', async () => {
    const gcloud = await startAcme();
    const email = 'export@proj-one.acme.example.iam.gserviceaccount.com';
    gcloud.enable('acme.example:proj-one', 'iam');
    gcloud.addAccount(email, 'acme.example:proj-one');
    const policy = workplace.withPolicy(
      readFileSync(POLICY, 'utf8').replaceAll('export@acme-staging.iam.gserviceaccount.com', email),
    );
    const { plan } = await workplace.deploy([...policy, '--dry-run'], { gcloud });
    expect(
      plan.filter((line) => line.includes('proj-one')).map((line) => line.replace(/ --(title|format).*$/, '')),
    ).toEqual([
      '  gcloud iam roles create keydesk_minter --project=acme.example:proj-one',
      `  gcloud iam service-accounts add-iam-policy-binding ${email} --project=acme.example:proj-one --role=projects/acme.example:proj-one/roles/keydesk_minter --member=${TOKEN} --condition=None`,
      expect.stringMatching(/audit-logs\.sh acme\.example:proj-one iam\.googleapis\.com$/),
    ]);
  });

  it('gives an account that signs and is shared both roles', async () => {
    const text = readFileSync(POLICY, 'utf8').replaceAll('export@acme-staging', 'keydesk-signer@acme-staging');
    const { plan } = await workplace.deploy([...workplace.withPolicy(text), '--dry-run']);
    const binding = plan.filter((line) => line.includes('add-iam-policy-binding keydesk-signer@acme-staging'));
    expect(binding.map((line) => /--role=(\S+)/.exec(line)?.[1])).toEqual([
      'projects/acme-staging/roles/keydesk_signer',
      'projects/acme-staging/roles/keydesk_minter',
    ]);
  });
});

/** As terraform-privileges.test.ts tells them. */
function grantsIn(changes: readonly (readonly string[])[]) {
  const roles = new Map(
    changes
      .filter((call) => call.slice(0, 3).join(' ') === 'iam roles create')
      .map((call) => [
        `projects/${flag(call, 'project')}/roles/${call[3]}`,
        flag(call, 'permissions').replaceAll(',', ' '),
      ]),
  );
  return changes
    .filter((call) => call.includes('add-iam-policy-binding'))
    .map((call) => {
      const name = call[call.indexOf('add-iam-policy-binding') + 1] ?? '';
      const expression = /^expression=(.*),title=/.exec(flag(call, 'condition'))?.[1];
      const places: Readonly<Record<string, string>> = {
        projects: `projects/${name}`,
        iam: `projects/${flag(call, 'project')}/serviceAccounts/${name}`,
        storage: name.replace('gs://', ''),
      };
      return {
        identity: toIdentity(flag(call, 'member')),
        what: roles.get(flag(call, 'role')) ?? flag(call, 'role'),
        on: `${places[call[0] ?? ''] ?? name}${expression === undefined ? '' : ` if ${expression}`}`,
      };
    });
}

function toIdentity(member: string): string {
  if (member === 'allUsers') return 'everyone';
  if (member === OPERATOR) return 'operator';
  const own = /^serviceAccount:keydesk-(\w+)@acme-keydesk\.iam\.gserviceaccount\.com$/.exec(member)?.[1];
  return own ?? (member.startsWith('serviceAccount:ci-cache@') ? 'shared account' : member);
}
