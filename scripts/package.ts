// `npm run package`: writes the archive that is deployed for each function. It holds that function's bundles and nothing of
// the others', a package.json and lock file from which `npm ci` installs the framework that was tested, a bill of materials,
// and for `token` the policy. The same sources give the same bytes on every machine: entries are sorted, times and modes
// fixed, and the compressor is JavaScript. V8's compile cache is left out: its bytes differ from run to run, and it serves
// only the very V8 that wrote it. manifest.json beside them says with which policy, and which security rules follow from that:
// whoever deploys compares. policy.json is that policy for Terraform.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { zipSync } from 'fflate';
import { HELP, readFlags } from '../cli/flags.ts';
import { fail, readPolicy } from '../cli/policy-file.ts';
import type { Policy } from '../shared/core/policy/policy.ts';
import { toPolicyJson } from '../shared/core/policy/to-json.ts';
import { databasesOf, extractGenerated, newRulesFile } from '../shared/core/rules/generate.ts';
import { generatedRulesProblems } from '../shared/core/rules/limits.ts';
import { type Bundles, bundle } from './bundle.ts';
import { closureOf, packageIn, readLockFile } from './lock-file.ts';
import { billOfMaterials } from './sbom.ts';

const USAGE = `usage: npm run package -- [options]
  --policy FILE    the policy that token.zip takes along, as policy.yaml; default policy.yaml
  --out FOLDER     where to; default packages`;
const FUNCTIONS = ['token', 'webhook', 'sweep'];
const FRAMEWORK = '@google-cloud/functions-framework';
const NODE_MAJOR = '24';
/** The earliest time that an archive can name. Entries have local time, so this is one too. */
const MODIFIED = new Date(1980, 0, 1);
/** A regular file that everybody may read: unix mode 0100644, in the upper half. */
const READABLE = 0o100644 * 2 ** 16;
const UNIX = 3;

const options = readFlags(
  USAGE,
  () =>
    parseArgs({
      options: {
        policy: { type: 'string', default: 'policy.yaml' },
        out: { type: 'string', default: 'packages' },
        help: HELP,
      },
    }).values,
);
const loaded = readPolicy(options.policy);
const problems = generatedRulesProblems(loaded.policy);
if (problems.length > 0) fail(1, problems.map((problem) => `${options.policy}: ${problem}`).join('\n'));
const project: { version: string; license: string } = JSON.parse(readFileSync('package.json', 'utf8'));
const packages = readLockFile('package-lock.json');
const bundles = await bundle();

mkdirSync(options.out, { recursive: true });
const archives = FUNCTIONS.map((target) => {
  const archive = zip(filesOf(target, bundles));
  const path = join(options.out, `${target}.zip`);
  writeFileSync(path, archive);
  console.log(`${path}  ${archive.length} bytes  sha256:${sha256(archive)}`);
  return [target, sha256(archive)] as const;
});
const packaged = {
  version: project.version,
  policy_sha256: loaded.sha256,
  rules_sha256: Object.fromEntries(rulesOf(loaded.policy)),
  archives: Object.fromEntries(archives),
};
writeFileSync(join(options.out, 'manifest.json'), json(packaged));
writeFileSync(join(options.out, 'policy.json'), toPolicyJson(loaded));

function filesOf(target: string, { files, outputs }: Bundles): Map<string, Uint8Array> {
  const names = bundlesOf(target, outputs);
  const name = `keydesk-${target}`;
  const installed = closureOf([`node_modules/${FRAMEWORK}`], packages);
  const manifest = {
    name,
    version: project.version,
    license: project.license,
    dependencies: { [FRAMEWORK]: packageIn(`node_modules/${FRAMEWORK}`, packages).version },
    engines: { node: NODE_MAJOR },
  };
  const locked = Object.fromEntries(installed.map((folder) => [folder, packageIn(folder, packages)]));
  const lock = {
    name,
    version: project.version,
    lockfileVersion: 3,
    requires: true,
    packages: { '': manifest, ...locked },
  };
  const sbom = billOfMaterials({
    name,
    version: project.version,
    packages,
    bundled: packagesIn(names, outputs),
    installed,
  });
  return new Map<string, Uint8Array>([
    ['LICENSE', readFileSync('LICENSE')],
    ['package.json', json({ ...manifest, private: true, main: `dist/${target}.cjs` })],
    ['package-lock.json', json(lock)],
    ['sbom.cdx.json', Buffer.from(sbom)],
    ...(target === 'token' ? [['policy.yaml', Buffer.from(loaded.text)] as const] : []),
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

/** The folders of the packages of which these bundles hold anything. */
function packagesIn(names: readonly string[], outputs: Bundles['outputs']): string[] {
  const inputs = names.flatMap((name) => Object.entries(outputs[`dist/${name}.cjs`]?.inputs ?? {}));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) => {
    const [folder] = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [];
    return folder && bytesInOutput > 0 ? [folder] : [];
  });
  const forDevelopment = folders.find((folder) => packageIn(folder, packages).dev);
  if (forDevelopment) throw new Error(`${forDevelopment} is for development, and was bundled`);
  return [...new Set(folders)].sort();
}

function contentsOf(file: string, files: Bundles['files']): Uint8Array {
  const contents = files.get(file);
  if (!contents) throw new Error(`${file} was not bundled`);
  return contents;
}

/** PROJECT/DATABASE => SHA-256 of the generated part of its rules. */
function rulesOf(policy: Policy): (readonly [string, string])[] {
  return databasesOf(policy).map((name) => [
    `${name.project}/${name.database}`,
    sha256(extractGenerated(newRulesFile(policy, name)) ?? ''),
  ]);
}

function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...files].sort(([left], [right]) => (left < right ? -1 : 1));
  return zipSync(Object.fromEntries(sorted), { level: 9, mtime: MODIFIED, os: UNIX, attrs: READABLE });
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function json(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}
