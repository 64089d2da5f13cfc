import { defineConfig, mergeConfig } from 'vitest/config';
import { emulatorProjects } from './test/emulator-projects.ts';
import { BEFORE_THE_LEDGER, LONG_ON_EMULATOR, SAME_REQUESTS, WITHOUT_EMULATOR } from './test/in-memory-only.ts';
import { SlowestFirst } from './test/slowest-first.ts';
import base from './vitest.config.ts';

// Everything: also what needs Google's emulators (Java), and the system tests. The tests in `http` that need more of a ledger than
// others show on the emulator run on it too.
const projects = await emulatorProjects([
  {
    name: 'emulator',
    include: ['test/emulator/**/*.test.ts', 'test/http/**/*.test.ts'],
    exclude: [...WITHOUT_EMULATOR, ...BEFORE_THE_LEDGER, ...SAME_REQUESTS, ...LONG_ON_EMULATOR],
  },
  { name: 'system', include: ['test/system/**/*.test.ts'] },
]);

export default mergeConfig(base, defineConfig({ test: { projects, sequence: { sequencer: SlowestFirst } } }));
