// Sees that a mutated copy compiles: one that refers to what is no longer there is noticed by any test, and proves nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runNode } from './test-run.ts';

const LIMIT_MS = 300_000;

/** What keeps the code of the copy from compiling; undefined when it does. Unused names are no problem. */
export async function checkTypes(scratch: string): Promise<string | undefined> {
  const project = join(scratch, 'tsconfig.mutation.json');
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
  writeFileSync(
    project,
    JSON.stringify({ extends: './tsconfig.json', compilerOptions, include: ['functions', 'shared'] }),
  );
  const { status, output } = await runNode(
    [join(scratch, 'node_modules/typescript/bin/tsc'), '--noEmit', '--project', project],
    scratch,
    LIMIT_MS,
  );
  return status === 0 ? undefined : output.trim().split('\n').slice(0, 3).join(' | ');
}
