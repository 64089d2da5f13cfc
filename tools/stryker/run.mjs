// npm run mutate [-- FILE...]
//
// Runs Stryker on the pure ring, or on the files named: it changes one expression at a time, and runs the unit tests that reach it.
// Slow: about a second a mutant. Prints the survivors and the score of each folder, and writes dist/stryker/mutation.html.

import { runOnOwnNode } from '../own-node.mjs';

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

const named = process.argv.slice(2);
const files = named.length > 0 ? named : GUARDS;
const stryker = 'tools/stryker/node_modules/@stryker-mutator/core/bin/stryker.js';
runOnOwnNode(stryker, 'run', 'tools/stryker/stryker.config.json', '--mutate', files.join(','));
