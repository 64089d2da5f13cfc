import { defineConfig } from 'vitest/config';

// The folder of a test says what it needs: `unit` Node alone, `http` sockets on loopback, `model` processor time. What needs
// Google's emulators or tools of the machine is in vitest.all.config.ts.
export default defineConfig({
  test: {
    environment: 'node',
    // Without a project, Google's auth library runs gcloud to find one.
    env: { HOME: '/nonexistent', GOOGLE_CLOUD_PROJECT: 'keydesk-tests' },
    maxWorkers: 2,
    // Nothing is decided by these: a test that hangs ends here.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 120_000 } },
    projects: ['unit', 'http', 'model'].map((name) => ({
      extends: true,
      // Files share their worker's modules, which takes less than half the time: none of them leaves anything behind.
      test: { name, include: [`test/${name}/**/*.test.ts`], provide: { ledger: 'memory' }, isolate: false },
    })),
  },
});
