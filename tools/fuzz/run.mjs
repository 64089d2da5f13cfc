// Usage: node tools/fuzz/run.mjs --help

import { runOnOwnNode } from '../own-node.mjs';

runOnOwnNode('tools/fuzz/main.ts', ...process.argv.slice(2));
