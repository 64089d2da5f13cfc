// What is printed of broken policies, in messages.golden.txt for people to read. Each has as many problems as mistakes, and the caret
// is under the mistake. `RECORD=1 npx vitest run --project unit test/unit/core/policy/messages.test.ts` writes the file.

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../../shared/core/policy/check-text.ts';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import type { LocatedProblem } from '../../../../shared/core/policy/places.ts';
import { renderProblem } from '../../../../shared/core/policy/render-problem.ts';
import { BROKEN_POLICIES, type BrokenPolicy, VALID_POLICY } from '../../../fixtures/broken-policies.ts';

const GOLDEN = new URL('messages.golden.txt', import.meta.url);
const CASES = Object.entries(BROKEN_POLICIES).flatMap(([group, policies]) =>
  policies.map((policy) => [`${group}: ${policy[0]}`, policy] as const),
);

/** The text without the marks, and what they enclose. */
function broken([title, ...edits]: BrokenPolicy): {
  text: string;
  marked: { line: number; column: number; under: string }[];
} {
  const edited = edits.reduce((text, [before, after]) => {
    expect(text, title).toContain(before);
    return text.replace(before, () => after);
  }, VALID_POLICY);
  const marked = [...edited.matchAll(/«([^»]*)»/g)].map(({ 1: under = '', index }) => {
    const before = edited.slice(0, index).replace(/[«»]/g, '').split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, under };
  });
  return { text: edited.replace(/[«»]/g, ''), marked };
}

function problemsOf(text: string): readonly LocatedProblem[] {
  const result = checkPolicyText(text);
  return 'problems' in result ? result.problems : [];
}

describe('a message about a policy', () => {
  it('is none for the valid one', () => {
    expect(problemsOf(VALID_POLICY)).toEqual([]);
    expect(CASES.length).toBeGreaterThanOrEqual(80);
  });

  it.each(CASES)('is one for each mistake, at the mistake: %s', (_, policy) => {
    const { text, marked } = broken(policy);
    const lines = text.split('\n');
    expect(
      problemsOf(text).map(({ line, column, length }) => {
        const under = lines[line - 1]?.slice(column - 1, column - 1 + length) ?? '';
        return { line, column, under };
      }),
    ).toEqual(marked);
  });

  it.each(CASES)('is one at least in the log of a function: %s', (_, policy) => {
    expect(parsePolicy(broken(policy).text, 'policy.yaml')).toHaveProperty('problems');
  });

  it('is what a person has read', () => {
    const printed = Object.entries(BROKEN_POLICIES).map(([group, policies]) => {
      const messages = policies.map((policy) => {
        const { text } = broken(policy);
        const rendered = problemsOf(text).map((problem) =>
          renderProblem({ severity: 'error', ...problem }, { file: 'policy.yaml', text }),
        );
        return `## ${policy[0]}\n\n${rendered.join('\n')}\n`;
      });
      return `# ${group}\n\n${messages.join('\n')}`;
    });
    const golden = printed.join('\n');
    if (process.env.RECORD) writeFileSync(GOLDEN, golden);
    expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
  });
});
