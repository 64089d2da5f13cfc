// `npm run build`: the bundles in dist/, an entry that knows all functions, V8's compiled code for it, and in dist/keydesk
// the package of the command.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { FUNCTIONS } from '../cli/installation.ts';
import { bundle } from './bundle.ts';
import { writeCommandPackage } from './command-package.ts';
import { BUILD_ONLY } from './compile-cache.ts';

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
const bundles = await bundle();
for (const [name, contents] of bundles.files) writeFileSync(`dist/${name}`, contents);
writeFileSync(
  'dist/index.cjs',
  `require('node:module').enableCompileCache?.({ directory: __dirname + '/compile-cache', portable: true });
module.exports = {
  get token() { return require('./token.cjs').token; },
  get webhook() { return require('./webhook.cjs').webhook; },
  get sweep() { return require('./sweep.cjs').sweep; },
  get reader() { return require('./reader.cjs').reader; },
  get admin() { return require('./admin.cjs').admin; },
};
`,
);
fillCompileCache();
await writeCommandPackage('dist/keydesk', bundles);

/** Loads every bundle once: one that does not load fails the build. Keeps V8's compiled code, for the sandbox; archives get theirs by compile-cache.ts. */
function fillCompileCache(): void {
  const bundleFiles = [...bundles.files.keys()].filter((name) => name.endsWith('.cjs'));
  const load = `const dist = require('./dist/index.cjs');
    for (const target of ${JSON.stringify(FUNCTIONS)}) dist[target];
    for (const file of ${JSON.stringify(bundleFiles)}) require('./dist/' + file);
    require('node:module').flushCompileCache();
    // Before a function takes its time to prepare for requests that do not come.
    process.exit(0);`;
  const { status, stderr } = spawnSync(process.execPath, ['--eval', load], {
    env: { KEYDESK_POLICY: 'examples/policy.yaml', ...BUILD_ONLY },
  });
  if (status !== 0) throw new Error(`the build does not load:\n${stderr}`);
}
