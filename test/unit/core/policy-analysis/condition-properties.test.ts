// Policies whose rules have conditions, compared by the analysis and by judging every combination of facts that matters.

import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../sandbox/seeded-random.ts';
import { diffPolicies } from '../../../../shared/core/policy-analysis/diff.ts';
import {
  changedRules,
  grantsMore,
  isGranted,
  policyWith,
  randomRules,
} from '../../../fixtures/policy-oracle/conditions.ts';

const PAIRS = 150;
const SEED = 20_261_130;

describe('conditions of rules', () => {
  it('are compared as judging all facts compares them', () => {
    const random = seededRandom(SEED);
    const answers: Record<string, number> = { unchanged: 0, wider: 0, narrower: 0, both: 0 };
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const rules = randomRules(random);
      const others = random.chance(0.7) ? changedRules(rules, random) : randomRules(random);
      const [before, after] = [policyWith(rules), policyWith(others)];
      const [more, less] = [grantsMore(after, before), grantsMore(before, after)];
      const [found] = diffPolicies(before, after).credentials;
      const verdict = found?.verdict ?? '';
      const said = JSON.stringify({ rules, others, verdict });
      const expected = more ? (less ? 'both' : 'wider') : less ? 'narrower' : 'unchanged';
      // That one person may have started and approved a build is not part of the analysis, which can only find more by that.
      const isExact = ![...before.rules, ...after.rules].some(({ conditions }) => conditions.created_by);
      if (isExact) expect(verdict, said).toBe(expected);
      if (more) expect(['wider', 'both'], said).toContain(verdict);
      if (less) expect(['narrower', 'both'], said).toContain(verdict);
      answers[expected] = (answers[expected] ?? 0) + 1;
      if (!isExact) continue;
      const [change] = found?.changes ?? [];
      for (const [example, granting, refusing] of [
        [change?.gained, after, before],
        [change?.lost, before, after],
      ] as const) {
        if (!example || !('job' in example)) continue;
        const job = JSON.stringify([...example.job]);
        expect([isGranted(granting, example.job), isGranted(refusing, example.job)], `${said} ${job}`).toEqual([
          true,
          false,
        ]);
      }
    }
    for (const [answer, count] of Object.entries(answers)) expect(count, answer).toBeGreaterThan(5);
  });
});
