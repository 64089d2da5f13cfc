// A step that uses the plugin, run by the fake agent against a Keydesk of the test's own.

import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job } from '../../../sandbox/fakes/buildkite/job.ts';
import type { PluginConfiguration } from '../../../sandbox/fakes/buildkite/plugin.ts';
import { type RunningStep, type StepOptions, startStep } from '../../../sandbox/fakes/buildkite/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import type { InProcessKeydesk } from '../../fixtures/in-process-keydesk.ts';
import { AUDIENCE } from '../../fixtures/policies.ts';

export const PLUGIN = join(ROOT, 'plugin');
/** Runs in a step: prints the SHA-256 of the token that Google's library gets with the step's credentials. */
export const USE_CREDENTIALS = `node '${join(ROOT, 'test/system/plugin/use-credentials.mjs')}'`;
/** What no log may hold: a JWT, which job tokens and Firestore's tokens are, and what Google mints for accounts. */
export const SECRET = /eyJ[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9._-]{16,}/;

export interface StepSetup
  extends Partial<
    Pick<
      StepOptions,
      'environment' | 'path' | 'graceMs' | 'limitMs' | 'plugins' | 'postHooks' | 'agentHooks' | 'upload'
    >
  > {
  readonly job?: Job;
  readonly command?: string;
  /** The use of the plugin, or several, each on top of a good configuration. */
  readonly uses?: readonly PluginConfiguration[];
  readonly reference?: string;
  /** References of plugins that stand after this one in the step's list. */
  readonly others?: readonly string[];
}

export function startAStep(keydesk: InProcessKeydesk, a: StepSetup = {}): RunningStep & { readonly job: Job } {
  const { job = keydesk.buildkite.startJob(), command = 'true', uses = [{}], reference = 'acme/keydesk#v0.1.0' } = a;
  const good = { url: keydesk.tokenUrl, audience: AUDIENCE, credentials: 'staging-config' };
  const plugins = [
    ...uses.map((use) => ({ reference, configuration: { ...good, ...use } })),
    ...(a.others ?? []).map((other) => ({ reference: other, configuration: {} })),
  ];
  const running = startStep({
    plugins: { keydesk: PLUGIN },
    limitMs: 60_000,
    ...a,
    step: { command, env: {}, plugins },
    job,
    buildkite: keydesk.buildkite,
    // The step's node is the one that runs the tests.
    path: [...(a.path ?? []), join(ROOT, 'node_modules/.bin')],
  });
  return { ...running, job };
}

export async function runAStep(keydesk: InProcessKeydesk, a: StepSetup = {}) {
  const { finished, job } = startAStep(keydesk, a);
  return { ...(await finished), job };
}

export interface Recorder {
  readonly folder: string;
  /** An argument a line. */
  readonly calls: () => string;
  /** A variable a line. */
  readonly environments: () => string;
}

/** A folder under `at` with a command that goes before the real one of that name and writes down what it is run with. */
export function recorder(at: string, command: string): Recorder {
  const folder = mkdtempSync(join(at, 'recorder-'));
  const log = join(folder, 'calls');
  const environments = join(folder, 'environments');
  for (const file of [log, environments]) writeFileSync(file, '');
  writeFileSync(
    join(folder, command),
    `#!/bin/sh\nprintf '%s\\n' "$@" >>'${log}'\n/usr/bin/env >>'${environments}'\nPATH="$(printf %s "$PATH" | sed 's|${folder}:||')"\nexport PATH\nexec ${command} "$@"\n`,
  );
  chmodSync(join(folder, command), 0o755);
  return { folder, calls: () => readFileSync(log, 'utf8'), environments: () => readFileSync(environments, 'utf8') };
}

/** The events of a job's grants, oldest first, with the credential each is about. */
export function grantEvents(keydesk: InProcessKeydesk, job: Job): string[] {
  return keydesk.audit
    .filter((line) => JSON.stringify(line).includes(job.id))
    .map((line) => `${line.event} ${String(line.message).split(' ', 1)[0]}`);
}
