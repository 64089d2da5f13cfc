// Which files of test/http the emulator is not needed for: see test/in-memory-only.ts.

import { globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BEFORE_THE_LEDGER, LONG_ON_EMULATOR, SAME_REQUESTS, WITHOUT_EMULATOR } from '../in-memory-only.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const files = globSync('test/http/**/*.test.ts', { cwd: ROOT }).sort();
const textOf = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');

/** The file and all that it imports, directly or not. */
function modulesOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path = ''] of textOf(file).matchAll(/\bfrom '(\.[^']+\.ts)'/g))
    modulesOf(relative(ROOT, resolve(ROOT, dirname(file), path)), found);
  return found;
}

describe('the tests that run in memory only', () => {
  it('are all that never learn where the ledger of their project is', () => {
    const asks = (file: string) => [...modulesOf(file)].some((module) => /\binject\('/.test(textOf(module)));
    expect(files.filter((file) => !asks(file))).toEqual(WITHOUT_EMULATOR);
  });

  it('are others that neither race nor read and write the ledger of their own', () => {
    expect(files).toEqual(expect.arrayContaining([...BEFORE_THE_LEDGER, ...SAME_REQUESTS, ...LONG_ON_EMULATOR]));
    for (const file of [...BEFORE_THE_LEDGER, ...SAME_REQUESTS])
      expect(textOf(file), file).not.toMatch(/\b(failQueries|aroundCommit|runTransaction)\b/);
    for (const file of BEFORE_THE_LEDGER) expect(textOf(file), file).not.toMatch(/\bfirestoreAs\b/);
  });

  it('leave every module of the ledger to tests that run on the emulator', () => {
    const onEmulator = [
      ...files.filter(
        (file) => ![...WITHOUT_EMULATOR, ...BEFORE_THE_LEDGER, ...SAME_REQUESTS, ...LONG_ON_EMULATOR].includes(file),
      ),
      ...globSync('test/emulator/**/*.test.ts', { cwd: ROOT }),
    ];
    const reached = new Set(onEmulator.flatMap((file) => [...modulesOf(file)]));
    const usesDatabase = (module: string) => /\.(collection|doc|getAll|batch|runTransaction)\(/.test(textOf(module));
    const ledger = globSync('shared/{ledger,firestore}/*.ts', { cwd: ROOT }).filter(usesDatabase);
    expect(ledger).toContain('shared/ledger/issuance.ts');
    expect(ledger.filter((module) => !reached.has(module))).toEqual([]);
  });
});
