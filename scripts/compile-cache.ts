// V8's compiled code of a function's bundles: a script that makes it in the platform's build, where the same Node runs that will
// serve, and the entry that uses it. Both are files of the archive. Without the compiled code the entry is only slower.
// Source: nodejs.org/api/module.html, "Module compile cache".

/** By path in the archive. @param bundles the names of all bundles of the function, its own first */
export function compileCacheFiles(target: string, bundles: readonly string[]): [path: string, text: string][] {
  return [
    ['dist/index.cjs', entryOf(target)],
    ['dist/fill-compile-cache.cjs', fillerOf(bundles)],
  ];
}

/** Settings with which every function loads. */
export const BUILD_ONLY = {
  GOOGLE_CLOUD_PROJECT: 'build-only',
  KEYDESK_WEBHOOK_TOKENS: 'build-only',
  KEYDESK_OPERATOR_AUDIENCES: 'https://build-only.example',
};

/** What the buildpack runs after it has installed the packages: docs.cloud.google.com/docs/buildpacks/nodejs. */
export const BUILD_SCRIPTS = { 'gcp-build': 'node dist/fill-compile-cache.cjs' };

/**
 * Node keeps the code in a folder whose name ends in the user's ID, and the platform builds and serves as different users. So
 * the entry gives that folder the name that Node looks for, by a link in the temporary folder.
 */
function entryOf(target: string): string {
  return `// Loads the function with the code that the build has compiled, if there is any.
try {
  const { mkdtempSync, readdirSync, symlinkSync } = require('node:fs');
  const { enableCompileCache } = require('node:module');
  const [built] = readdirSync(__dirname + '/compile-cache');
  const linked = mkdtempSync(require('node:os').tmpdir() + '/keydesk-');
  symlinkSync(__dirname + '/compile-cache/' + built, linked + '/' + built.replace(/\\d+$/, process.getuid()));
  enableCompileCache(linked);
} catch {}
module.exports = require('./${target}.cjs');
`;
}

/** A failed build would stop a deployment, so this never fails. */
function fillerOf(bundles: readonly string[]): string {
  return `// Compiles the bundles before they serve.
process.on('exit', () => {
  process.exitCode = 0;
});
const { chmodSync, readdirSync } = require('node:fs');
const { enableCompileCache, flushCompileCache } = require('node:module');
const folder = __dirname + '/compile-cache';
enableCompileCache(folder);
Object.assign(process.env, ${JSON.stringify(BUILD_ONLY)});
for (const name of ${JSON.stringify(bundles)}) require('./' + name + '.cjs');
flushCompileCache();
// The user that serves is not the one that builds.
for (const path of readdirSync(folder, { recursive: true })) chmodSync(folder + '/' + path, 0o755);
process.exit(0);
`;
}
