// The command `step FILE [KEY]` of the sandbox's shell: runs one step of a pipeline file as Buildkite's agent does. A step is a
// job of its own: it starts with the claims of the job that runs and the step's key, and finishes with the step. The plugin
// keydesk is this repository's, and sends its requests to the sandbox.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { type CommandStep, parsePipeline } from './fakes/buildkite/pipeline.ts';
import { pluginName } from './fakes/buildkite/plugin.ts';
import { runStep } from './fakes/buildkite/step.ts';
import { ROOT } from './functions.ts';
import { configurationInSandbox } from './step-configuration.ts';

const LIMIT_MS = 3_600_000;
/** These are the step's own, or the fake agent's. */
const NOT_PASSED_ON = new Set(['PATH', 'HOME', 'TMPDIR', 'BUILDKITE_FAKE_REDACTED']);
/** The sandbox's, also where the pipeline's `env` has another. */
const SANDBOX_URLS = ['KEYDESK', 'FIRESTORE', 'STORAGE'];
const sandbox = z.object({
  organization: z.object({ slug: z.string(), id: z.string() }),
  audience: z.string(),
  url: z.string(),
  jobsUrl: z.string(),
});

function fail(message: string): never {
  process.stderr.write(`step: ${message}\n`);
  process.exit(2);
}

function chooseStep(file: string, key: string | undefined): CommandStep {
  const steps = parsePipeline(readFileSync(file, 'utf8'), { ...process.env } as Record<string, string>);
  const keys = steps.flatMap((step) => step.key ?? []);
  const [only] = steps;
  if (key === undefined) return only && steps.length === 1 ? only : fail(`name one of the steps: ${keys.join(', ')}`);
  return steps.find((step) => step.key === key) ?? fail(`${file} has no step ${key}, only ${keys.join(', ')}`);
}

/** Starts the step's job. @returns its variables */
async function startJob(stepKey: string | undefined) {
  const chosenClaims = readFileSync(join(folder, 'job.claims'), 'utf8').split('\n').filter(Boolean);
  const form = new URLSearchParams(
    chosenClaims.map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  if (stepKey !== undefined) form.set('step_key', stepKey);
  const response = await fetch(jobsUrl, { method: 'POST', body: form });
  const text = await response.text();
  if (!response.ok) fail(text);
  const { stdout } = await promisify(execFile)('env', ['-i', 'sh', '-c', `${text}\nenv -0`]);
  const variables = stdout
    .split('\0')
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  const job = Object.fromEntries(variables.filter(([name]) => name?.startsWith('BUILDKITE')));
  const finish = async () => {
    const webhook = await (await fetch(`${jobsUrl}/${job.BUILDKITE_JOB_ID}/finish`, { method: 'POST' })).text();
    await promisify(execFile)('sh', ['-c', webhook]);
  };
  return { job: job as Record<string, string>, finish };
}

const [file, key, ...others] = process.argv.slice(2);
if (file === undefined || others.length > 0) fail('usage: step FILE [KEY]');
const folder = process.env.KEYDESK_SANDBOX ?? '';
const { organization, audience, url, jobsUrl } = sandbox.parse(
  JSON.parse(readFileSync(join(folder, 'step.json'), 'utf8')),
);
const chosen = chooseStep(file, key);
const plugins = chosen.plugins.map(({ reference, configuration }) => {
  if (pluginName(reference) !== 'keydesk') fail(`the plugin ${reference} is not here: only keydesk is`);
  return { reference, configuration: configurationInSandbox(configuration, { url, audience }) };
});
const { job, finish } = await startJob(chosen.key);
const environment = Object.fromEntries(
  Object.entries({ ...process.env, ...job }).flatMap(([name, value]) =>
    value === undefined || NOT_PASSED_ON.has(name) ? [] : [[name, value]],
  ),
);
// Credentials come from the plugin, as in a pipeline.
delete environment.GOOGLE_APPLICATION_CREDENTIALS;
const { exitCode, output } = await runStep({
  step: {
    ...chosen,
    plugins,
    env: Object.fromEntries(Object.entries(chosen.env).filter(([name]) => !SANDBOX_URLS.includes(name))),
  },
  job: { id: job.BUILDKITE_JOB_ID ?? '', agentToken: job.BUILDKITE_AGENT_ACCESS_TOKEN ?? '' },
  buildkite: { agentEndpoint: job.BUILDKITE_AGENT_ENDPOINT ?? '', organization },
  plugins: { keydesk: join(ROOT, 'plugin') },
  environment,
  checkout: process.cwd(),
  limitMs: LIMIT_MS,
});
process.stdout.write(output);
await finish();
process.exit(exitCode);
