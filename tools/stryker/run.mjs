// Usage: npm run mutate -- --help

import { runOnOwnNode } from '../own-node.mjs';

runOnOwnNode('tools/stryker/main.ts', ...process.argv.slice(2));
