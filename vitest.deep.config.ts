import { defineConfig } from 'vitest/config';

// The model's histories alone, without emulators: by the ten thousand in `npm run test:deep`, one to see it again.
export default defineConfig({
  test: {
    include: ['test/model/*.test.ts', 'test/model/*.deep.ts'],
    provide: { ledger: 'memory' },
    maxWorkers: 2,
    environment: 'node',
    env: { HOME: '/nonexistent' },
  },
});
