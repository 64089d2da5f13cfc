// The folder that `npm pack` makes the release of: the command as one file, what the archives of the functions hold, and the
// Terraform module with what it reads. Its manifest names no dependency, so that it installs without a network.

import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FUNCTIONS } from '../cli/installation.ts';
import { VERSION } from '../shared/version.ts';
import { type Bundles, bundleCommand, bundleDeployScript } from './bundle.ts';
import { functionFiles, json, packagesIn } from './function-files.ts';
import { readLockFile } from './lock-file.ts';
import { billOfMaterials } from './sbom.ts';

/** Copied as they are: the Terraform module reads them by these paths. */
const COPIED = [
  'LICENSE',
  'deploy/build.sh',
  'deploy/monitoring',
  'deploy/rules.sh',
  'deploy/audit/views',
  'deploy/terraform',
  'examples/keydesk-policy.schema.json',
  'examples/policy.yaml',
  'firestore.indexes.json',
];
/** What `terraform init` leaves in a folder. */
const LEFT_OUT = /\/(\.terraform|terraform\.tfstate|\.terraform\.lock\.hcl)/;

/** Run it in the project's folder. */
export async function writeCommandPackage(folder: string, functions: Bundles): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const packages = readLockFile('package-lock.json');
  const command = await bundleCommand();
  const name = 'keydesk';
  const { description } = JSON.parse(readFileSync('package.json', 'utf8'));
  const manifest = {
    name,
    version: VERSION,
    description,
    license: 'Apache-2.0',
    bin: { keydesk: 'keydesk.cjs' },
    engines: { node: '>=22' },
    private: true,
  };
  const bundled = packagesIn(['keydesk'], command.outputs);
  const files = new Map<string, Uint8Array>([
    ...command.files,
    ['package.json', json(manifest)],
    ['sbom.cdx.json', Buffer.from(billOfMaterials({ name, version: VERSION, packages, bundled, installed: [] }))],
    ['deploy/build.mjs', await bundleDeployScript('build')],
    ['deploy/rules.mjs', await bundleDeployScript('rules')],
    ...FUNCTIONS.flatMap((target) =>
      [...functionFiles(target, functions, packages)].map(
        ([path, contents]) => [`functions/${target}/${path}`, contents] as const,
      ),
    ),
  ]);
  for (const [path, contents] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents);
  }
  for (const path of COPIED)
    cpSync(path, join(folder, path), { recursive: true, filter: (source) => !LEFT_OUT.test(source) });
  chmodSync(join(folder, 'keydesk.cjs'), 0o755);
}
