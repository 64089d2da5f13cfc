// Builds the functions and the command, for the tests of what is deployed and of what a person runs. What is newer than its
// sources stays: another run in this folder may be using it.

import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['cli', 'deploy', 'examples', 'functions', 'scripts', 'shared'];
const FILES = ['LICENSE', 'firestore.indexes.json', 'package.json', 'package-lock.json'];
/** Of what a build writes, the first and the last. */
const [FIRST, LAST] = [join(ROOT, 'dist/token.cjs'), join(ROOT, 'dist/keydesk/keydesk.cjs')];

export default function buildFunctions(): void {
  if (isBuilt()) return;
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: ROOT, stdio: 'inherit' });
}

function isBuilt(): boolean {
  if (!existsSync(FIRST) || !existsSync(LAST)) return false;
  const builtAt = lstatSync(FIRST).mtimeMs;
  // A folder is newer once a file of it was removed.
  const inside = SOURCES.flatMap((folder) => [
    folder,
    ...readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  ]);
  return [...FILES, ...inside].every((path) => lstatSync(join(ROOT, path)).mtimeMs < builtAt);
}
