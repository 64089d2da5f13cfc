// What is wrong with a policy, in words for its author: zod's issues in, places and sentences out. What a schema says of
// its own stays as it is. Knows nothing about what a policy holds, nor where in a file it stands.

import type * as z from 'zod';
import { closestOrLonger } from '../closest-name.ts';

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
      return `must ${SIZES[issue.origin]?.(issue.maximum) ?? `be ${issue.maximum}`} at most`;
    default:
      return undefined;
  }
}

/** What a size counts. */
const SIZES: Readonly<Record<string, (size: number | bigint) => string>> = {
  string: (size) => `have ${size} characters`,
  array: (size) => `have ${size} items`,
};

function correction(expected: string, input: unknown): string | undefined {
  const scalar = ['string', 'number', 'boolean'].includes(typeof input);
  if (expected === 'string' && scalar) return 'text. Put it in quotes';
  return expected === 'array' && scalar && input !== '' ? `a list. Write [${input}]` : undefined;
}

function suggestion(input: unknown, values: readonly unknown[]): string {
  const near = typeof input === 'string' ? closestOrLonger(input, values.map(String)) : undefined;
  return near === undefined ? '' : `. Did you mean "${near}"?`;
}

/** @param issues of a `safeParse` with `reportInput`, so that a missing value differs from a wrong one */
export function toPolicyProblems(issues: readonly z.core.$ZodIssue[]): PolicyProblem[] {
  const all = issues.flatMap(nearestBranch);
  const keyOf = ({ path }: z.core.$ZodIssue) => path.map(String).join('\n');
  const ofWrongType = new Set(all.filter(({ code }) => code === 'invalid_type').map(keyOf));
  // zod compares the length of a text with the limits of a list.
  return all.filter((issue) => !isOfSize(issue) || !ofWrongType.has(keyOf(issue))).flatMap(toProblems);
}

function isOfSize({ code }: z.core.$ZodIssue): boolean {
  return code === 'too_small' || code === 'too_big';
}

/** Where a value is none of several forms, and the schema has no words for that: the issues of the form that it nearly has. */
function nearestBranch(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.message !== NO_WORDS) return [issue];
  const isWhole = (branch: readonly z.core.$ZodIssue[]) =>
    branch.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
  const nearest = issue.errors.find((branch) => !isWhole(branch)) ?? issue.errors[0] ?? [];
  return nearest.flatMap((inner) => nearestBranch({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** What zod says of an issue for which it has no words. */
const NO_WORDS = 'Invalid input';

function toProblems(issue: z.core.$ZodIssue): PolicyProblem[] {
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
