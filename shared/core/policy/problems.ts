// What is wrong with a policy, in words for its author: zod's issues in, places and sentences out. What a schema says of
// its own stays as it is. Knows nothing about what a policy holds, nor where in a file it stands.

import type * as z from 'zod';
import { closestName } from '../closest-name.ts';

export interface PolicyProblem {
  readonly path: readonly (string | number)[];
  /** A sentence; one that begins with a lower-case letter gets what `path` names as its subject. */
  readonly message: string;
  /** `key` when the key is wrong, and not its value. */
  readonly at?: 'key';
}

/** Whether `inner` is `outer` or in it. */
export function isWithin(inner: PolicyProblem['path'], outer: PolicyProblem['path']): boolean {
  return outer.every((step, index) => inner[index] === step);
}

/** How the message about a missing value begins. */
export const MISSING = 'is missing';
const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list, such as [a, b]',
  object: 'a map, such as { key: value }',
  record: 'a map, such as { key: value }',
  int: 'a whole number',
  number: 'a whole number',
};

/** For `safeParse`: what an issue says when its schema has no words of its own. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined) return MISSING;
  switch (issue.code) {
    case 'invalid_type': {
      return `must be ${correction(issue.expected, issue.input) ?? TYPE_NAMES[issue.expected] ?? issue.expected}`;
    }
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}${suggestion(issue.input, issue.values)}`;
    case 'too_small':
      return issue.minimum === 1 && issue.origin !== 'number'
        ? 'must not be empty'
        : `must be ${issue.minimum} at least`;
    case 'too_big':
      return issue.origin === 'string'
        ? `must have ${issue.maximum} characters at most`
        : `must be ${issue.maximum} at most`;
    default:
      return undefined;
  }
}

function correction(expected: string, input: unknown): string | undefined {
  const scalar = ['string', 'number', 'boolean'].includes(typeof input);
  if (expected === 'string' && scalar) return 'text. Put it in quotes';
  return expected === 'array' && scalar ? `a list. Write [${input}]` : undefined;
}

function suggestion(input: unknown, values: readonly unknown[]): string {
  const near = typeof input === 'string' ? closestName(input, values.map(String)) : undefined;
  return near === undefined ? '' : `. Did you mean "${near}"?`;
}

/** @param issue of a `safeParse` with `reportInput`, so that a missing value differs from a wrong one */
export function toPolicyProblems(issue: z.core.$ZodIssue): PolicyProblem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...path, key], message: 'is not a key of this format', at: 'key' }));
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message, at: 'key' }];
  return [{ path, message: missingPrefix(issue) + issue.message }];
}

function missingPrefix({ code, input, message }: z.core.$ZodIssue): string {
  if (code === 'custom' || message === MISSING) return '';
  if (input === undefined) return `${MISSING}. It `;
  return input === null ? 'has no value. It ' : '';
}
