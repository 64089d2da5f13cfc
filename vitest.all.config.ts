import { defineConfig, mergeConfig } from 'vitest/config';
import { CannotStart, chooseFirestore } from './sandbox/emulators.ts';
import base from './vitest.config.ts';

// Everything: also what needs Google's emulators (Java), and the system tests. The tests in `http` run on the emulator too.
const onEmulators = [
  { name: 'emulator', include: ['test/emulator/**/*.test.ts', 'test/http/**/*.test.ts'], setup: [] },
  { name: 'system', include: ['test/system/**/*.test.ts'], setup: ['test/build-functions.ts'] },
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
      projects: ((await canStart()) ? onEmulators : []).map(({ name, include, setup }) => ({
        extends: './vitest.config.ts',
        test: { name, include, provide: { ledger: 'emulator' }, globalSetup: [...setup, 'test/start-emulators.ts'] },
      })),
    },
  }),
);
