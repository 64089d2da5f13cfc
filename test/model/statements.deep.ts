// Random statements about random policies at length, against `decide`.

import { expect, it } from 'vitest';
import { checkStatements } from '../fixtures/statement-properties.ts';

it('no job violates a proven statement, and the example of a refuted one does', () => {
  for (let seed = 1; seed <= 20; seed += 1) expect(checkStatements(seed, 2_000).proven).toBeGreaterThan(400);
}, 3_600_000);
