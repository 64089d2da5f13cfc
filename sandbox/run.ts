// The sandbox from its start to its end, for the person at the terminal: plays the demo, the approvals or a policy, stays up, and
// leaves no process behind, however it ends.

import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Policy } from '../shared/core/policy/policy.ts';
import { runApprovals } from './approvals/run-approvals.ts';
import { DEMO_JOB, runDemo } from './demo.ts';
import { CannotStart } from './emulators.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { demoLines, firstExample, operatorLines, policyLines } from './lines.ts';
import { openPlayground } from './playground.ts';
import { issueEach } from './policy-run.ts';
import { stopAll } from './process.ts';
import { createProgress } from './progress.ts';
import { openShell } from './shell.ts';
import { waitForShutdown } from './shutdown.ts';
import type { Step } from './steps.ts';

const real = { openEnvironment, runDemo, runApprovals, issueEach, openShell, stopAll, waitForShutdown };

export interface SandboxOptions {
  readonly policy: Policy;
  /** The absolute path of the policy's file. */
  readonly policyFile: string;
  /** See EnvironmentOptions. */
  readonly ledgerProject?: string | undefined;
  /** What is played with the policy that it is written for; undefined for a policy of the user. */
  readonly play: 'demo' | 'approvals' | undefined;
  /** Whether to end after the play, or after each credential of the policy was issued once. */
  readonly once: boolean;
  /** Whether to open a shell in place of the play. Then standard output is the shell's alone. */
  readonly shell: boolean;
}

type Print = (text?: string) => void;

/** @returns the exit code. With `once` it is 0 only if all steps passed; with `shell` it is the shell's. */
export async function runSandbox(options: SandboxOptions, deps: typeof real = real): Promise<number> {
  const { once, shell, play, policy, policyFile } = options;
  const stopRequested = deps.waitForShutdown();
  const stopHint = `To stop: Ctrl-C, or kill ${process.pid}`;
  let succeeded: boolean | undefined;
  let exitCode = 0;
  let over = false;
  const write = (text: string) => (shell ? process.stderr : process.stdout).write(`${text}\n`);
  const print: Print = (text = '') => {
    if (!over) write(text);
  };
  print(
    "Keydesk's sandbox: the functions, Google's emulators, a fake Buildkite and a fake Google, on this machine only.",
  );
  if (!once) print(`${stopHint}.`);
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-sandbox-'));
  const logFile = join(folder, 'functions.log');
  const openJobs = (environment: Environment) =>
    openPlayground(environment, play === 'demo' ? DEMO_JOB : firstExample(policy)?.[1]);
  const opening = deps.openEnvironment({
    policy,
    policyFile,
    ledgerProject: options.ledgerProject,
    onLine: (line) => appendFileSync(logFile, `${line}\n`),
    progress: createProgress(print),
  });

  const session = async () => {
    const environment = await opening;
    for (const line of addressLines(environment, { play, once })) print(line);
    // With --once, the file is gone before anybody can read it.
    print(once ? '' : `The functions log to ${logFile}\n`);
    if (shell) return runShell(environment);
    try {
      if (play) succeeded = await playSteps(environment, play === 'demo' ? deps.runDemo : deps.runApprovals, print);
      else if (once) succeeded = await issueAll(environment, deps.issueEach, print);
      else succeeded = true;
    } finally {
      // The log file is removed, and on a machine of continuous integration nobody can read it.
      if (once && !succeeded) for (const line of ["The functions' log:", ...environment.log]) print(line);
    }
    if (once) return;
    const playground = await openJobs(environment);
    const lines = (play === 'demo' ? demoLines : policyLines)(environment, playground.jobsUrl);
    print(`\nTo read the log of the functions: tail -f ${logFile}`);
    print('');
    for (const line of operatorLines(environment)) print(line);
    print('');
    print(`The sandbox stays up. ${stopHint}. To try more, paste these lines into a second terminal, one by one:\n`);
    for (const line of lines) print(line);
    await stopRequested;
    await playground.close();
  };
  const runShell = async (environment: Environment) => {
    const playground = await openJobs(environment);
    const opened = await deps.openShell(environment, playground, print);
    await Promise.race([opened.ended.then((code) => (exitCode = code)), stopRequested]);
    await opened.close();
    await playground.close();
    succeeded = true;
  };
  const running = session();
  running.catch(() => {});
  try {
    await Promise.race([running, stopRequested]);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    over = true;
    await deps.stopAll();
    if (shell) await running.catch(() => {});
    await opening.then(
      (environment) => environment.close(),
      () => {},
    );
    // Its path was printed, so it stays for the reader.
    if (once || shell || succeeded === undefined) rmSync(folder, { recursive: true, force: true });
  }
  if (!once) write(existsSync(logFile) ? `Stopped. The functions' log stays in ${logFile}` : 'Stopped.');
  if (shell) return exitCode;
  return succeeded === true || (succeeded === undefined && !once) ? 0 : 1;
}

/** Whose documents jobs read and write. */
const PLAYED_PROJECTS = { demo: 'acme-staging', approvals: 'acme-production' } as const;

/** The addresses, by the names that the demo uses. */
function addressLines(environment: Environment, { play, once }: Pick<SandboxOptions, 'play' | 'once'>): string[] {
  const { token, webhook, sweep, reader, admin, google, firestoreHost, firestoreStartedBy } = environment;
  const shown = play && `/v1/projects/${PLAYED_PROJECTS[play]}/databases/(default)/documents`;
  const [name, path] = shown === undefined ? ['FIRESTORE', ''] : ['DOCUMENTS', shown];
  return [
    '',
    `KEYDESK    ${token.url}   the function token, which issues credentials`,
    `WEBHOOK    ${webhook.url}   the function webhook, which receives Buildkite's webhooks`,
    `SWEEP      ${sweep.url}   the function sweep, which runs here when you call it`,
    `READER     ${reader.url}   the function reader, which shows people the ledger`,
    `ADMIN      ${admin.url}   the function admin, with which people end access`,
    `${name}  http://${firestoreHost}${path}   Google's Firestore emulator (${firestoreStartedBy})`,
    `GOOGLE     ${google.url}   a fake of IAM, Cloud Storage and other Google APIs`,
    ...conditionLines(environment, once),
  ];
}

/** Who meets the conditions of rules. */
function conditionLines({ policy, buildkite, machines }: Environment, once: boolean): string[] {
  const [provider] = Object.keys(policy.identityProviders);
  return [
    ...(Object.keys(policy.teams).length > 0
      ? [
          `BUILDKITE  ${buildkite.url}   a fake of Buildkite. Alice starts builds and Bob approves them: both are in every team of the policy. Carol is in none${once ? '' : '. Call the sweep once an hour: it reads the teams'}`,
        ]
      : []),
    ...(provider === undefined ? [] : [`MACHINE    ${machines.tokenUrlOf(provider)}   issues tokens of the machine`]),
  ];
}

async function playSteps(environment: Environment, run: typeof runDemo, print: Print): Promise<boolean> {
  let number = 0;
  let succeeded = await run(environment, (step) => {
    number += 1;
    for (const line of linesOf(step, number)) print(line);
  });
  if (environment.google.unexpected.length > 0) {
    succeeded = false;
    print(`Keydesk sent requests that Google refuses: ${environment.google.unexpected.join(', ')}`);
  }
  print(succeeded ? 'All steps passed.' : 'Some steps failed: see the lines marked ✗.');
  return succeeded;
}

async function issueAll(environment: Environment, run: typeof issueEach, print: Print): Promise<boolean> {
  const marks = { issued: '✓', failed: '✗', ungranted: '–' } as const;
  const succeeded = await run(environment, ({ credential, outcome, lines }) => {
    print(`${marks[outcome]} ${credential}`);
    for (const line of lines) print(`    ${line}`);
  });
  print(
    succeeded
      ? '\nEvery credential that a rule grants was issued.'
      : '\nSome credentials were not issued: see the lines marked ✗.',
  );
  return succeeded;
}

function linesOf({ title, shown, status, body, logged, problem }: Step, number: number): string[] {
  return [
    `${problem === undefined ? '✓' : '✗'} ${number}. ${title}`,
    `    ${shown}`,
    `    ${status} ${body.replace(/\s+/g, ' ').slice(0, 420)}`,
    ...(logged === undefined ? [] : [`    the log: ${logged}`]),
    ...(problem === undefined ? [] : [`    EXPECTED, BUT DID NOT HAPPEN: ${problem}`]),
    '',
  ];
}
