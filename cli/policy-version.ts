// What `policy diff` compares: a file, or a file of a git revision. No file of a pull request may stand for a revision: it would be
// compared with itself.

import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import type { MissingPolicy, NamedPolicy } from '../shared/core/policy-analysis/review.ts';
import type { TestText } from '../shared/core/policy-tests/lost-tests.ts';
import { POLICY_FILE, TEST_FILE } from './command-mistakes.ts';
import { isKnownRevision, isRevision, namesInRevision, readFromRevision, refsNamed } from './git.ts';
import { readPolicy, readText, toPolicy } from './policy-file.ts';
import { EXIT, fail } from './terminal.ts';

/**
 * Reads what a person wrote: a file, `REVISION:PATH`, or a revision of `file`. What has a colon is never a file, unless it begins like
 * a path. Ends the process if it cannot read it, or if it could be both.
 */
export function readPolicyVersion(written: string, file: string): (NamedPolicy | MissingPolicy) & Tests {
  const cut = isPath(written) ? -1 : written.indexOf(':');
  if (isPath(written) || (cut < 0 && (isFile(written) || POLICY_FILE.test(written))))
    return readFile(written, dirname(file), file);
  const revision = cut < 0 ? written : written.slice(0, cut);
  const path = cut < 0 ? `./${basename(file)}` : written.slice(cut + 1);
  const folder = cut < 0 ? dirname(file) : '.';
  if (!isFolder(folder))
    fail(EXIT.failure, `${folder} is not a folder, so ${file} has no revisions. Correct --policy.`);
  if (revision === '' || revision.startsWith('-') || !isRevision(revision, folder))
    fail(EXIT.usage, `${written} is neither a file nor a git revision${isFile(written) ? asPath(written) : FETCH}`);
  const [one, other] = refsNamed(revision, folder);
  if (one !== undefined && other !== undefined)
    fail(EXIT.usage, `${revision} is more than one git revision: ${one} and ${other}. Write one of these.`);
  const name = cut < 0 ? `${revision}:${file}` : written;
  const bytes = readFromRevision(revision, path, folder);
  const tests = bytes ? testsOfRevision(revision, path, folder) : [];
  return bytes ? { ...toPolicy(bytes, name), name, tests } : { name, policy: undefined, tests };
}

interface Tests {
  /** The files of tests next to the policy; undefined for a file that is in no revision. */
  readonly tests?: readonly TestText[];
}

/** The files of tests next to a policy. */
export function testsNextTo(file: string): TestText[] {
  const folder = dirname(file);
  return testFiles(readdirSync(folder)).map((name) => ({ file: name, text: readText(join(folder, name)) }));
}

function testsOfRevision(revision: string, policy: string, folder: string): TestText[] {
  const start = policy.slice(0, policy.lastIndexOf('/') + 1);
  return testFiles(namesInRevision(revision, start, folder)).flatMap((name) => {
    const bytes = readFromRevision(revision, `${start}${name}`, folder);
    return bytes ? { file: name, text: bytes.toString('utf8') } : [];
  });
}

function testFiles(names: readonly string[]): string[] {
  return names.filter((name) => TEST_FILE.test(name)).sort();
}

const FETCH = '. If it is a branch that this clone does not have, run git fetch origin BRANCH, and write FETCH_HEAD.';
const asPath = (written: string) => `. Write ./${written} for the file of this name.`;

function readFile(written: string, folder: string, file: string): NamedPolicy {
  if (!isPath(written) && isFile(written) && isFolder(folder) && isKnownRevision(written, folder))
    fail(
      EXIT.usage,
      `${written} is both a file and a git revision. Write ./${written} for the file, or ${written}:./${relative('.', file)} for the revision.`,
    );
  return { ...readPolicy(written, 'Name a file, or a git revision.'), name: written };
}

/** Whether it can only be a path. */
function isPath(written: string): boolean {
  return isAbsolute(written) || /^\.\.?[/\\]/.test(written);
}

function isFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isDirectory();
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
