import { defineConfig } from 'vitest/config';

// The tests that judge a mutant: those of the pure ring, which need Node alone and take seconds.
export default defineConfig({
  test: {
    environment: 'node',
    env: { HOME: '/nonexistent', GOOGLE_CLOUD_PROJECT: 'keydesk-tests' },
    include: ['test/unit/core/**/*.test.ts'],
    provide: { ledger: 'memory' },
    isolate: false,
    // Nothing is decided by these: Stryker ends a mutant that hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
