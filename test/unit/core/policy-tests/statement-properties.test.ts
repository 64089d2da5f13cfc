// Random statements about random policies, against `decide`.

import { expect, it } from 'vitest';
import { checkStatements } from '../../../fixtures/statement-properties.ts';

it('no job violates a proven statement, and the example of a refuted one does', () => {
  const { proven, refuted, 'cannot tell': unknown } = checkStatements(20261130, 250);
  expect(proven).toBeGreaterThan(50);
  expect(refuted).toBeGreaterThan(50);
  expect(unknown).toBe(0);
});
