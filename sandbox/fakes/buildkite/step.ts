// Runs one step of a pipeline as Buildkite's agent does: each plugin's hooks in their order, sourced in a shell whose
// exports carry over, then the command, and `pre-exit` whatever happened before. Everything it starts ends in time.
// Coarser than the real one in this: what is to be redacted is so for the whole phase, not from that moment on.
// Source: buildkite/agent, internal/job/executor.go and internal/job/hook/wrapper.go; pull request 3853 for agent 4.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FakeBuildkite } from './buildkite.ts';
import { wrapHook } from './hook.ts';
import type { Job } from './job.ts';
import { JobLog } from './log.ts';
import type { CommandStep } from './pipeline.ts';
import { pluginEnvironment, pluginName } from './plugin.ts';
import { type Phase, ProcessGroup } from './process-group.ts';

const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url));
export interface StepOptions {
  readonly step: Pick<CommandStep, 'command' | 'plugins' | 'env'>;
  readonly job: Pick<Job, 'id' | 'agentToken'>;
  readonly buildkite: Pick<FakeBuildkite, 'agentEndpoint' | 'organization'>;
  /** The folder of each plugin, by the name its reference gives it. */
  readonly plugins: Readonly<Record<string, string>>;
  /** Variables that replace the agent's or are added to them. The step's own variables have precedence. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Folders that come before all others on the PATH. */
  readonly path?: readonly string[];
  /** Where the command runs. */
  readonly checkout?: string;
  /** The hooks of the agent itself, which run before those of plugins. */
  readonly agentHooks?: string;
  /** Stands for the upload of artifacts: runs with the job's environment after `post-command`, whatever came of the step. */
  readonly upload?: string;
  /** In which order `post-command` and `pre-exit` hooks run: of the list, as agent 3 does it, or backwards, as agent 4. */
  readonly postHooks?: 'forwards' | 'backwards';
  /** How long what runs has after a cancel, in milliseconds. */
  readonly graceMs?: number;
  /** How long a phase may take, in milliseconds. */
  readonly limitMs?: number;
}

export interface Ran {
  /** The job's. */
  readonly exitCode: number;
  /** As in the job's log. */
  readonly output: string;
  /** With nothing redacted. */
  readonly raw: string;
  /** What ran, in its order. */
  readonly phases: readonly { readonly name: string; readonly exitCode: number }[];
  /** The job's as it was in the end. */
  readonly environment: Readonly<Record<string, string>>;
  /** Files and folders that the step left in its TMPDIR. */
  readonly leftBehind: readonly string[];
}

export interface RunningStep {
  /** Resolves once `text` was printed; rejects when the step ends without it. */
  saw(text: string): Promise<void>;
  /** What Buildkite does when somebody cancels the job. */
  cancel(): void;
  readonly finished: Promise<Ran>;
}

/** Runs a step to its end. */
export function runStep(options: StepOptions): Promise<Ran> {
  return startStep(options).finished;
}

/** Starts a step that may be watched and cancelled. */
export function startStep(options: StepOptions): RunningStep {
  const { step, job, buildkite, postHooks = 'forwards', graceMs = 10_000, limitMs = 120_000 } = options;
  const uses = step.plugins.map(({ reference, configuration }) => {
    const name = pluginName(reference);
    const hooks = join(options.plugins[name] ?? fail(`no folder is known for the plugin ${name}`), 'hooks');
    return { name, hooks, own: pluginEnvironment(reference, configuration) };
  });
  const agent = options.agentHooks === undefined ? [] : [{ name: undefined, hooks: options.agentHooks, own: {} }];
  const before = [...agent, ...uses];
  const after = [...agent, ...(postHooks === 'backwards' ? uses.toReversed() : uses)];
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-step-'));
  const redacted = join(folder, 'redacted');
  const temporary = join(folder, 'tmp');
  for (const name of ['bin', 'home', 'tmp', 'wrappers']) mkdirSync(join(folder, name));
  writeFileSync(redacted, '');
  // Steps call it several times: with V8's compiled code kept it starts in half the time.
  const runAgent = `NODE_COMPILE_CACHE='${join(tmpdir(), 'node-compile-cache')}' exec '${process.execPath}' '${AGENT}' "$@"`;
  writeFileSync(join(folder, 'bin', 'buildkite-agent'), `#!/bin/sh\n${runAgent}\n`, { mode: 0o755 });
  const log = new JobLog(redacted);
  const group = new ProcessGroup({ graceMs, limitMs, onOutput: (chunk) => log.take(chunk) });
  const phases: { name: string; exitCode: number }[] = [];
  let environment: Record<string, string> = {
    PATH: [...(options.path ?? []), join(folder, 'bin'), process.env.PATH].join(':'),
    HOME: join(folder, 'home'),
    TMPDIR: temporary,
    BUILDKITE: 'true',
    CI: 'true',
    BUILDKITE_AGENT_ACCESS_TOKEN: job.agentToken,
    BUILDKITE_AGENT_ENDPOINT: buildkite.agentEndpoint,
    BUILDKITE_COMMAND: step.command,
    BUILDKITE_JOB_ID: job.id,
    BUILDKITE_ORGANIZATION_SLUG: buildkite.organization.slug,
    BUILDKITE_FAKE_REDACTED: redacted,
    ...options.environment,
    ...step.env,
  };
  let checkout = options.checkout ?? folder;
  const runPhase = async (name: string, [file = '', ...args]: readonly string[], env: Record<string, string>) => {
    log.take(`~~~ Running ${name}\n`);
    const phase: Phase = { name, file, args, env, cwd: checkout };
    const exitCode = await group.run(phase);
    log.endPhase(environment);
    phases.push({ name, exitCode });
    return exitCode;
  };

  const runHook = async (hook: string, { name, hooks, own }: (typeof before)[number]): Promise<number> => {
    const path = join(hooks, hook);
    if (!existsSync(path) || group.over) return 0;
    const wrapped = wrapHook(path, join(folder, 'wrappers'));
    const scope = name === undefined ? 'agent' : `plugin ${name}`;
    const exitCode = await runPhase(`${scope} ${hook} hook`, wrapped.command, { ...environment, ...own });
    const { changed, removed, workingDirectory } = wrapped.changes();
    environment = { ...environment, ...changed, BUILDKITE_LAST_HOOK_EXIT_STATUS: String(exitCode) };
    for (const variable of removed) delete environment[variable];
    checkout = workingDirectory ?? checkout;
    log.endPhase(environment);
    return exitCode;
  };

  /** The exit code of the first that failed; those after it do not run. */
  const runHooks = async (hook: string, inOrder = before): Promise<number> => {
    for (const use of inOrder) {
      const exitCode = await runHook(hook, use);
      if (exitCode !== 0) return exitCode;
    }
    return 0;
  };

  const runCommand = async (): Promise<number> => {
    const instead = uses.find(({ hooks }) => existsSync(join(hooks, 'command')));
    const running = instead
      ? runHook('command', instead)
      : runPhase('commands', ['bash', '-e', '-c', step.command], environment);
    const exitCode = await running;
    environment.BUILDKITE_COMMAND_EXIT_STATUS = String(exitCode);
    return exitCode;
  };

  const runUpload = async (): Promise<number> =>
    options.upload === undefined || group.over
      ? 0
      : runPhase('artifacts', ['bash', '-e', '-c', options.upload], environment);

  const runCommandPhase = async (): Promise<number> => {
    const failed = await runHooks('pre-command');
    if (failed !== 0 || group.cancelledWith !== 0) return failed || group.cancelledWith;
    const exitCode = await runCommand();
    return (await runHooks('post-command', after)) || exitCode;
  };

  const runPhases = async (): Promise<number> => {
    const failed = (await runHooks('environment')) || group.cancelledWith;
    if (failed !== 0) return failed;
    const exitCode = await runCommandPhase();
    const uploaded = await runUpload();
    // The exit code of the command, or of a hook, comes first.
    return exitCode || uploaded;
  };

  const runAll = async (): Promise<Ran> => {
    try {
      const ofPhases = await runPhases();
      const exitCode = (await runHooks('pre-exit', after)) || ofPhases;
      const leftBehind = readdirSync(temporary, { recursive: true, encoding: 'utf8' });
      return { exitCode, output: log.redacted, raw: log.raw, phases, environment, leftBehind };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const finished = runAll().finally(() => log.close());
  return {
    saw: (text) => log.saw(text),
    cancel: () => {
      environment.BUILDKITE_JOB_CANCELLED = 'true';
      group.cancel();
    },
    finished,
  };
}

function fail(message: string): never {
  throw new Error(message);
}
