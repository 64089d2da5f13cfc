// Exceptions from findings, in a file of the repository: each has a finding, a resource, a reason and an end. The file is what a periodic review
// of IAM bindings reviews.

import { parse } from 'yaml';
import * as z from 'zod';
import { closestName } from '../../shared/core/closest-name.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import type { FindingTexts } from '../checks/check.ts';

const DAY_MS = 24 * 60 * 60_000;

const exceptionSchema = z.strictObject({
  finding: z.string(),
  resource: z.string(),
  /** Needed where the finding has one: another member is another finding. */
  member: z.string().optional(),
  reason: z.string().trim().min(1, 'must say why'),
  /** The last day on which it holds, in UTC. */
  expires: z.iso.date('must be a date such as 2027-03-01'),
});

const fileSchema = z.strictObject({ exceptions: z.array(exceptionSchema).nullish() });

export type Exception = z.output<typeof exceptionSchema>;

export const EXCEPTION_FINDINGS = {
  exception_expired: {
    severity: 'error',
    what: 'The exception for {finding} on {resource} expired after {expires}. Its reason was: {reason}',
    why: 'Nobody has reviewed it since. The finding counts again.',
    fix: 'Fix the finding and delete the exception. Or review it, and give it another date, in {file}.',
    undo: 'git revert the change of {file}.',
  },
  exception_unused: {
    severity: 'warning',
    what: 'The exception for {finding} on {resource} is for nothing: there is no such finding. Its reason was: {reason}',
    why: 'It would hide the finding, should it come back.',
    fix: 'Delete it from {file}.',
    undo: 'git revert the change of {file}.',
  },
} as const satisfies Readonly<Record<string, FindingTexts>>;

/** @param ids of the findings that an exception can name */
export function parseExceptions(
  text: string,
  ids: readonly string[],
): { readonly exceptions: readonly Exception[] } | { readonly problems: readonly string[] } {
  let written: unknown;
  try {
    written = parse(text);
  } catch (error) {
    return { problems: [errorMessage(error)] };
  }
  const result = fileSchema.safeParse(written ?? {});
  if (!result.success)
    return { problems: result.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`) };
  const exceptions = result.data.exceptions ?? [];
  const problems = exceptions.flatMap(({ finding }, index) => {
    if (ids.includes(finding)) return [];
    const closest = closestName(finding, ids);
    const hint = closest === undefined ? 'docs/DOCTOR.md lists the findings.' : `Did you mean ${closest}?`;
    return [`exceptions.${index}.finding: ${finding} is not a finding that can be excepted. ${hint}`];
  });
  return problems.length > 0 ? { problems } : { exceptions };
}

/** What an exception is compared with. */
export interface Excepted {
  readonly finding: string;
  readonly resource: string;
  readonly member?: string | undefined;
}

export function isFor(exception: Exception, { finding, resource, member }: Excepted): boolean {
  return exception.finding === finding && exception.resource === resource && exception.member === member;
}

export function hasExpired({ expires }: Exception, now: number): boolean {
  return now >= Date.parse(expires) + DAY_MS;
}
