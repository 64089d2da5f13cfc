// What is suggested never opens more, and is a policy that can be deployed, whatever edits are suggested.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkPolicyText } from '../../../../shared/core/policy/check-text.ts';
import type { Suggestion } from '../../../../shared/core/policy-history/suggest.ts';
import { tighten } from '../../../../shared/core/policy-history/tightened.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const ALLOW = '- { path: "config/{document=**}", verbs: [get, list, create, update] }';
const NARROWER = '- { path: "config/{document=**}", verbs: [get] }';

function suggestion(before: string, after: string): Suggestion {
  const start = EXAMPLE.indexOf(before);
  expect(start).toBeGreaterThan(0);
  const edits = [{ start, end: start + before.length, text: after }];
  return { path: ['credentials'], change: `to ${after.slice(0, 20)}`, evidence: [], kept: [], edits };
}

function tightened(...suggestions: readonly Suggestion[]) {
  const read = checkPolicyText(EXAMPLE);
  if (!('policy' in read)) throw new Error(JSON.stringify(read.problems));
  const { applied, rejected, text } = tighten(read, suggestions);
  return { applied, rejected, isSame: text === EXAMPLE };
}

/** Entries that open less than the one that they replace, and make rules that Firestore refuses. */
const MANY = Array.from(
  { length: 3000 },
  (_, nth) => `- { path: "config/${'x'.repeat(90)}${nth}", verbs: [get] }`,
).join('\n        ');

describe('a suggestion', () => {
  it('is applied when it only narrows', () => {
    const narrower = suggestion(ALLOW, NARROWER);
    expect(tightened(narrower)).toEqual({ applied: [narrower], rejected: [], isSame: false });
  });

  it.each([
    ['opens more', ALLOW, '- { path: "{document=**}", verbs: [get] }'],
    ['is valid for longer', 'ttl: 15m', 'ttl: 30m'],
    ['goes to more jobs', '[main, "release/*"]', '[main, "**"]'],
    ['opens less and more', ALLOW, '- { path: "other/{document=**}", verbs: [get] }'],
    ['is no policy', 'ttl: 15m', 'ttl: long'],
    ['makes rules that Firestore refuses', ALLOW, MANY],
  ])('is rejected when a policy with it %s, and others stay', (_, before, after) => {
    const wrong = suggestion(before, after);
    expect(tightened(wrong)).toEqual({ applied: [], rejected: [wrong], isSame: true });
    const right = suggestion('build_source: [webhook, ui]', 'build_source: [webhook]');
    expect(tightened(wrong, right)).toMatchObject({ applied: [right], rejected: [wrong] });
  });
});
