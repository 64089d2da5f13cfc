// `npm run states [-- NAME...]`: searches every state within the large bounds, and prints what was found. Exits with 1 when an invariant
// is broken, with the shortest history that leads there.

import { LARGE } from './scenarios.ts';
import { search } from './search.ts';

const write = (line: string) => process.stdout.write(`${line}\n`);
const names = process.argv.slice(2);
const chosen = LARGE.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)));
if (chosen.length === 0) {
  write(`no bounds of that name. There are:\n${LARGE.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exitCode = 2;
}

for (const bounds of chosen) {
  const before = process.cpuUsage();
  const showProgress = process.stderr.isTTY ? (line: string) => process.stderr.write(`\r\x1b[K${line}`) : () => {};
  const { states, steps, depth, drained, counterexample } = search(bounds, { progress: showProgress });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const { user, system } = process.cpuUsage(before);
  const { name, budget, ...rest } = bounds;
  const within = Object.entries({ ...rest, ...budget }).map(([what, amount]) => `${what} ${JSON.stringify(amount)}`);
  write(`${name}\n  bounds: ${within.join(', ')}`);
  write(
    `  ${states} states, ${steps} steps, depth ${depth}; ${drained} ledgers come to their end; ${((user + system) / 1e6).toFixed(0)} s of CPU`,
  );
  if (!counterexample) continue;
  const { invariant, text, history } = counterexample;
  write(
    `  BROKEN ${invariant}: ${text}\n${history.map((line, at) => `  ${String(at + 1).padStart(3)}. ${line}`).join('\n')}`,
  );
  process.exitCode = 1;
}
