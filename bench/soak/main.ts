// `npm run soak`: a load of jobs on the built functions as separate processes, with faults, restarts and `kill -9`. Afterwards a
// checker that imports no code of the product judges the raw export of the ledger. Exits with 1 on a violation.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stopAll } from '../../sandbox/process.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { readEvidence } from './check/evidence.ts';
import { judge } from './check/judge.ts';
import { createReport, printReport } from './report.ts';
import { run } from './run.ts';
import { SETTLE_BOUND_MS } from './settle.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    jobs: { type: 'string', default: '200' },
    seed: { type: 'string' },
    tokens: { type: 'string', default: '3' },
    webhooks: { type: 'string', default: '2' },
    sweeps: { type: 'string', default: '2' },
    json: { type: 'string' },
    keep: { type: 'string' },
    check: { type: 'string' },
  },
});

const begun = systemClock.now();
const number = (name: 'minutes' | 'jobs' | 'tokens' | 'webhooks' | 'sweeps', least: number) => {
  const value = Number(values[name]);
  if (!(value >= least)) throw new Error(`--${name} must be a number from ${least}`);
  return value;
};

async function produce(folder: string): Promise<void> {
  const [minutes, jobs] = [number('minutes', 0.1), number('jobs', 1)];
  const seed = Number(values.seed ?? Math.floor(systemClock.random() * 2 ** 31));
  console.log(`${jobs} jobs at once for ${minutes} minutes, seed ${seed}, in ${folder}`);
  console.log(`Then up to ${Math.ceil(SETTLE_BOUND_MS / 60_000)} minutes until every grant and account is final.`);
  const instances = [number('tokens', 1), number('webhooks', 1), number('sweeps', 1)] as const;
  const onProgress = (text: string) =>
    console.log(`${((systemClock.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  await run({ folder, seed, jobs, minutes, instances, onProgress });
}

const folder = resolve(values.check ?? values.keep ?? mkdtempSync(join(tmpdir(), 'keydesk-soak-')));
process.once('SIGINT', () => void stopAll().then(() => process.exit(130)));
process.once('SIGTERM', () => void stopAll().then(() => process.exit(143)));
try {
  mkdirSync(folder, { recursive: true });
  if (values.check === undefined) await produce(folder);
} catch (error) {
  await stopAll();
  throw error;
}
const evidence = readEvidence(folder);
const verdicts = judge(evidence);
const report = createReport(evidence, verdicts);
printReport(report);
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
const failed = verdicts.some(({ judged, findings }) => judged === 0 || findings.length > 0);
if (failed || values.keep || values.check) console.log(`\nThe evidence is in ${folder}`);
else rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
