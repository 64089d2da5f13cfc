// Bundles what is deployed: one small file per function, and next to it the part that talks to Firestore and Google, which
// a function loads only when it is needed. CommonJS, because the functions-framework loads it without looking for a
// package.json first. Also the command, as one file. Writes nothing.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, relative, resolve } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

/** Where google-gax's modules lie; its own dependencies resolve from there. */
const GAX_FOLDER = dirname(createRequire(import.meta.url).resolve('google-gax'));
/** By the bundle's name: the functions, and the parts that they load when they need them. */
const ENTRIES = {
  token: 'functions/token/index.ts',
  webhook: 'functions/webhook/index.ts',
  sweep: 'functions/sweep/index.ts',
  reader: 'functions/reader/index.ts',
  admin: 'functions/admin/index.ts',
  'token-dependencies': 'functions/token/dependencies.ts',
  'webhook-dependencies': 'functions/webhook/dependencies.ts',
  'sweep-dependencies': 'functions/sweep/dependencies.ts',
  revocation: 'shared/wiring/revocation.ts',
  'reader-dependencies': 'shared/wiring/reader.ts',
  'admin-dependencies': 'shared/wiring/admin.ts',
};

/** `await import('./dependencies.ts')` stays an import of its own bundle. */
const lazyParts: Plugin = {
  name: 'lazy-parts',
  setup({ onResolve }) {
    onResolve({ filter: /^\..*\.ts$/ }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined;
      const source = relative(process.cwd(), resolve(resolveDir, path));
      const [name] = Object.entries(ENTRIES).find(([, entry]) => entry === source) ?? [];
      return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
    });
  },
};

/**
 * Firestore over REST needs neither gRPC nor the static message classes, which are most of what its client loads.
 * They are left out. Code that uses them fails by name, and the tests run against this very build.
 */
const firestoreOverRest: Plugin = {
  name: 'firestore-over-rest',
  setup({ onLoad, onResolve }) {
    const replaceModule = (filter: RegExp, contents: string) =>
      onResolve({ filter }, ({ path }) => ({ path, namespace: 'firestore-over-rest', pluginData: contents }));
    replaceModule(
      /^google-gax$/,
      "module.exports = { ...require('./fallback.js'), ...require('./status.js'), loggingUtils: require('google-logging-utils'), grpc: { credentials: { createInsecure() {} } } };",
    );
    replaceModule(
      /^@google-cloud\/firestore-api$/,
      "exports.v1 = require('@google-cloud/firestore-api/build/src/v1');",
    );
    replaceModule(
      /^@google-cloud\/firestore-api\/build\/src\/v1$/,
      "exports.FirestoreClient = require('@google-cloud/firestore-api/client_v1').FirestoreClient;",
    );
    onLoad({ filter: /.*/, namespace: 'firestore-over-rest' }, ({ pluginData }) => ({
      contents: pluginData,
      resolveDir: GAX_FOLDER,
    }));
    onLoad({ filter: /firestore-api\/build\/protos\/protos\.js$/ }, () => ({
      contents: omittedModule('firestore-api protos'),
    }));
    onLoad({ filter: /firestore-api\/build\/protos\/protos\.json$/ }, ({ path }) => ({
      contents: withoutAdministration(readFileSync(path, 'utf8')),
      loader: 'json',
    }));
    onLoad({ filter: /google-gax\/build\/protos\/(iam_service|operations|locations)\.js$/ }, ({ path }) => ({
      contents: omittedModule(basename(path)),
    }));
  },
};

/** The descriptions of messages that the client turns into classes at its first call, without the messages of other services. */
function withoutAdministration(json: string): string {
  const descriptions = JSON.parse(json);
  const { firestore } = descriptions.nested.google.nested;
  delete firestore.nested.admin;
  delete descriptions.nested.google.nested.longrunning;
  return JSON.stringify(descriptions);
}

/** A module that can be named at any depth, and that cannot be used. */
function omittedModule(name: string): string {
  return `
const fail = () => { throw new Error(${JSON.stringify(`${name} is not part of this build`)}); };
const get = (_, member) => (typeof member === 'symbol' || member === '__esModule' ? undefined : nothing);
const nothing = new Proxy(function () {}, { get, apply: fail, construct: fail });
module.exports = nothing;`;
}

export interface Bundles {
  /** By file name: each bundle, and its source map, which names sources from the folder `dist` and quotes none. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What each bundle, `dist/NAME.cjs`, was made from, and what it loads: paths from the project's folder. */
  readonly outputs: Metafile['outputs'];
}

const COMMON = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  target: 'node22',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // What colours debug output, if it is there: with it the bundles would depend on what development tools bring along.
  external: ['supports-color'] as string[],
  logLevel: 'warning',
} as const satisfies BuildOptions;

/** The bundles of the functions. Run it in the project's folder. @param first plugins that see a source before the others */
export function bundle(first: readonly Plugin[] = []): Promise<Bundles> {
  const plugins = [...first, lazyParts, firestoreOverRest];
  return toCommonJs({ entryPoints: ENTRIES, sourcemap: 'linked', sourcesContent: false, plugins });
}

/** The command, as one file that needs no package. Run it in the project's folder. */
export function bundleCommand(): Promise<Bundles> {
  return toCommonJs({
    entryPoints: { keydesk: 'cli/keydesk.ts' },
    // A CommonJS module has no import.meta.
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [firestoreOverRest],
  });
}

async function toCommonJs(options: BuildOptions): Promise<Bundles> {
  const { outputFiles, metafile } = await build({
    ...options,
    ...COMMON,
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
  });
  return {
    files: new Map(outputFiles.map(({ path, contents }) => [basename(path), contents])),
    outputs: metafile.outputs,
  };
}

/** A script that Terraform runs, such as deploy/rules.ts, as one file that needs no package. */
export async function bundleDeployScript(name: 'build' | 'rules'): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: [`deploy/${name}.ts`],
    outfile: `${name}.mjs`,
    format: 'esm',
  });
  const [script] = outputFiles;
  if (!script) throw new Error(`deploy/${name}.ts was not bundled`);
  return script.contents;
}
