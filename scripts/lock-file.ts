// What the lock file says about installed packages: which one a package's dependency resolves to, and the part of it that
// a few packages need. Contacts no registry: the result is what the tests ran against.

import { readFileSync } from 'node:fs';

/** An entry of `packages`, as npm writes it: docs.npmjs.com/cli/configuring-npm/package-lock-json. */
export interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dev?: boolean;
}

/** By folder: `node_modules/a`, `node_modules/a/node_modules/b`. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

export function readLockFile(path: string): LockedPackages {
  const lock: { lockfileVersion: number; packages: LockedPackages } = JSON.parse(readFileSync(path, 'utf8'));
  if (lock.lockfileVersion !== 3) throw new Error(`${path} is of version ${lock.lockfileVersion}, not 3`);
  return lock.packages;
}

/** The folders of these packages and of everything that they need, sorted. */
export function closureOf(folders: readonly string[], packages: LockedPackages): string[] {
  const found = new Set<string>();
  const open = [...folders];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    if (found.has(folder)) continue;
    found.add(folder);
    open.push(...neededBy(folder, packages));
  }
  return [...found].sort();
}

/** The folders of the packages that the one in `folder` finds when it requires its dependencies. */
export function neededBy(folder: string, packages: LockedPackages): string[] {
  const { dependencies, optionalDependencies, peerDependencies } = packageIn(folder, packages);
  return Object.keys({ ...peerDependencies, ...optionalDependencies, ...dependencies }).flatMap((name) => {
    const at = ancestors(folder).find((ancestor) => `${ancestor}node_modules/${name}` in packages);
    if (at !== undefined) return [`${at}node_modules/${name}`];
    if (dependencies?.[name] === undefined) return [];
    throw new Error(`the lock file has no ${name}, which ${folder} needs`);
  });
}

export function packageIn(folder: string, packages: LockedPackages): LockedPackage {
  const found = packages[folder];
  if (!found) throw new Error(`the lock file has no ${folder}`);
  return found;
}

/** `a/node_modules/b` and `a` and the project, nearest first, each as what `node_modules/…` is appended to. */
function ancestors(folder: string): string[] {
  const parts = folder.split('/node_modules/');
  return [...parts.map((_, index) => `${parts.slice(0, parts.length - index).join('/node_modules/')}/`), ''];
}
