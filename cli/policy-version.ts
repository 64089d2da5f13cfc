// What `policy diff` compares: a file, or a file of a git revision.

import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { MissingPolicy, NamedPolicy } from '../shared/core/policy-analysis/review.ts';
import { POLICY_FILE } from './command-mistakes.ts';
import { isRevision, readFromRevision } from './git.ts';
import { readPolicy, toPolicy } from './policy-file.ts';
import { EXIT, fail } from './terminal.ts';

/** Reads what a person wrote: a file, `REVISION:PATH`, or a revision of `file`. Ends the process if it cannot. */
export function readPolicyVersion(written: string, file: string): NamedPolicy | MissingPolicy {
  const cut = written.indexOf(':');
  if (isFile(written) || (cut < 0 && POLICY_FILE.test(written)))
    return { ...readPolicy(written, 'Name a file, or a git revision.'), name: written };
  const revision = cut < 0 ? written : written.slice(0, cut);
  const path = cut < 0 ? `./${basename(file)}` : written.slice(cut + 1);
  const folder = cut < 0 ? dirname(file) : '.';
  if (!isFolder(folder))
    fail(EXIT.failure, `${folder} is not a folder, so ${file} has no revisions. Correct --policy.`);
  if (revision === '' || revision.startsWith('-') || !isRevision(revision, folder))
    fail(EXIT.usage, `${written} is neither a file nor a git revision${FETCH}`);
  const name = cut < 0 ? `${revision}:${file}` : written;
  const bytes = readFromRevision(revision, path, folder);
  return bytes ? { ...toPolicy(bytes, name), name } : { name, policy: undefined };
}

const FETCH = '. If it is a branch that this clone does not have, run git fetch origin BRANCH, and write FETCH_HEAD.';

function isFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isDirectory();
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
