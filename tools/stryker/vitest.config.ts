import { defineConfig } from 'vitest/config';

// The tests that judge a mutant: those of the pure ring, which need Node alone and take seconds. Those that judge whole policies
// by thousands of generated jobs take a minute for each mutant, and are left out.
export default defineConfig({
  test: {
    environment: 'node',
    env: { HOME: '/nonexistent', GOOGLE_CLOUD_PROJECT: 'keydesk-tests' },
    include: [process.env.TESTS ?? 'test/unit/core/**/*.test.ts'],
    exclude: ['test/unit/core/policy-{analysis,history,tests,warnings}/**'],
    provide: { ledger: 'memory' },
    isolate: false,
    // Nothing is decided by these: Stryker ends a mutant that hangs.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
