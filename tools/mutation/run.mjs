// Usage: node tools/mutation/run.mjs --help

import { runOnOwnNode } from '../own-node.mjs';

runOnOwnNode('tools/mutation/main.ts', ...process.argv.slice(2));
