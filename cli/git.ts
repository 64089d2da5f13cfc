// Reads files of other revisions from git. Runs git itself, never a shell.

import { execFileSync } from 'node:child_process';
import { EXIT, fail } from './terminal.ts';

/** Bytes of one file. */
const MAX_FILE = 64 * 1024 * 1024;

/** Whether git knows a revision. Ends the process when there is no git, or no repository. */
export function isRevision(revision: string, folder: string): boolean {
  return runGit(['rev-parse', '--verify', '--quiet', `${revision}^{commit}`], folder) !== undefined;
}

/** The same, and false when there is no git, or no repository. */
export function isKnownRevision(revision: string, folder: string): boolean {
  const found = runIn(folder, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
  return found !== 'no git' && found.ok;
}

/** The branches and tags of a name. Git takes the tag without an error when there are several. */
export function refsNamed(name: string, folder: string): string[] {
  // A full hash is a commit, whatever else has this name.
  if (!/^[\w./-]+$/.test(name) || /^[0-9a-f]{40,64}$/.test(name)) return [];
  const places = ['refs/tags', 'refs/heads', 'refs/remotes'].map((place) => `${place}/${name}`);
  const found =
    runGit(['for-each-ref', '--format=%(refname)', ...places], folder)
      ?.toString()
      .split('\n') ?? [];
  return found.filter((ref) => places.includes(ref));
}

/**
 * The bytes of a file as it was.
 * @param path from the root of the repository, or from `folder` if it begins with `./`
 * @returns undefined when the revision has no such file
 */
export function readFromRevision(revision: string, path: string, folder: string): Buffer | undefined {
  const name = `${revision}:${path}`;
  const type = runGit(['cat-file', '-t', name], folder)?.toString().trim();
  if (type === undefined) return undefined;
  if (type !== 'blob') fail(EXIT.usage, `${name} is not a file. Name the policy file of that revision.`);
  return runGit(['cat-file', 'blob', name], folder);
}

/** The names in a folder of a revision. @param path as for readFromRevision */
export function namesInRevision(revision: string, path: string, folder: string): string[] {
  const found = runGit(['ls-tree', '--full-tree', '--name-only', '-z', `${revision}:${path}`], folder);
  return found?.toString().split('\0').slice(0, -1) ?? [];
}

/** @returns undefined when git exits with another code than 0, and is in a repository */
function runGit(args: readonly string[], folder: string): Buffer | undefined {
  const first = runIn(folder, args);
  if (first === 'no git') return fail(EXIT.failure, NO_GIT);
  if (first.ok) return first.out;
  // What git says depends on its language, so another question tells what is wrong.
  const repository = runIn(folder, ['rev-parse', '--git-dir']);
  if (repository === 'no git') return fail(EXIT.failure, NO_GIT);
  if (repository.ok) return undefined;
  return fail(
    EXIT.failure,
    `git finds no repository here (${repository.message}). Name two files, or change to the repository.`,
  );
}

const NO_GIT = 'git is not installed, or not in PATH. Install git, or name two files.';

function runIn(
  folder: string,
  args: readonly string[],
): { readonly ok: true; readonly out: Buffer } | { readonly ok: false; readonly message: string } | 'no git' {
  try {
    const out = execFileSync('git', args, { cwd: folder, maxBuffer: MAX_FILE, stdio: ['ignore', 'pipe', 'pipe'] });
    return { ok: true, out };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'no git';
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    return { ok: false, message: said.trim().split('\n')[0] ?? '' };
  }
}
