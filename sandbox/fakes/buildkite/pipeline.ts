// Reads a pipeline's text as `buildkite-agent pipeline upload` does: YAML, in whose texts variables are then filled in.
// Knows the steps that run a command; those that only wait, for other steps or for a person, are left out.
// Source: https://buildkite.com/docs/agent/cli/reference/pipeline (environment variable substitution).

import { parse } from 'yaml';
import * as z from 'zod';
import type { PluginConfiguration } from './plugin.ts';

const UNCONFIGURED: PluginConfiguration = {};

const pluginUse = z.union([
  z.string().transform((reference) => ({ reference, configuration: UNCONFIGURED })),
  z.record(z.string(), z.record(z.string(), z.json()).nullable()).transform((use, context) => {
    const [first, ...more] = Object.entries(use);
    if (!first || more.length > 0) {
      context.addIssue('an entry of plugins must have one plugin');
      return z.NEVER;
    }
    return { reference: first[0], configuration: first[1] ?? UNCONFIGURED };
  }),
]);
const command = z.union([z.string(), z.array(z.string()).transform((lines) => lines.join('\n'))]);

const commandStep = z
  .strictObject({
    label: z.string().optional(),
    key: z.string().optional(),
    command: command.optional(),
    commands: command.optional(),
    env: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({}),
    plugins: z.array(pluginUse).default([]),
    branches: z.string().optional(),
    if: z.string().optional(),
    soft_fail: z.json().optional(),
    depends_on: z.union([z.string(), z.array(z.string())]).optional(),
    timeout_in_minutes: z.int().optional(),
    retry: z.json().optional(),
    agents: z.record(z.string(), z.string()).optional(),
    concurrency: z.int().optional(),
    concurrency_group: z.string().optional(),
    parallelism: z.int().optional(),
    artifact_paths: z.string().optional(),
  })
  .transform(({ command: one, commands: many, ...step }) => ({ ...step, command: one ?? many ?? '' }));
const waitingStep = z
  .union([
    z.literal('wait'),
    z.object({ wait: z.json() }),
    z.object({ block: z.string() }),
    z.object({ input: z.string() }),
  ])
  .transform(() => undefined);
const pipeline = z.strictObject({
  env: z.record(z.string(), z.string()).default({}),
  steps: z.array(z.union([waitingStep, commandStep])),
});

export type CommandStep = z.output<typeof commandStep>;

/** The command steps of a pipeline. @param environment the upload's, for the variables in `text` */
export function parsePipeline(text: string, environment: Readonly<Record<string, string>> = {}): CommandStep[] {
  const { env, steps } = pipeline.parse(fillInAll(parse(text), environment));
  return steps.filter((step) => step !== undefined).map((step) => ({ ...step, env: { ...env, ...step.env } }));
}

const VARIABLE = /\$\$|\\\$|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}/g;

function fillInAll(value: unknown, environment: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return fillIn(value, environment);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fillInAll(item, environment));
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [fillIn(key, environment), fillInAll(item, environment)]));
}

/** `$$` and `\$` are a dollar that stays; any other variable is filled in at upload, before a job runs. */
function fillIn(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(VARIABLE, (match, bare?: string, braced?: string, otherwise = '') =>
    match === '$$' || match === '\\$' ? '$' : (environment[bare ?? braced ?? ''] ?? otherwise),
  );
}
