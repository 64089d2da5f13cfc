import { defineConfig } from 'vitest/config';
import { emulatorProjects } from './test/emulator-projects.ts';
import { LONG_ON_EMULATOR, SAME_REQUESTS } from './test/in-memory-only.ts';
import { SlowestFirst } from './test/slowest-first.ts';

// What is not worth its time before every commit: CONTRIBUTING.md lists it. Continuous integration runs all but the project `model`.
/** They run in check too, with fewer generated cases. */
const GENERATED = ['memory-firestore', 'rules'].map((name) => `test/emulator/${name}.test.ts`);
const projects = await emulatorProjects([
  {
    name: 'emulator',
    include: ['test/emulator/**/*.deep.ts', ...GENERATED, ...SAME_REQUESTS, ...LONG_ON_EMULATOR],
    effort: 3,
  },
  { name: 'system', include: ['test/system/**/*.deep.ts'], isolate: true },
]);

export default defineConfig({
  test: {
    maxWorkers: 2,
    sequence: { sequencer: SlowestFirst },
    projects: [
      ...projects,
      {
        extends: './vitest.config.ts',
        test: { name: 'model', include: ['test/model/*.deep.ts'], provide: { ledger: 'memory' as const } },
      },
    ],
  },
});
