// Plans the example root with the real terraform and the stand-in provider, in a folder of its own laid out like the
// repository, so that nothing is left behind in the working tree.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { startProvider } from './terraform-provider.ts';

const run = promisify(execFile);
const failed = z.object({ stdout: z.string(), stderr: z.string() });
const values = z.record(z.string(), z.unknown());
const planned = z.object({
  planned_values: z.object({
    outputs: z.record(z.string(), z.object({ value: z.unknown().optional() })),
    root_module: z.object({
      child_modules: z.array(
        z.object({ resources: z.array(z.object({ address: z.string(), type: z.string(), values })) }),
      ),
    }),
  }),
});

export interface PlannedResource {
  /** Without the module. */
  readonly address: string;
  readonly type: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** What the second apply of deploy/terraform/README.md is given, and an archive of logs. */
export const ARCHIVE = { log_archive: '{ location = "eu" }' };
export const DEPLOYED = { webhook_tokens_version: '"3"', buildkite_api_token_version: '"2"', ...ARCHIVE };

/** A setting by which the pooled accounts of staging have one role in one project. */
export function groupWith(project: string, role: string) {
  return {
    pool_groups: `{ staging = { id = "groups/a1", email = "a@b.c", roles = [{ project = "${project}", role = "${role}" }] } }`,
  };
}

/** Without what tells resources of one block apart. */
export function toAddress({ address }: PlannedResource): string {
  return address.replace(/\[.*\]$/, '');
}

export type Plan = Awaited<ReturnType<typeof createPlanner>>;

/** As npm run rules leaves them in a file: indented, with the file's own rules around them. */
const RULES = 'service cloud.firestore {\n    // keydesk:begin\n    // keydesk:end\n}\n';

/**
 * @param options.known whether the plan knows what Google will answer
 * @param options.environment for terraform and what it runs
 * @param options.root the folder beside the module's files from which it is planned; another than the example is a copy of it
 */
export async function createPlanner(options: {
  readonly known: boolean;
  readonly environment?: NodeJS.ProcessEnv;
  readonly root?: string;
}) {
  const { known, environment, root = 'example' } = options;
  const folder = mkdtempSync(join(tmpdir(), 'terraform-plan-'));
  const provider = await startProvider(join(folder, 'provider.sock'), known);
  const example = join(folder, 'deploy/terraform', root);
  for (const path of ['deploy', 'firestore.indexes.json', 'examples/policy.yaml'])
    cpSync(path, join(folder, path), { recursive: true, filter: (source) => !source.endsWith('.terraform') });
  if (root !== 'example') cpSync(join(folder, 'deploy/terraform/example'), example, { recursive: true });
  for (const path of ['node_modules', 'shared']) symlinkSync(resolve(path), join(folder, path));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(example, path)), { recursive: true });
    writeFileSync(join(example, path), text);
  };
  const writeArchives = (path: string, policy: string) => {
    const archives = ['token', 'webhook', 'sweep'].map((name) => [name, `archive of ${name}`] as const);
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
  };
  writeArchives('../../../packages', readFileSync('examples/policy.yaml', 'utf8'));
  for (const name of ['staging', 'production']) write(`acme-${name}.rules`, RULES);

  const terraform = (...args: string[]) =>
    run('terraform', args, {
      cwd: example,
      env: {
        ...process.env,
        ...environment,
        TF_REATTACH_PROVIDERS: provider.reattach,
        CHECKPOINT_DISABLE: '1',
        TF_IN_AUTOMATION: '1',
      },
      maxBuffer: 64 * 1024 * 1024,
    });
  const tfvars = readFileSync(join(example, 'terraform.tfvars.example'), 'utf8');
  const configure = (settings: Readonly<Record<string, string>>) => {
    const changed = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(join(example, 'terraform.tfvars'), tfvars);
    writeFileSync(join(example, 'test.auto.tfvars'), changed.join(''));
  };
  await terraform('init', '-input=false');

  return {
    validate: async () => (await terraform('validate', '-no-color')).stdout,
    /** @param settings lines of terraform.tfvars that stand in place of, or beside, those of the example */
    plan: async (settings: Readonly<Record<string, string>> = {}) => {
      configure(settings);
      await terraform('plan', '-input=false', '-no-color', '-out=plan');
      const { stdout } = await terraform('show', '-json', 'plan');
      const { outputs, root_module } = planned.parse(JSON.parse(stdout)).planned_values;
      const resources = root_module.child_modules.flatMap((module) =>
        module.resources.map(
          (each): PlannedResource => ({ ...each, address: each.address.replace('module.keydesk.', '') }),
        ),
      );
      return {
        resources,
        outputs: Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value])),
      };
    },
    /** Applies; resolves with what terraform then still wants to change, which should be nothing. */
    apply: async (settings: Readonly<Record<string, string>>): Promise<string> => {
      configure(settings);
      await terraform('apply', '-input=false', '-no-color', '-auto-approve');
      return (await terraform('plan', '-input=false', '-no-color')).stdout;
    },
    /** Applies, and expects to be stopped; what terraform says, and what there is afterwards. */
    applyInVain: async (settings: Readonly<Record<string, string>>) => {
      configure(settings);
      const applying = terraform('apply', '-input=false', '-no-color', '-auto-approve');
      const { stdout, stderr } = await applying.then(
        () => Promise.reject(new Error('it was applied')),
        (error) => failed.parse(error),
      );
      const { stdout: there } = await terraform('state', 'list');
      return { said: `${stdout} ${stderr}`, there: there.replaceAll('module.keydesk.', '').trim().split('\n') };
    },
    /** What terraform says against it, in one line. */
    complaint: async (settings: Readonly<Record<string, string>>): Promise<string> => {
      configure(settings);
      const result = await terraform('plan', '-input=false', '-no-color').catch((error) => failed.parse(error));
      return `${result.stdout} ${result.stderr}`.replace(/[\s│╷╵]+/g, ' ');
    },
    /** Writes other-policy.yaml, and archives that were packaged with it, or with another. */
    writePolicy: (text: string, packaged = text) => {
      write('other-policy.yaml', text);
      writeArchives('other-packages', packaged);
    },
    writeRules: (text: string) => write('other.rules', text),
    changeArchive: () => write('other-packages/token.zip', 'another archive'),
    stop: () => {
      provider.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
