// npm run mutate [-- FILE...]
//
// Runs Stryker on the pure ring, or on the files named: it changes one expression at a time, and runs the unit tests that reach it.
// Slow: about a second a mutant. Prints the survivors and the score of each folder, and writes dist/stryker/mutation.html.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What decides who gets access, and what ends it. */
const GUARDS = [
  'shared/core/grant/*.ts',
  'shared/core/pool/*.ts',
  'shared/core/kinds/*.ts',
  'shared/core/subject/*.ts',
  'shared/core/webhook/signature.ts',
  'shared/core/oauth/refusal.ts',
  'shared/core/oauth/exchange-request.ts',
  'shared/core/policy/decide.ts',
  'shared/core/policy/pattern.ts',
  'shared/core/policy/rule.ts',
  'shared/core/policy/claims.ts',
  'shared/core/kill-switch.ts',
  'shared/core/retry-after.ts',
  'shared/core/timing.ts',
  '!shared/core/**/stored-fields.ts',
];

const root = fileURLToPath(new URL('../../', import.meta.url));
const named = process.argv.slice(2);
const files = named.length > 0 ? named : GUARDS;
const stryker = 'tools/stryker/node_modules/@stryker-mutator/core/bin/stryker.js';
const args = [stryker, 'run', 'tools/stryker/stryker.config.json', '--mutate', files.join(',')];
const child = spawn(`${root}node_modules/node/bin/node`, args, { cwd: root, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`${error.message}: run "npm ci" first\n`);
  process.exitCode = 2;
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
