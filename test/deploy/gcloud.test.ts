// deploy/gcloud/deploy.sh against a stand-in for gcloud: what it plans is what it runs, every command and flag is gcloud's own, a
// repeat changes nothing, an update leaves the desk open, an error stops it, and what is left to a person is said.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import {
  base,
  createWorkplace,
  flag,
  GROUP,
  OPERATOR,
  POLICY,
  startAcme,
  type Workplace,
  whole,
  withoutRules,
} from './gcloud-deploy.ts';

const SDK = '/usr/lib/google-cloud-sdk';
/** In `gcloud help` under GCLOUD WIDE FLAGS, though the SDK's own completion tree leaves it out. */
const EVERYWHERE = 'project';

const flags = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
const tree = z
  .object({ sdk: z.string(), everywhere: z.array(z.string()), commands: z.record(z.string(), flags) })
  .parse(JSON.parse(readFileSync('test/deploy/gcloud-commands.json', 'utf8')));

describe('deploy.sh', () => {
  let workplace: Workplace;
  /** One deployment from nothing, which many tests look at and the later ones build on. */
  let first: Awaited<ReturnType<Workplace['deploy']>>;
  let all: string[];

  beforeAll(async () => {
    workplace = await createWorkplace();
    first = await workplace.deploy([...whole(workplace), '--yes']);
    const others = ['--group', `staging=${GROUP}`, '--operator', OPERATOR, '--buildkite-api-token-version', '2'];
    all = [...withoutRules(workplace), ...others, '--webhook-tokens-version', '3', '--yes'];
  });
  afterAll(() => workplace.stop());

  const mayCall = (name: string) =>
    first.gcloud.policies.get(`run services ${name}`)?.map(({ role, member }) => `${member} ${role}`);

  it('is clean by shellcheck', () => {
    const scripts = readdirSync('deploy/gcloud').filter((name) => name.endsWith('.sh'));
    const files = scripts.map((name) => `deploy/gcloud/${name}`);
    const { status, stdout } = spawnSync('shellcheck', ['-x', ...files], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('shows with --dry-run who gets what, then every command under headings, and changes nothing', async () => {
    const { status, plan, changes, stdout } = await workplace.deploy([...whole(workplace), '--dry-run']);
    expect(status).toBe(0);
    expect(plan).toEqual(first.plan);
    expect(changes).toEqual([]);
    const order = ['Who gets what:', '\nThe plan, ', '# Services', '# Roles', '# Grants', '# Indexes', '# Functions'];
    expect(order.map((text) => stdout.indexOf(text))).toEqual(
      order.map((text) => stdout.indexOf(text)).sort((left, right) => left - right),
    );
    expect(stdout).toContain(
      [
        '  serviceAccount:keydesk-webhook@acme-keydesk.iam.gserviceaccount.com',
        '    projects/acme-ci-pool/roles/keydesk_disabler on account ci-001@acme-ci-pool.iam.gserviceaccount.com',
      ].join('\n'),
    );
    expect(stdout).toContain('  keydesk_disabler: iam.serviceAccounts.get, iam.serviceAccounts.disable\n');
  });

  it('runs what it showed, in that order, and no more', () => {
    const { status, plan, calls, changes, stderr } = first;
    expect(status, stderr).toBe(0);
    const shown = plan.map(words);
    expect(changes.filter(([group, verb]) => `${group} ${verb}` !== 'projects set-iam-policy').map(quoted)).toEqual(
      shown.filter(([command]) => command === 'gcloud').map((call) => quoted(call.slice(1))),
    );
    expect(
      shown.flatMap(([command = '', ...rest]) => (command === 'gcloud' ? [] : [[command.split('/').at(-1), ...rest]])),
    ).toEqual([
      ['audit-logs.sh', 'acme-staging', 'datastore.googleapis.com', 'iam.googleapis.com', 'sts.googleapis.com'],
      ['audit-logs.sh', 'acme-production', 'datastore.googleapis.com', 'iam.googleapis.com'],
      ['audit-logs.sh', 'acme-ci-pool', 'iam.googleapis.com'],
      ['audit-logs.sh', 'acme-keydesk', 'iam.googleapis.com', 'sts.googleapis.com'],
      ['rules.sh', 'acme-staging', '(default)', join(workplace.packaged, 'acme-staging.rules')],
      ['rules.sh', 'acme-production', '(default)', join(workplace.packaged, 'acme-production.rules')],
    ]);
    expect(calls.filter((call) => call[1] === 'set-iam-policy')).toHaveLength(4);
  });

  it('puts the rules of each data database in force before a function is there', () => {
    const live = (project: string) => workplace.rulesApi.live(`projects/${project}/releases/cloud.firestore`);
    for (const project of ['acme-staging', 'acme-production'])
      expect(live(project)).toBe(readFileSync(join(workplace.packaged, `${project}.rules`), 'utf8'));
    const at = (text: string) => first.plan.findIndex((line) => line.includes(text));
    expect(at('rules.sh acme-production')).toBeLessThan(at('functions deploy'));
  });

  it('changes nothing when it is repeated', async () => {
    const { gcloud } = first;
    const again = await workplace.deploy(all, { gcloud });
    expect(again.stdout).toMatch(/^Everything is there: nothing to do\.\n\nNext:/);
    expect(again.changes).toEqual([]);
    const compared = await workplace.deploy([...whole(workplace), '--yes'], { gcloud });
    expect(compared.changes).toEqual([]);
    expect(compared.stdout.match(/these rules are in force already/g)).toHaveLength(2);
  });

  it('leaves the desk open when it updates functions, and updates what ends grants first', async () => {
    const { gcloud } = first;
    workplace.pack(POLICY, { token: 'another', webhook: 'another', sweep: 'another' });
    const { changes, status } = await workplace.deploy(all, { gcloud });
    expect(status).toBe(0);
    expect(changes.map((call) => call.slice(0, 3).join(' '))).toEqual(
      ['sweep', 'webhook', 'token'].flatMap((name) => [
        `storage cp ${workplace.packaged}/${name}.zip`,
        `functions deploy keydesk-${name}`,
      ]),
    );
    expect(mayCall('keydesk-token')).toEqual(['allUsers roles/run.invoker']);
    expect(mayCall('keydesk-webhook')).toEqual(['allUsers roles/run.invoker']);
    expect(mayCall('keydesk-sweep')).toEqual([
      'serviceAccount:keydesk-scheduler@acme-keydesk.iam.gserviceaccount.com roles/run.invoker',
    ]);
  });

  it('is tested by a stand-in that closes the desk as SDK 528 does, when an update says --no-allow-unauthenticated', () => {
    const { gcloud, changes } = first;
    const update = changes.find((call) => call.slice(0, 3).join(' ') === 'functions deploy keydesk-token') ?? [];
    gcloud.run([...update, '--no-allow-unauthenticated']);
    expect(mayCall('keydesk-token')).toEqual([]);
  });

  it('opens the desk again when somebody has closed it, and deploys again what failed or has other settings', async () => {
    const { gcloud } = first;
    gcloud.functions.set('keydesk-sweep', {
      label: gcloud.functions.get('keydesk-sweep')?.label ?? '',
      state: 'FAILED',
    });
    const { changes } = await workplace.deploy([...all, '--webhook-tokens-version', '4'], { gcloud });
    expect(changes.map((call) => call.slice(0, 4).join(' '))).toEqual([
      expect.stringMatching(/^functions deploy keydesk-sweep /),
      expect.stringMatching(/^functions deploy keydesk-webhook /),
      expect.stringMatching(/^functions deploy keydesk-token /),
      expect.stringMatching(/^run services add-iam-policy-binding keydesk-token$/),
    ]);
    expect(mayCall('keydesk-token')).toEqual(['allUsers roles/run.invoker']);
  });

  it('deploys no function before there is a webhook token, and says how to go on', async () => {
    const { plan, stdout } = await workplace.deploy([...base(workplace), ...workplace.rules, '--yes']);
    expect(plan.filter((line) => /functions deploy|scheduler jobs/.test(line))).toEqual([]);
    expect(stdout).toContain(
      'read -rs VALUE && printf %s "$VALUE" | gcloud secrets versions add keydesk-webhook-tokens',
    );
    expect(stdout).toContain(
      'read -rs VALUE && printf %s "$VALUE" | gcloud secrets versions add keydesk-buildkite-api-token',
    );
    expect(stdout).toContain('no branch filter');
    expect(stdout).toContain('- No --group staging=EMAIL');
  });

  it('says at the end what is left, with a step to paste', () => {
    const next = first.stdout.slice(first.stdout.indexOf('\nNext:'));
    expect(next).toContain(`    plugins:
      - acme/keydesk#v0.1.0:
          url: https://keydesk-token-123456789012.europe-west1.run.app
          audience: https://keydesk.acme.example
          credentials: staging-config
`);
    expect(next).toContain('npm run monitoring -- --project acme-keydesk --region europe-west1 --playbooks-url URL');
    expect(next).toContain('The roles of the group of staging');
    expect(next).not.toContain('versions add');
  });

  it('leaves out what it is told to, and says what is left then', async () => {
    const without = ['--no-org-policies', '--no-audit-logs', '--no-bucket-roles'];
    const { gcloud } = first;
    gcloud.forbidden.clear();
    gcloud.auditConfigs.clear();
    gcloud.policies.set('storage buckets gs://acme-ci-cache', []);
    const { stdout, changes } = await workplace.deploy([...all, '--webhook-tokens-version', '4', ...without], {
      gcloud,
    });
    expect(changes).toEqual([]);
    expect(stdout).toContain(
      '- Have iam.disableServiceAccountKeyCreation and iam.disableServiceAccountKeyUpload enforced in acme-keydesk and acme-ci-pool.',
    );
    expect(stdout).toContain('- Data Access audit logs: iam.googleapis.com in acme-staging, ');
    expect(stdout).toContain(
      '- roles/storage.objectUser on gs://acme-ci-cache for ci-cache@acme-staging.iam.gserviceaccount.com.',
    );
  });

  it.each([[''], ['y\n']])('changes nothing unless yes is typed, as with %j', async (input) => {
    const { status, changes, stderr } = await workplace.deploy(whole(workplace), { input });
    expect({ status, changes }).toEqual({ status: 1, changes: [] });
    expect(stderr).toContain('nothing was changed');
  });

  it('stops at the first command that fails, says what to do, and goes on from there when repeated', async () => {
    const gcloud = await startAcme();
    gcloud.settings.failAt = 'org-policies enable-enforce iam.disableServiceAccountKeyUpload';
    const { status, plan, changes, stderr } = await workplace.deploy(
      [...base(workplace), ...workplace.rules, '--yes'],
      {
        gcloud,
      },
    );
    expect(status).toBe(1);
    expect(changes.at(-1)?.slice(0, 4).join(' ')).toBe(gcloud.settings.failAt.replace(/^/, 'resource-manager '));
    expect(stderr).toContain('ask for a role that allows it');
    expect(stderr).toContain('say --no-org-policies');
    expect(stderr).toMatch(/stopped at command \d+ of \d+; \d+ were run\. .*run this again/);
    delete gcloud.settings.failAt;
    const again = await workplace.deploy([...base(workplace), ...workplace.rules, '--dry-run'], { gcloud });
    expect(again.plan).toEqual(plan.slice(changes.length - 1));
  });

  it('changes nothing when it may not look at what is there', async () => {
    const gcloud = await startAcme();
    gcloud.settings.failAt = 'iam service-accounts list';
    const { status, changes, stderr } = await workplace.deploy([...whole(workplace), '--yes'], { gcloud });
    expect({ status, changes }).toEqual({ status: 1, changes: [] });
    expect(stderr).toContain('could not look at what is there (gcloud iam service-accounts list): nothing was changed');
  });

  it('uses only commands, flags and choices that gcloud has', () => {
    expect([...new Set(first.calls.flatMap(problemsOf))]).toEqual([]);
    expect(problemsOf(['secrets', 'create', 'x', '--replication=automatic'])).toEqual([
      'secrets create: no --replication',
    ]);
    expect(problemsOf(['secrets', 'make', 'x'])).toEqual(['no command secrets make x']);
  });

  it.skipIf(!existsSync(SDK))(
    `is read without complaint by the installed gcloud${existsSync(SDK) ? '' : ' (skipped: no Google Cloud SDK)'}`,
    () => {
      // Read only: nothing is looked up and nobody is asked.
      const script = `import sys, json
sys.path[:0] = ['${SDK}/lib', '${SDK}/lib/third_party']
import gcloud
from googlecloudsdk import gcloud_main
parser = gcloud_main.CreateCLI([])._CLI__parser
for args in json.load(sys.stdin):
  try: parser.parse_args(args)
  except SystemExit: print(' '.join(args))`;
      const wrong = ['projects', 'add-iam-policy-binding', 'x', '--role=x', '--member=x', '--condition=expressio=x'];
      const read = (calls: readonly (readonly string[])[]) =>
        spawnSync('python3', ['-S', '-B', '-c', script], {
          input: JSON.stringify(calls),
          encoding: 'utf8',
          env: { ...process.env, CLOUDSDK_CONFIG: workplace.folder },
        });
      expect(read([...first.calls, wrong])).toMatchObject({ status: 0, stdout: `${wrong.join(' ')}\n` });
    },
  );

  it('creates every index, exemption and TTL field of firestore.indexes.json', () => {
    const file = z
      .object({
        indexes: z.array(z.unknown()),
        fieldOverrides: z.array(z.object({ collectionGroup: z.string(), ttl: z.boolean().default(false) })),
      })
      .parse(JSON.parse(readFileSync('firestore.indexes.json', 'utf8')));
    const count = (command: string) => first.changes.filter((call) => call.join(' ').startsWith(command)).length;
    const inEach = (overrides: typeof file.fieldOverrides) =>
      overrides.length + overrides.filter(({ collectionGroup }) => collectionGroup === 'keydesk_grants').length;
    expect(count('firestore indexes composite create')).toBe(file.indexes.length);
    expect(count('firestore indexes fields update')).toBe(inEach(file.fieldOverrides));
    expect(count('firestore fields ttls update')).toBe(inEach(file.fieldOverrides.filter(({ ttl }) => ttl)));
  });

  it('has the function know its settings, and only the secrets it needs', () => {
    const deployed = (name: string) =>
      first.changes.find((call) => call.slice(0, 3).join(' ') === `functions deploy keydesk-${name}`) ?? [];
    expect(['token', 'webhook', 'sweep'].map((name) => flag(deployed(name), 'set-secrets'))).toEqual([
      '',
      'KEYDESK_WEBHOOK_TOKENS=keydesk-webhook-tokens:3',
      'KEYDESK_BUILDKITE_API_TOKEN=keydesk-buildkite-api-token:2',
    ]);
    for (const name of ['token', 'webhook', 'sweep'])
      expect(flag(deployed(name), 'set-env-vars')).toContain(
        'GOOGLE_CLOUD_PROJECT=acme-keydesk,KEYDESK_DATABASE=keydesk',
      );
  });
});

/** As the script runs it: with --quiet at its end. */
function quoted(call: readonly string[]): string {
  return JSON.stringify(call.filter((word) => word !== '--quiet'));
}

/** As a shell reads them. */
function words(line: string): string[] {
  const { stdout } = spawnSync('bash', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return stdout.split('\0').slice(0, -1);
}

function problemsOf(call: readonly string[]): string[] {
  const line = call.filter((word) => !word.startsWith('--')).join(' ');
  const command = Object.keys(tree.commands)
    .filter((name) => `${line} `.startsWith(`${name} `))
    .sort((left, right) => right.length - left.length)[0];
  if (!command) return [`no command ${line}`];
  return call
    .filter((word) => word.startsWith('--'))
    .flatMap((word) => {
      const [, name = '', , value] = /^--([a-z0-9-]+)(=(.*))?$/s.exec(word) ?? [];
      if (name === EVERYWHERE || tree.everywhere.includes(name)) return [];
      const own = tree.commands[command]?.[name] ?? tree.commands[command]?.[name.replace(/^no-/, '')];
      if (own === undefined) return [`${command}: no --${name}`];
      if (own === 'bool') return value === undefined ? [] : [`${command}: --${name} takes no value`];
      if (value === undefined) return [`${command}: --${name} needs a value`];
      return Array.isArray(own) && !own.includes(value) ? [`${command}: --${name} cannot be ${value}`] : [];
    });
}
