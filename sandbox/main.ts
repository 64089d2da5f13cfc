// `npm start`: opens the desk, plays one job's life, and stays up for trying by hand. `npm start -- --once` exits with 0
// only if every step came out as promised.

import { once } from 'node:events';
import '../scripts/build.ts';
import { openDesk } from './desk.ts';
import { playground } from './playground.ts';
import { playStory, type Step } from './story.ts';

const staysUp = !process.argv.includes('--once');
const say = (text = '') => process.stdout.write(`${text}\n`);

say('Keydesk: starting the emulators, a local Buildkite, a local Google and the three functions …');
const desk = await openDesk();
const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
let good = false;
try {
  say(`ready: Firestore emulator (${desk.firestoreStartedBy}) at ${desk.firestoreHost}, desk at ${desk.token.url}\n`);
  let number = 0;
  good = await playStory(desk, (step) => {
    number += 1;
    tell(step, number);
  });
  if (desk.google.unexpected.length > 0) {
    good = false;
    say(`The local Google was asked what the real one would refuse: ${desk.google.unexpected.join(', ')}`);
  }
  say(good ? 'Every step came out as promised.' : 'Not every step came out as promised: see the lines marked ✗.');
  if (staysUp) {
    const lines = await playground(desk);
    say('\nThe desk stays open. Another job runs; paste into a second terminal:\n');
    for (const line of lines) say(line);
    say('\nThe audit log so far (Ctrl-C ends everything):\n');
    for (const line of desk.log) say(line);
    let shown = desk.log.length;
    const follow = setInterval(() => {
      for (; shown < desk.log.length; shown += 1) say(desk.log[shown]);
    }, 200);
    await stopped;
    clearInterval(follow);
  }
} finally {
  await desk.close();
}
process.exit(good ? 0 : 1);

function tell({ title, shown, status, body, problem }: Step, number: number): void {
  say(`${problem === undefined ? '✓' : '✗'} ${number}. ${title}`);
  say(`    ${shown}`);
  say(`    ${status} ${body.replace(/\s+/g, ' ').slice(0, 420)}`);
  if (problem !== undefined) say(`    PROMISED, BUT NOT SO: ${problem}`);
  say();
}
