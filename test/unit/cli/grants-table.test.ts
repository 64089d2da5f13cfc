// Grants as lines for people: a job chooses the name of its step, and what nobody sees is shown.

import { expect, it } from 'vitest';
import { grantLine, tableLines } from '../../../cli/grants/table.ts';
import { toGrantSummary } from '../../../shared/core/operator-api/grant.ts';
import { grantIn, NOW } from '../../fixtures/grants.ts';

it('shows characters that would hide or reorder a line', () => {
  const summary = toGrantSummary(grantIn('active', 'firestore'), NOW);
  const hostile = { ...summary, job: { ...summary.job, step_key: 'deploy\u202e\u001b[2J' } };
  for (const line of [...tableLines([hostile]).slice(1), grantLine(hostile)])
    expect(line).toContain('deploy<U+202E><U+001B>[2J');
  expect(tableLines([])).toEqual([]);
});
