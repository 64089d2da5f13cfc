// Builds what is deployed: one small bundle per function, and beside it the part that talks to Firestore and Google,
// which a function loads only when it is needed. CommonJS, because the functions-framework loads it without looking
// for a package.json first.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build, type Plugin } from 'esbuild';

const ENTRIES = ['token', 'webhook', 'sweep', 'issuing', 'ending'];

/** `await import('./issuing.ts')` stays an import of its own file. */
const lazyParts: Plugin = {
  name: 'lazy-parts',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(issuing|ending)\.ts$/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path: path.replace(/\.ts$/, '.cjs'), external: true } : undefined,
    );
  },
};

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
await build({
  entryPoints: ENTRIES.map((name) => `functions/${name}.ts`),
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  plugins: [lazyParts],
  logLevel: 'warning',
});
writeFileSync(
  'dist/index.cjs',
  `module.exports = {
  get token() { return require('./token.cjs').token; },
  get webhook() { return require('./webhook.cjs').webhook; },
  get sweep() { return require('./sweep.cjs').sweep; },
};
`,
);
