// What the archive of each function holds, but for the policy: that function's bundles and nothing of the others', a
// package.json and lock file from which `npm ci` installs the framework that was tested, a bill of materials, and what lets
// the platform's build compile the bundles. V8's compiled code itself is left out: its bytes differ from run to run.

import { readFileSync } from 'node:fs';
import { VERSION } from '../shared/version.ts';
import type { Bundles } from './bundle.ts';
import { BUILD_SCRIPTS, compileCacheFiles } from './compile-cache.ts';
import { closureOf, type LockedPackages, packageIn } from './lock-file.ts';
import { billOfMaterials } from './sbom.ts';

const FRAMEWORK = '@google-cloud/functions-framework';
const NODE_MAJOR = '24';

export function functionFiles(
  target: string,
  { files, outputs }: Bundles,
  packages: LockedPackages,
): Map<string, Uint8Array> {
  const names = bundlesOf(target, outputs);
  const name = `keydesk-${target}`;
  const installed = closureOf([`node_modules/${FRAMEWORK}`], packages);
  const manifest = {
    name,
    version: VERSION,
    license: 'Apache-2.0',
    dependencies: { [FRAMEWORK]: packageIn(`node_modules/${FRAMEWORK}`, packages).version },
    engines: { node: NODE_MAJOR },
  };
  const locked = Object.fromEntries(installed.map((folder) => [folder, packageIn(folder, packages)]));
  const lock = {
    name,
    version: VERSION,
    lockfileVersion: 3,
    requires: true,
    packages: { '': manifest, ...locked },
  };
  const sbom = billOfMaterials({
    name,
    version: VERSION,
    packages,
    bundled: shippedPackagesIn(names, outputs, packages),
    installed,
  });
  return new Map<string, Uint8Array>([
    ['LICENSE', readFileSync('LICENSE')],
    ['package.json', json({ ...manifest, private: true, main: 'dist/index.cjs', scripts: BUILD_SCRIPTS })],
    ['package-lock.json', json(lock)],
    ['sbom.cdx.json', Buffer.from(sbom)],
    ...compileCacheFiles(target, names).map(([path, text]) => [path, Buffer.from(text)] as const),
    ...names.flatMap((bundle) =>
      [`${bundle}.cjs`, `${bundle}.cjs.map`].map((file) => [`dist/${file}`, contentsOf(file, files)] as const),
    ),
  ]);
}

/** The function's own bundle and those that it loads. */
function bundlesOf(target: string, outputs: Bundles['outputs']): string[] {
  const loaded = outputs[`dist/${target}.cjs`]?.imports.flatMap(({ path, external }) => {
    const [, name] = /^\.\/([\w-]+)\.cjs$/.exec(path) ?? [];
    return external && name ? [name] : [];
  });
  if (!loaded?.length) throw new Error(`${target} was not bundled with a part of its own`);
  return [...new Set([target, ...loaded])];
}

function shippedPackagesIn(names: readonly string[], outputs: Bundles['outputs'], packages: LockedPackages): string[] {
  const folders = packagesIn(names, outputs);
  const forDevelopment = folders.find((folder) => packageIn(folder, packages).dev);
  if (forDevelopment) throw new Error(`${forDevelopment} is for development, and was bundled`);
  return folders;
}

/** The folders of the packages that these bundles contain. */
export function packagesIn(names: readonly string[], outputs: Bundles['outputs']): string[] {
  const inputs = names.flatMap((name) => Object.entries(outputs[`dist/${name}.cjs`]?.inputs ?? {}));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) => {
    const [folder] = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [];
    return folder && bytesInOutput > 0 ? [folder] : [];
  });
  return [...new Set(folders)].sort();
}

function contentsOf(file: string, files: Bundles['files']): Uint8Array {
  const contents = files.get(file);
  if (!contents) throw new Error(`${file} was not bundled`);
  return contents;
}

export function json(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}
