// The sandbox from its start to its end, for whoever watches the terminal: plays the story, stays up if it is to, and
// leaves no process behind, however it ends.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemo, type Step } from './demo.ts';
import { CannotStart } from './emulators.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { openPlayground } from './playground.ts';
import { stopAll } from './process.ts';
import { waitForShutdown } from './shutdown.ts';

const real = { openEnvironment, runDemo, stopAll, waitForShutdown };

/** @returns the exit code. With `once` it is 0 only if all steps passed. */
export async function runSandbox({ once }: { readonly once: boolean }, deps: typeof real = real): Promise<number> {
  const stopRequested = deps.waitForShutdown();
  const stopHint = `To end it: Ctrl-C, or kill ${process.pid}`;
  let succeeded: boolean | undefined;
  let over = false;
  const print = (text = '') => {
    if (!over) process.stdout.write(`${text}\n`);
  };
  print('Keydesk: starting the emulators, a local Buildkite, a local Google and the three functions …');
  print(`${stopHint}.`);
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-sandbox-'));
  const logFile = join(folder, 'functions.log');
  const opening = deps.openEnvironment((line) => appendFileSync(logFile, `${line}\n`));

  const session = async () => {
    const environment = await opening;
    print(
      `ready: Firestore emulator (${environment.firestoreStartedBy}) at ${environment.firestoreHost}, desk at ${environment.token.url}`,
    );
    print(`the functions' log lines go to ${logFile}\n`);
    try {
      succeeded = await playDemo(environment, deps.runDemo, print);
    } finally {
      // Nobody looks into a file of a machine that is gone.
      if (once && !succeeded) for (const line of ["The functions' log:", ...environment.log]) print(line);
    }
    if (once) return;
    const playground = await openPlayground(environment);
    print(`\nThe functions' log:  tail -f ${logFile}`);
    print(`The desk stays open. ${stopHint}. To go on by hand, paste into a second terminal, line by line:\n`);
    for (const line of playground.lines) print(line);
    await stopRequested;
    await playground.close();
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
    await opening.then(
      (environment) => environment.close(),
      () => {},
    );
    // Whoever saw its path may still want to read it.
    if (once || succeeded === undefined) rmSync(folder, { recursive: true, force: true });
  }
  return succeeded === true || (succeeded === undefined && !once) ? 0 : 1;
}

async function playDemo(
  environment: Environment,
  run: typeof runDemo,
  print: (text?: string) => void,
): Promise<boolean> {
  let number = 0;
  let succeeded = await run(environment, (step) => {
    number += 1;
    for (const line of linesOf(step, number)) print(line);
  });
  if (environment.google.unexpected.length > 0) {
    succeeded = false;
    print(`The local Google was asked what the real one would refuse: ${environment.google.unexpected.join(', ')}`);
  }
  print(succeeded ? 'All steps passed.' : 'Some steps failed: see the lines marked ✗.');
  return succeeded;
}

function linesOf({ title, shown, status, body, logged, problem }: Step, number: number): string[] {
  return [
    `${problem === undefined ? '✓' : '✗'} ${number}. ${title}`,
    `    ${shown}`,
    `    ${status} ${body.replace(/\s+/g, ' ').slice(0, 420)}`,
    ...(logged === undefined ? [] : [`    in the functions' log: ${logged}`]),
    ...(problem === undefined ? [] : [`    EXPECTED, BUT NOT SO: ${problem}`]),
    '',
  ];
}
