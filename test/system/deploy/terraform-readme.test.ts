// The steps of deploy/terraform/README.md up to the plan, with its own commands, in a copy of the example, against a fake Google.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
/** The commands of a step, in their order, with continued lines joined. */
function commandsOf(step: number): string[] {
  const text = README.split(`\n### ${step}. `)[1]?.split(`\n### ${step + 1}. `)[0] ?? '';
  return [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)]
    .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.trim())
    .filter(Boolean);
}
const COMMANDS = commandsOf(4);
/** What keydesk ids prints for the example's organization. */
const IDS = {
  organization: { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' },
  pipelines: [
    { name: 'web', slug: 'web', id: '0184990a-4782-42b5-afc1-16715b10b1f0', archived: false },
    { name: 'web-release', slug: 'web-release', id: '0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31', archived: false },
  ],
};
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
  const place = { ...PLACE, touched: ['acme-staging'], createPolicyAccounts: true, logArchive: true };
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
  /** The Terraform root. */
  let root: string;
  let google: GoogleProjects;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'terraform-readme-'));
    writeFileSync(join(folder, 'ids.json'), JSON.stringify(IDS));
    const [init = ''] = commandsOf(3).filter((line) => line.startsWith('keydesk init '));
    const { code, out, err } = await runCli('', init.split(/ +/).slice(1), { cwd: folder });
    expect({ code }, `${out}${err}`).toEqual({ code: 0 });
    expect(commandsOf(3).at(-1)).toBe('cd acme/terraform');
    root = join(folder, 'acme/terraform');
    google = await startGoogle();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await google.close();
  });

  it('has commands for a new deployment that exit with 0, the preflight too', async () => {
    const own = COMMANDS.filter((line) => line.startsWith('keydesk '));
    expect(own.map((line) => line.split(' ').slice(0, 3).join(' ').replace(/ --.*/, ''))).toEqual([
      'keydesk rules write',
      'keydesk package',
      'keydesk doctor',
    ]);
    const env = { KEYDESK_GOOGLE_APIS_URL: google.url, GOOGLE_OAUTH_ACCESS_TOKEN: 'operator-token', HOME: folder };
    for (const line of own) {
      const [, ...args] = line.split(/ +/);
      const { code, out, err } = await runCli('', args, { cwd: root, env });
      expect({ line, code }, `${out}${err}`).toEqual({ line, code: 0 });
    }
    expect(google.unexpected).toEqual([]);
  });

  it('has a preflight with the values of the terraform.tfvars that keydesk init writes', () => {
    const tfvars = readFileSync(join(root, 'terraform.tfvars'), 'utf8');
    const preflight = COMMANDS.find((line) => line.startsWith('keydesk doctor')) ?? '';
    const value = (name: string) => new RegExp(`^${name} += "(.*)"$`, 'm').exec(tfvars)?.[1];
    expect(preflight).toContain(` --project ${value('project_id')} --region ${value('region')} `);
    expect(value('ledger_location')).toBe(value('region'));
    for (const [, project, number] of tfvars.matchAll(/^ {2}([a-z-]+) = "(\d+)"$/gm))
      expect(preflight).toContain(`${project}=${number}`);
    const touched = [...tfvars.matchAll(/^ +project += "(.*)"$/gm)].map(([, project]) => project);
    expect([...preflight.matchAll(/--touched (\S+)/g)].map(([, project]) => project)).toEqual(touched);
    expect(preflight.includes('--create-policy-accounts')).toBe(/^create_policy_accounts = true$/m.test(tfvars));
  });

  it('counts at most 15 acts to a reviewed plan, and every command of a step is one', () => {
    const rows = [...README.matchAll(/^\| ([1-5]) \| (.*) \| (\d+) \|$/gm)];
    expect(rows.map(([, step]) => step)).toEqual(['1', '2', '3', '4', '5']);
    const sum = rows.reduce((total, [, , , count]) => total + Number(count), 0);
    expect(sum).toBeLessThanOrEqual(15);
    expect(README).toContain(`are these ${sum} acts`);
    for (const [, step, acts = '', count] of rows) {
      expect(acts.split(/[;,] (?:the )?/)).toHaveLength(Number(count));
      const commands = commandsOf(Number(step)).filter((line) => !/^cd \S+$|^terraform apply /.test(line));
      expect(commands.length).toBeLessThanOrEqual(Number(count));
    }
  });

  it('leaves nothing for git to add but what a person writes, and the lock file', () => {
    execFileSync('git', ['init', '--quiet'], { cwd: folder });
    const names = ['.terraform/x', 'plan', 'packages/token.zip', 'terraform.tfstate', 'main.tf', '.terraform.lock.hcl'];
    const paths = [...names, 'terraform.tfvars', 'acme-staging.rules', '../policy.yaml'];
    const ignored = execFileSync('git', ['check-ignore', '--no-index', ...paths], { cwd: root, encoding: 'utf8' });
    expect(ignored.trim().split('\n')).toEqual(names.slice(0, 4));
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
