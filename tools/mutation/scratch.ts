// A copy of the repository in the temporary folder, with edits made in it. The repository itself is never written.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyEdits, type Edit } from './mutation.ts';

const ROOT = join(import.meta.dirname, '../..');
/** It compares the list of mutations with the code, and so fails in every mutated copy. */
const OWN_TEST = 'test/unit/mutations.test.ts';

const scratches = new Set<string>();

/**
 * What `work` comes to in a copy of the files that git knows or would add, as they are on the disk. Removed afterwards.
 * @param edits by the path of the file
 * @throws Error when an edit cannot be made
 */
export async function withScratch<T>(
  edits: ReadonlyMap<string, readonly Edit[]>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-mutation-'));
  scratches.add(folder);
  try {
    for (const file of filesOfRepository()) cpSync(join(ROOT, file), join(folder, file));
    for (const packages of installedPackages()) symlinkSync(join(ROOT, packages), join(folder, packages));
    for (const [file, ofFile] of edits)
      writeFileSync(join(folder, file), applyEdits(readFileSync(join(ROOT, file), 'utf8'), ofFile));
    return await work(folder);
  } finally {
    remove(folder);
  }
}

/** Removes the copies of work that does not go on. */
export function removeScratches(): void {
  for (const folder of scratches) remove(folder);
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  scratches.delete(folder);
}

/** The folders of installed packages: the repository's, and those of its tools that have some. */
function installedPackages(): string[] {
  const tools = readdirSync(join(ROOT, 'tools')).map((tool) => `tools/${tool}/node_modules`);
  return ['node_modules', ...tools].filter((folder) => existsSync(join(ROOT, folder)));
}

function filesOfRepository(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const listed = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return listed.filter((file) => file !== '' && file !== OWN_TEST && existsSync(join(ROOT, file)));
}
