// The steps of deploy/terraform/README.md up to the plan, with its own commands, in a copy of the example, against a fake Google.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { neededApis } from '../../../cli/preflight/apis.ts';
import { targetOf } from '../../../cli/preflight/target.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { type FakeProject, type GoogleProjects, startGoogleProjects } from '../../fixtures/google-projects.ts';
import { PLACE, policyOf, rightWorld } from '../../fixtures/preflight-world.ts';
import { runCli } from '../cli/run-cli.ts';
import { createPlanner, TERRAFORM, UNHURRIED } from './terraform-plan.ts';

const README = readFileSync(join(ROOT, 'deploy/terraform/README.md'), 'utf8');
const STEPS = README.split('\n### 4. ')[1]?.split('\n### 5. ')[0] ?? '';
/** The commands of step 4, in their order, with continued lines joined. */
const COMMANDS = [...STEPS.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)]
  .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
  .map((line) => line.trim())
  .filter(Boolean);
const TFVARS = readFileSync(join(ROOT, 'deploy/terraform/example/terraform.tfvars.example'), 'utf8');
/** The example, before there is a key. */
const POLICY = readFileSync(join(ROOT, 'examples/policy.yaml'), 'utf8').replace(
  /apiKey: \S+/g,
  'apiKey: to-be-created',
);
const NUMBERS = {
  'acme-keydesk': '123456789012',
  'acme-ci-pool': '210987654321',
  'acme-staging': '3',
  'acme-production': '4',
};
const ENFORCED = [{ enforce: true }];

async function startGoogle(): Promise<GoogleProjects> {
  const world = rightWorld();
  const place = { ...PLACE, touched: ['acme-staging'], createPolicyAccounts: true };
  const target = targetOf(policyOf(POLICY), place);
  const projects = Object.entries(NUMBERS).map(([id, number]): [string, FakeProject] => [
    id,
    {
      number,
      state: 'ACTIVE',
      apis: new Set(neededApis(target, id)),
      // As grant-roles.sh --forbid-keys leaves them.
      policies: {
        'iam.disableServiceAccountKeyCreation': ENFORCED,
        'iam.disableServiceAccountKeyUpload': ENFORCED,
        'run.allowedIngress': [{ allowAll: true }],
      },
      appCheck: {},
      config: { signIn: {}, subtype: 'FIREBASE_AUTH' },
      providers: {},
      tenants: {},
      databases: { '(default)': { type: 'FIRESTORE_NATIVE', databaseEdition: 'STANDARD', locationId: 'eur3' } },
      keys: {},
      accounts: {},
    },
  ]);
  const buckets = { 'acme-ci-cache': { iamConfiguration: { uniformBucketLevelAccess: { enabled: true } } } };
  return startGoogleProjects({ ...world, projects: Object.fromEntries(projects), buckets });
}

describe('deploy/terraform/README.md', () => {
  let folder: string;
  let google: GoogleProjects;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'terraform-readme-'));
    cpSync(join(ROOT, 'deploy/terraform/example'), folder, { recursive: true });
    writeFileSync(join(folder, 'policy.yaml'), POLICY);
    google = await startGoogle();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await google.close();
  });

  it('has commands for a new deployment that exit with 0, the preflight too', async () => {
    const own = COMMANDS.filter((line) => line.startsWith('keydesk '));
    expect(own.map((line) => line.split(' ').slice(0, 3).join(' ').replace(/ --.*/, ''))).toEqual([
      'keydesk policy check',
      'keydesk rules write',
      'keydesk package',
      'keydesk doctor',
    ]);
    const env = { KEYDESK_GOOGLE_APIS_URL: google.url, GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token', HOME: folder };
    for (const line of own) {
      const [, ...args] = line.split(/ +/);
      const { code, out, err } = await runCli('', args, { cwd: folder, env });
      expect({ line, code }, `${out}${err}`).toEqual({ line, code: 0 });
    }
    expect(google.unexpected).toEqual([]);
  });

  it('has a preflight with the values of terraform.tfvars.example', () => {
    const preflight = COMMANDS.find((line) => line.startsWith('keydesk doctor')) ?? '';
    const value = (name: string) => new RegExp(`^${name} += "(.*)"$`, 'm').exec(TFVARS)?.[1];
    expect(preflight).toContain(
      `--project ${value('project_id')} --region ${value('region')} --ledger-location ${value('ledger_location')} `,
    );
    for (const [, project, number] of TFVARS.matchAll(/^ {2}([a-z-]+) = "(\d+)"$/gm))
      expect(preflight).toContain(`${project}=${number}`);
    const touched = [...TFVARS.matchAll(/^ +project += "(.*)"$/gm)].map(([, project]) => project);
    expect([...preflight.matchAll(/--touched (\S+)/g)].map(([, project]) => project)).toEqual(touched);
    expect(preflight.includes('--create-policy-accounts')).toBe(/^create_policy_accounts = true$/m.test(TFVARS));
  });

  it('leaves nothing for git to add but what a person writes, and the lock file', () => {
    const ignored = execFileSync(
      'git',
      [
        'check-ignore',
        '--no-index',
        ...['.terraform/x', 'plan', 'packages/token.zip', 'terraform.tfstate', 'main.tf']
          .concat(['.terraform.lock.hcl', 'terraform.tfvars', 'policy.yaml', 'acme-staging.rules'])
          .map((name) => `deploy/terraform/acme/${name}`),
      ],
      { cwd: ROOT, encoding: 'utf8' },
    );
    expect(
      ignored
        .trim()
        .split('\n')
        .map((path) => path.replace('deploy/terraform/acme/', '')),
    ).toEqual(['.terraform/x', 'plan', 'packages/token.zip', 'terraform.tfstate']);
  });

  it.skipIf(TERRAFORM.missing)(
    TERRAFORM.title(
      'leads to a plan that has no warning, creates the accounts of the policy, and sets no organization policy',
    ),
    UNHURRIED,
    async () => {
      const planner = await createPlanner({ known: true, copied: true });
      const { said, resources } = await planner.plan(planner.writePolicy(POLICY)).finally(() => planner.stop());
      expect(said).not.toContain('Warning');
      expect(resources.filter(({ type }) => type === 'google_org_policy_policy')).toEqual([]);
      const standing = resources.filter(({ address }) => address.startsWith('google_service_account.standing'));
      expect(standing.map(({ values }) => values.account_id).sort()).toEqual([
        'ci-cache',
        'export',
        'keydesk-signer',
        'keydesk-signer',
      ]);
    },
  );
});
