import { defineConfig } from 'vitest/config';

// The model at length, without emulators: histories by the ten thousand and a whole day in `npm run test:deep`, the day
// alone in `npm run simulate`.
export default defineConfig({
  test: {
    include: ['test/model/*.deep.ts'],
    provide: { ledger: 'memory' },
    maxWorkers: 2,
    environment: 'node',
    env: { HOME: '/nonexistent' },
  },
});
