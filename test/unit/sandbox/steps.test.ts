// A step that did not happen as expected is reported with what is missing, and none after it makes up for it.

import { expect, it } from 'vitest';
import { type Step, Steps } from '../../../sandbox/steps.ts';

it('names every expectation that was not met', () => {
  const seen: Step[] = [];
  const steps = new Steps((step) => seen.push(step));
  const response = { status: 400, body: '{"access_token":"eyJhbGciOiJSUzI1NiJ9.a.b"}' };
  const report = (expected: Record<string, boolean>) => steps.report({ title: 't', shown: 's', response, expected });
  report({ one: true });
  expect(steps.succeeded).toBe(true);
  report({ one: true, two: false, three: false });
  report({ one: true });
  expect(seen.map(({ problem }) => problem)).toEqual([undefined, 'two; three', undefined]);
  expect(steps.succeeded).toBe(false);
  expect(seen[0]?.body).not.toContain('.a.b');
});
