import { defineConfig } from 'vitest/config';

// The folder of a test says what it needs: `unit` nothing, `http` sockets on loopback, `emulator` Google's emulators (Java),
// `system` the built functions and the tools of their users. The tests in `http` run on the emulator a second time.
export default defineConfig({
  test: {
    environment: 'node',
    // Without a project, Google's auth library runs gcloud to ask for one.
    env: { HOME: '/nonexistent', GOOGLE_CLOUD_PROJECT: 'keydesk-tests' },
    maxWorkers: 2,
    // Nothing is decided by these: a test that hangs ends here.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], provide: { ledger: 'memory' } } },
      { extends: true, test: { name: 'http', include: ['test/http/**/*.test.ts'], provide: { ledger: 'memory' } } },
      { extends: true, test: { name: 'model', include: ['test/model/**/*.test.ts'], provide: { ledger: 'memory' } } },
      {
        extends: true,
        test: {
          name: 'emulator',
          include: ['test/emulator/**/*.test.ts', 'test/http/**/*.test.ts'],
          provide: { ledger: 'emulator' },
          globalSetup: ['test/start-emulators.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          provide: { ledger: 'emulator' },
          globalSetup: ['test/start-emulators.ts'],
        },
      },
    ],
  },
});
