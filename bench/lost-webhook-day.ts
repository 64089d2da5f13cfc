// `npm run lost-webhook-day`: one simulated day against the real Firestore emulator, with the messages that end jobs
// lost, doubled and late and Google failing, and whether every promise was kept. Exits with 1 when one was not.

import { parseArgs } from 'node:util';
import { startFirestore } from '../sandbox/emulators.ts';
import { runDay } from './day.ts';
import { reportDay } from './day-report.ts';

const { values } = parseArgs({
  options: { jobs: { type: 'string', default: '1000' }, seed: { type: 'string' }, hours: { type: 'string' } },
});
const jobs = toNumber('jobs', values.jobs);
const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : toNumber('seed', values.seed);
const hours = values.hours === undefined ? 24 : toNumber('hours', values.hours);

const firestore = await startFirestore();
process.stdout.write(`${jobs} jobs within ${hours} simulated hours, seed ${seed}\n`);
let broken = true;
try {
  const onHour = (hour: number, issued: number) => process.stderr.write(`hour ${hour}, ${issued} hand-outs\n`);
  const day = await runDay({ firestoreHost: firestore.host, jobs, seed, hours, onHour });
  process.stdout.write(`${reportDay(day)}\n`);
  broken = day.watch.broken.length > 0;
} finally {
  await firestore.stop();
}
process.exit(broken ? 1 : 0);

function toNumber(name: string, text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new Error(`--${name} must be a whole number of at least 1`);
  return Number(text);
}
