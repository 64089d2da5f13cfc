import { defineConfig, mergeConfig } from 'vitest/config';
import { CannotStart, chooseFirestore } from './sandbox/emulators.ts';
import { BEFORE_THE_LEDGER, WITHOUT_EMULATOR } from './test/in-memory-only.ts';
import base from './vitest.config.ts';

// Everything: also what needs Google's emulators (Java), and the system tests. The tests in `http` whose ledger can be the
// emulator's run on it too.
const onEmulators = [
  {
    name: 'emulator',
    include: ['test/emulator/**/*.test.ts', 'test/http/**/*.test.ts'],
    exclude: [...WITHOUT_EMULATOR, ...BEFORE_THE_LEDGER],
    // As in vitest.config.ts.
    isolate: false,
  },
  { name: 'system', include: ['test/system/**/*.test.ts'], exclude: [], isolate: true },
];

/** Whether the emulators can be started here. With CI=true nothing is skipped: there a reason is an error. */
async function canStart(): Promise<boolean> {
  try {
    await chooseFirestore();
    return true;
  } catch (error) {
    if (!(error instanceof CannotStart) || process.env.CI === 'true') throw error;
    process.stderr.write(`Skipped: test/emulator and test/system. ${error.message}\n`);
    return false;
  }
}

export default mergeConfig(
  base,
  defineConfig({
    test: {
      projects: ((await canStart()) ? onEmulators : []).map(({ name, include, exclude, isolate }) => ({
        extends: './vitest.config.ts',
        test: {
          name,
          include,
          exclude,
          isolate,
          provide: { ledger: 'emulator' },
          globalSetup: ['test/build-functions.ts', 'test/start-emulators.ts'],
        },
      })),
    },
  }),
);
