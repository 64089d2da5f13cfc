// Plans the example root with the real terraform and the fake provider, in a folder of its own laid out like the repository, so
// that nothing is left behind in the working tree. Every plan reads settings and writes a file of its own, and none takes the
// lock on the state: one that is cut off leaves nothing that another could meet.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { parsePolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { toPolicyJson } from '../../../shared/core/policy/to-json.ts';
import { needs } from '../../fixtures/needs.ts';
import { TARGETS } from './archives.ts';
import { startProvider } from './terraform-provider.ts';

const run = promisify(execFile);
const failed = z.object({ stdout: z.string(), stderr: z.string() });
const values = z.record(z.string(), z.unknown());
const shown = z.object({
  planned_values: z.object({
    outputs: z.record(z.string(), z.object({ value: z.unknown().optional() })),
    root_module: z.object({
      child_modules: z.array(
        z.object({ resources: z.array(z.object({ address: z.string(), type: z.string(), values })) }),
      ),
    }),
  }),
  configuration: z.object({
    root_module: z.object({
      outputs: z.record(z.string(), z.unknown()),
      module_calls: z.object({
        keydesk: z.object({
          module: z.object({
            resources: z.array(z.object({ address: z.string(), type: z.string() })),
            outputs: z.record(z.string(), z.unknown()),
          }),
        }),
      }),
    }),
  }),
});

export interface PlannedResource {
  /** Without the module. */
  readonly address: string;
  readonly type: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Names of variables, and the expressions that are their values. */
export type Settings = Readonly<Record<string, string>>;

/** The oldest version that deploy/terraform/versions.tf takes. */
export const TERRAFORM = needs('terraform', { atLeast: '1.9' });

/** A safety net for a machine that is busy, not a limit that anything is expected to come near. */
export const UNHURRIED = { timeout: 600_000 };

/** What the second apply of deploy/terraform/README.md is given, and an archive of logs. */
export const ARCHIVE = { log_archive: '{ location = "eu" }' };
export const DEPLOYED = {
  ...{ webhook_tokens_version: '"3"', buildkite_api_token_version: '"2"', buildkite_teams_api_token_version: '"1"' },
  ...ARCHIVE,
};

/** What a deployment in operation has, and the example leaves for later. */
const MORE = `
readers = { security = "group:keydesk-readers@acme.example" }
admins = { oncall = "group:keydesk-oncall@acme.example" }
notification_channels = ["projects/acme-keydesk/notificationChannels/1234567890"]
create_policy_accounts = false
forbid_keys = true
`;

/** A setting by which the pooled accounts of staging have roles in projects. */
export function poolWith(...roles: readonly (readonly [project: string, role: string])[]) {
  const list = roles.map(([project, role], index) => `role_${index} = { project = "${project}", role = "${role}" }`);
  return { pool_roles: `{ staging = { ${list.join(', ')} } }` };
}

/** Without what tells resources of one block apart. */
export function toAddress({ address }: Pick<PlannedResource, 'address'>): string {
  return address.replace(/\[.*\]$/, '');
}

/** The permissions of Keydesk's own roles, by the name by which bindings grant them. */
export function ownRoles(resources: readonly PlannedResource[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    resources
      .filter(({ type }) => type === 'google_project_iam_custom_role')
      .map(({ values }) => [
        `projects/${values.project}/roles/${values.role_id}`,
        z.array(z.string()).parse(values.permissions),
      ]),
  );
}

const binding = z.object({ role: z.string(), member: z.string().optional(), members: z.array(z.string()).optional() });

/** The role that a resource of IAM grants, and to whom. */
export function boundBy({ values }: PlannedResource): { readonly role: string; readonly members: readonly string[] } {
  const { role, member, members } = binding.parse(values);
  return { role, members: members ?? [member ?? ''] };
}

export type Planner = Awaited<ReturnType<typeof createPlanner>>;
export type Plan = Awaited<ReturnType<Planner['plan']>>;

/** As keydesk rules write leaves them in files: indented as each file is, with the file's own rules around them. */
const RULES = {
  staging: 'service cloud.firestore {\n    // keydesk:begin\n    // keydesk:end\n}\n',
  production: '\t// keydesk:begin\n\t\t// keydesk:end\n',
};

/**
 * @param options.known whether the plan knows what Google will answer
 * @param options.environment for terraform and what it runs
 * @param options.edit what becomes of the root's main.tf
 * @param options.copied whether only the example's own settings are used, and not those that tests add
 * @param options.root the folder next to the module's files from which it is planned; the example, or a copy of it
 */
export async function createPlanner(options: {
  readonly known: boolean;
  readonly environment?: NodeJS.ProcessEnv;
  readonly edit?: (main: string) => string;
  readonly copied?: boolean;
  readonly root?: string;
}) {
  const { known, environment, edit, copied = false, root = 'example' } = options;
  const folder = mkdtempSync(join(tmpdir(), 'terraform-plan-'));
  const provider = await startProvider(join(folder, 'provider.sock'), known);
  const example = join(folder, 'deploy/terraform', root);
  for (const path of ['deploy', 'firestore.indexes.json', 'examples/policy.yaml'])
    cpSync(path, join(folder, path), { recursive: true, filter: (source) => !source.endsWith('.terraform') });
  if (root !== 'example') cpSync(join(folder, 'deploy/terraform/example'), example, { recursive: true });
  for (const path of ['node_modules', 'shared']) symlinkSync(resolve(path), join(folder, path));
  if (edit) writeFileSync(join(example, 'main.tf'), edit(readFileSync(join(example, 'main.tf'), 'utf8')));
  let files = 0;
  const nextName = (name: string) => {
    files += 1;
    return `${files}-${name}`;
  };
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(example, path)), { recursive: true });
    writeFileSync(join(example, path), text);
  };
  const writeArchives = (path: string, policy: string) => {
    // One has the policy.
    const archives = TARGETS.map(
      (name) => [name, `archive of ${name}${name === 'token' ? ` with ${sha256(policy)}` : ''}`] as const,
    );
    for (const [name, archive] of archives) write(`${path}/${name}.zip`, archive);
    const hashes = Object.fromEntries(archives.map(([name, archive]) => [name, sha256(archive)]));
    const rules = sha256('// keydesk:begin\n// keydesk:end');
    write(
      `${path}/manifest.json`,
      JSON.stringify({
        policy_sha256: sha256(policy),
        rules_sha256: { 'acme-staging/(default)': rules, 'acme-production/(default)': rules },
        archives: hashes,
      }),
    );
    const loaded = parsePolicy(policy, 'policy.yaml');
    if ('problems' in loaded) throw new Error(loaded.problems.join('\n'));
    write(`${path}/policy.json`, toPolicyJson(loaded));
  };
  write('policy.yaml', readFileSync('examples/policy.yaml', 'utf8'));
  writeArchives('packages', readFileSync('examples/policy.yaml', 'utf8'));
  for (const [name, rules] of Object.entries(RULES)) write(`acme-${name}.rules`, rules);
  cpSync(join(example, 'terraform.tfvars.example'), join(example, 'terraform.tfvars'));
  if (!copied) write('more.auto.tfvars', MORE);
  write('state_override.tf', 'terraform {\n  backend "local" {}\n}\n');

  // What the person who runs the tests has set for Terraform is not for these plans.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TF_'));
  const terraformIn = async (cwd: string, ...args: string[]) =>
    run(TERRAFORM.path ?? 'terraform', args, {
      cwd,
      env: {
        ...Object.fromEntries(inherited),
        ...environment,
        TF_REATTACH_PROVIDERS: provider.reattach,
        CHECKPOINT_DISABLE: '1',
        TF_IN_AUTOMATION: '1',
        TF_CLI_ARGS: '-no-color',
        // A process of a few seconds: collecting its garbage takes a quarter of its time.
        GOGC: 'off',
        GOMEMLIMIT: '1GiB',
      },
      maxBuffer: 64 * 1024 * 1024,
    });
  const terraform = (...args: string[]) => terraformIn(example, ...args);
  /** @param settings replace, or add to, the ones in terraform.tfvars */
  const change = (verb: 'plan' | 'apply', settings: Settings, ...args: string[]) => {
    const file = nextName('settings.tfvars');
    write(
      file,
      Object.entries(settings)
        .map(([name, value]) => `${name} = ${value}\n`)
        .join(''),
    );
    return terraform(verb, '-input=false', '-lock=false', `-var-file=${file}`, ...args);
  };
  await terraform('init', '-input=false');

  return {
    validate: async () => (await terraform('validate')).stdout,
    /** What terraform says against a file that stands alone, in one line. */
    complaintAbout: async (text: string): Promise<string> => {
      const alone = nextName('alone');
      write(`${alone}/main.tf`, text);
      await terraformIn(join(example, alone), 'init', '-input=false');
      return toLine(await terraformIn(join(example, alone), 'validate').catch((error) => failed.parse(error)));
    },
    plan: async (settings: Settings = {}) => {
      const file = nextName('plan');
      const said = toLine(await change('plan', settings, `-out=${file}`));
      const { stdout } = await terraform('show', '-json', file);
      const { planned_values, configuration } = shown.parse(JSON.parse(stdout));
      const { outputs, root_module } = planned_values;
      const resources = root_module.child_modules.flatMap((module) =>
        module.resources.map(
          (each): PlannedResource => ({ ...each, address: each.address.replace('module.keydesk.', '') }),
        ),
      );
      const { module } = configuration.root_module.module_calls.keydesk;
      return {
        /** What terraform said, in one line. */
        said,
        resources,
        outputs: Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value])),
        /** What the files declare, planned or not. */
        declared: {
          resources: module.resources,
          outputs: Object.keys(module.outputs),
          outputsOfRoot: Object.keys(configuration.root_module.outputs),
        },
      };
    },
    /**
     * Applies; resolves with what terraform then still wants to change, which should be nothing. Nobody is asked what there
     * is: the fake would say what the state says.
     */
    apply: async (settings: Settings, ...args: string[]): Promise<string> => {
      await change('apply', settings, '-refresh=false', '-auto-approve', ...args);
      return toLine(await change('plan', settings, '-refresh=false'));
    },
    /** Applies, and expects to be stopped; what terraform says, and what there is afterwards. */
    applyInVain: async (settings: Settings) => {
      const applying = change('apply', settings, '-refresh=false', '-auto-approve');
      const { stdout, stderr } = await applying.then(
        () => Promise.reject(new Error('it was applied')),
        (error) => failed.parse(error),
      );
      const { stdout: there } = await terraform('state', 'list');
      return { said: `${stdout} ${stderr}`, there: there.replaceAll('module.keydesk.', '').trim().split('\n') };
    },
    /** Takes resources out of the state and destroys all others; resolves with what is left in the state. */
    destroy: async (settings: Settings, kept: readonly string[]): Promise<string> => {
      await terraform('state', 'rm', '-lock=false', ...kept.map((address) => `module.keydesk.${address}`));
      await change('apply', settings, '-destroy', '-refresh=false', '-auto-approve');
      return (await terraform('state', 'list')).stdout.trim();
    },
    /** What terraform says against it, in one line. */
    complaint: async (settings: Settings, ...args: string[]): Promise<string> =>
      toLine(await change('plan', settings, ...args).catch((error) => failed.parse(error))),
    /** Changes a file of the copy, such as firestore.indexes.json. */
    edit: (path: string, change: (text: string) => string) => {
      const before = readFileSync(join(folder, path), 'utf8');
      const after = change(before);
      if (after === before) throw new Error(`${path}: nothing was changed`);
      writeFileSync(join(folder, path), after);
    },
    /** What applies changed, oldest first. */
    applied: provider.applied,
    /** As if somebody had disabled the service accounts without Terraform. */
    disableAccounts: provider.disableAccounts,
    /**
     * Writes a policy and archives that were packaged with it, or with another.
     * @returns the settings by which they are taken
     */
    writePolicy: (text: string, packaged = text) => {
      const [policy, archives] = [nextName('policy.yaml'), nextName('packages')];
      write(policy, text);
      writeArchives(archives, packaged);
      return { policy_file: `"${policy}"`, archives_dir: `"${archives}"` };
    },
    /** @returns the path of the file, as a setting */
    writeRules: (text: string) => {
      const file = nextName('a.rules');
      write(file, text);
      return `"${file}"`;
    },
    /** @param settings what writePolicy returned */
    changePolicyJson: ({ archives_dir }: { readonly archives_dir: string }, text: string) =>
      write(`${JSON.parse(archives_dir)}/policy.json`, text),
    /** @param settings what writePolicy returned */
    changeArchive: ({ archives_dir }: { readonly archives_dir: string }) =>
      write(`${JSON.parse(archives_dir)}/token.zip`, 'another archive'),
    stop: () => {
      provider.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function toLine({ stdout, stderr }: z.output<typeof failed>): string {
  return `${stdout} ${stderr}`.replace(/[\s│╷╵]+/g, ' ');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
