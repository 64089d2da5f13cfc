import { defineConfig } from 'vitest/config';
import { emulatorProjects } from './test/emulator-projects.ts';
import { SAME_REQUESTS } from './test/in-memory-only.ts';

// What is worth its time once a release, and not with every change: CONTRIBUTING.md lists it.
const projects = await emulatorProjects([
  { name: 'emulator', include: ['test/emulator/**/*.deep.ts', ...SAME_REQUESTS], isolate: false },
  { name: 'system', include: ['test/system/**/*.deep.ts'], isolate: true },
]);

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      ...projects,
      {
        extends: './vitest.config.ts',
        test: { name: 'model', include: ['test/model/*.deep.ts'], provide: { ledger: 'memory' as const } },
      },
    ],
  },
});
