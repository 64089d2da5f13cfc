// The projects of tests that need what is built, and Google's emulators.

import { CannotStart, chooseFirestore } from '../sandbox/emulators.ts';

interface Project {
  readonly name: string;
  readonly include: string[];
  readonly exclude?: string[];
  /** Whether each file has a process of its own. Default: false, as in vitest.config.ts. */
  readonly isolate?: boolean;
  /** See test/start-emulators.ts. Default: 1. */
  readonly effort?: number;
}

/** None where the emulators cannot be started. @throws {Error} there, with CI=true: nothing is skipped then */
export async function emulatorProjects(projects: readonly Project[]) {
  if (!(await canStart(projects))) return [];
  return projects.map(({ name, include, exclude = [], isolate = false, effort = 1 }) => ({
    extends: './vitest.config.ts',
    test: {
      name,
      include,
      exclude,
      isolate,
      provide: { ledger: 'emulator' as const, effort },
      globalSetup: ['test/build-functions.ts', 'test/start-emulators.ts'],
    },
  }));
}

async function canStart(projects: readonly Project[]): Promise<boolean> {
  try {
    await chooseFirestore();
    return true;
  } catch (error) {
    if (!(error instanceof CannotStart) || process.env.CI === 'true') throw error;
    process.stderr.write(`Skipped: ${projects.map(({ name }) => name).join(', ')}. ${error.message}\n`);
    return false;
  }
}
