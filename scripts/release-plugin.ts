// `npm run release:plugin -- FOLDER [URL]`: writes the content of the plugin's own repository into FOLDER, a clone of it or a
// new folder. Links to Keydesk's documentation lead to URL, the repository of Keydesk; without it they become plain text.

import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../shared/version.ts';

const PLUGIN = fileURLToPath(new URL('../plugin', import.meta.url));
const LICENSE = fileURLToPath(new URL('../LICENSE', import.meta.url));
const LINK = /\[([^\]]*)\]\(\.\.\/([^)]*)\)/g;

const [folder, url, ...more] = process.argv.slice(2);
if (folder === undefined || more.length > 0) fail('Usage: npm run release:plugin -- FOLDER [URL]');
writePluginRepository(folder, url);
process.stdout.write(
  `${folder} has the plugin as of v${VERSION}. Next: commit it, tag it v${VERSION}, and push both.\n`,
);

function writePluginRepository(folder: string, url: string | undefined): void {
  mkdirSync(folder, { recursive: true });
  const existing = readdirSync(folder).filter((name) => name !== '.git');
  if (existing.length > 0 && !existsSync(join(folder, 'plugin.yml')))
    fail(`${folder} has files, and no plugin.yml. Name a clone of the plugin's repository, or a new folder.`);
  for (const name of existing) rmSync(join(folder, name), { recursive: true });
  cpSync(PLUGIN, folder, { recursive: true });
  cpSync(LICENSE, join(folder, 'LICENSE'));
  const readme = readFileSync(join(PLUGIN, 'README.md'), 'utf8');
  writeFileSync(
    join(folder, 'README.md'),
    readme.replace(LINK, (_, label, path) =>
      url === undefined ? label : `[${label}](${url}/blob/v${VERSION}/${path})`,
    ),
  );
  // Agents run hooks that are executable, and git keeps that bit.
  for (const part of ['hooks', 'bin'])
    for (const name of readdirSync(join(folder, part))) chmodSync(join(folder, part, name), 0o755);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
