// The sandbox from its start to its end, for whoever watches the terminal: plays the story, stays up if it is to, and
// leaves no process behind, however it ends.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { playStory, type Step } from './demo.ts';
import { CannotStart } from './emulators.ts';
import { type Desk, openDesk } from './environment.ts';
import { openPlayground } from './playground.ts';
import { stopAll } from './process.ts';
import { timeToEnd } from './shutdown.ts';

const real = { openDesk, playStory, stopAll, timeToEnd };

/** @returns the exit code. With `once` it is 0 only if all steps passed. */
export async function live({ once }: { readonly once: boolean }, deps: typeof real = real): Promise<number> {
  const told = deps.timeToEnd();
  const endIt = `To end it: Ctrl-C, or kill ${process.pid}`;
  let good: boolean | undefined;
  let over = false;
  const say = (text = '') => {
    if (!over) process.stdout.write(`${text}\n`);
  };
  say('Keydesk: starting the emulators, a local Buildkite, a local Google and the three functions …');
  say(`${endIt}.`);
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-sandbox-'));
  const logFile = join(folder, 'functions.log');
  const opening = deps.openDesk((line) => appendFileSync(logFile, `${line}\n`));

  const life = async () => {
    const desk = await opening;
    say(`ready: Firestore emulator (${desk.firestoreStartedBy}) at ${desk.firestoreHost}, desk at ${desk.token.url}`);
    say(`the functions' log lines go to ${logFile}\n`);
    try {
      good = await tellStory(desk, deps.playStory, say);
    } finally {
      // Nobody looks into a file of a machine that is gone.
      if (once && !good) for (const line of ["The functions' log:", ...desk.log]) say(line);
    }
    if (once) return;
    const playground = await openPlayground(desk);
    say(`\nThe functions' log:  tail -f ${logFile}`);
    say(`The desk stays open. ${endIt}. To go on by hand, paste into a second terminal, line by line:\n`);
    for (const line of playground.lines) say(line);
    await told;
    await playground.close();
  };
  const living = life();
  living.catch(() => {});
  try {
    await Promise.race([living, told]);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    over = true;
    await deps.stopAll();
    await opening.then(
      (desk) => desk.close(),
      () => {},
    );
    // Whoever saw its path may still want to read it.
    if (once || good === undefined) rmSync(folder, { recursive: true, force: true });
  }
  return good === true || (good === undefined && !once) ? 0 : 1;
}

async function tellStory(desk: Desk, play: typeof playStory, say: (text?: string) => void): Promise<boolean> {
  let number = 0;
  let good = await play(desk, (step) => {
    number += 1;
    for (const line of linesOf(step, number)) say(line);
  });
  if (desk.google.unexpected.length > 0) {
    good = false;
    say(`The local Google was asked what the real one would refuse: ${desk.google.unexpected.join(', ')}`);
  }
  say(good ? 'All steps passed.' : 'Some steps failed: see the lines marked ✗.');
  return good;
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
