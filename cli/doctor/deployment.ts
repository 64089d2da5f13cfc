// What was deployed: the settings of the Terraform module that the policy does not have, by the names of its variables. They come from the
// module's output `deployment`, or from a file that people write. What is left out has the module's default.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod';
import { closestName } from '../../shared/core/closest-name.ts';
import { projectIdSchema } from '../../shared/core/policy/google-names.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';

const members = z.record(z.string(), z.string()).default({});
const location = z
  .string()
  .regex(/^[a-z]+(-[a-z]+)?[0-9]+$|^(global|eu|us)$/, 'must be a location such as europe-west1');

const deploymentSchema = z.strictObject({
  project_id: projectIdSchema,
  /** By project, as far as they are stated. They are read where they are not. */
  project_numbers: z.record(z.string(), z.string()).default({}),
  region: location,
  scheduler_region: location.nullish(),
  ledger_database: z.string().default('keydesk'),
  name_prefix: z.string().default('keydesk'),
  public_access: z.enum(['invoker_check_disabled', 'all_users']).default('invoker_check_disabled'),
  /** By function, where the module's default is not used: a value of `ingress` in the module's words. */
  ingress: z.record(z.string(), z.string()).default({}),
  trusted_proxies: z.number().int().default(0),
  /** Who may call the function `reader`, and who `admin`, by names of no meaning. */
  readers: members,
  admins: members,
  pool_roles: z
    .record(
      z.string(),
      z.record(
        z.string(),
        z.object({
          project: z.string(),
          role: z.string(),
          condition: z.object({ title: z.string(), expression: z.string() }).nullish(),
        }),
      ),
    )
    .default({}),
  pool_groups: z.record(z.string(), z.object({ id: z.string(), email: z.string() })).default({}),
  grant_bucket_roles: z.boolean().default(true),
  forbid_keys: z.boolean().default(true),
  webhook_tokens_version: z.string().nullish(),
  buildkite_api_token_version: z.string().nullish(),
  buildkite_teams_api_token_version: z.string().nullish(),
  audit_logs: z
    .strictObject({
      accounts: z.boolean().default(true),
      token_exchange: z.boolean().default(true),
      data: z.boolean().default(true),
      ledger: z.boolean().default(false),
      pool_touches: z.boolean().nullish(),
    })
    .prefault({}),
  log_archive: z
    .strictObject({
      /** Of the functions where it is not stated. */
      location: location.nullish(),
      retention_days: z.number().int().default(400),
      locked: z.boolean().default(false),
      views: z.boolean().default(true),
    })
    .nullable()
    .prefault({}),
});

export type Deployment = z.output<typeof deploymentSchema>;
const SETTINGS = Object.keys(deploymentSchema.shape);

/** What a file or the options say. @returns what is wrong, a line for each */
export function parseDeployment(
  written: unknown,
): { readonly deployment: Deployment } | { readonly problems: string[] } {
  const result = deploymentSchema.safeParse(written);
  if (result.success) return { deployment: result.data };
  return {
    problems: result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0
        ? issue.keys.map((key) => `${key} is not a setting.${didYouMean(key)}`)
        : [`${issue.path.join('.') || 'the file'}: ${issue.message}`],
    ),
  };
}

/** @returns the settings in a JSON or YAML file, not yet checked. @throws Error that names the file */
export function readDeploymentFile(file: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const found = error instanceof z.ZodError ? 'does not have settings' : `cannot be read: ${errorMessage(error)}`;
    throw new Error(`${file} ${found}. Write it with: terraform output -json deployment > ${file}`);
  }
}

function didYouMean(key: string): string {
  const closest = closestName(key, SETTINGS);
  return closest === undefined ? '' : ` Did you mean ${closest}?`;
}
