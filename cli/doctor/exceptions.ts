// Exceptions from findings, in a file of the repository: each has a finding, a resource, a reason and an end. The file is what a periodic review
// of IAM bindings reviews.

import { parse } from 'yaml';
import * as z from 'zod';
import { closestName } from '../../shared/core/closest-name.ts';
import { toIso } from '../../shared/core/iso-time.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import type { FindingTexts } from '../checks/check.ts';

const DAY_MS = 24 * 60 * 60_000;
/** Somebody looks at each exception at least once a year. */
const LONGEST_DAYS = 366;

const exceptionSchema = z.strictObject({
  finding: z.string(),
  resource: z.string(),
  /** Needed where the finding has one: another member is another finding. */
  member: z.string().optional(),
  /** These too: who gets a wider role later is another finding. */
  role: z.string().optional(),
  condition: z.string().optional(),
  permissions: z.array(z.string()).optional(),
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
    fix: 'Delete it from {file}. If the finding is there with another role, condition or other permissions, review it: an exception names these too.',
    undo: 'git revert the change of {file}.',
  },
} as const satisfies Readonly<Record<string, FindingTexts>>;

/**
 * @param options.ids of the findings that an exception can name
 * @param options.now in milliseconds since the epoch
 */
export function parseExceptions(
  text: string,
  { ids, now }: { readonly ids: readonly string[]; readonly now: number },
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
  const problems = exceptions.flatMap(({ finding, expires }, index) => [
    ...idProblems(finding, index, ids),
    ...horizonProblems(expires, index, now),
  ]);
  return problems.length > 0 ? { problems } : { exceptions };
}

function idProblems(finding: string, index: number, ids: readonly string[]): string[] {
  if (ids.includes(finding)) return [];
  const closest = closestName(finding, ids);
  const hint = closest === undefined ? 'docs/DOCTOR.md lists the findings.' : `Did you mean ${closest}?`;
  return [`exceptions.${index}.finding: ${finding} is not a finding that can be excepted. ${hint}`];
}

function horizonProblems(expires: string, index: number, now: number): string[] {
  const last = now + LONGEST_DAYS * DAY_MS;
  if (Date.parse(expires) <= last) return [];
  return [
    `exceptions.${index}.expires: ${expires} is more than ${LONGEST_DAYS} days away. Write ${toIso(last).slice(0, 10)} or an earlier day, and review the exception then.`,
  ];
}

/** What an exception is compared with. */
export interface Excepted {
  readonly finding: string;
  readonly resource: string;
  readonly member?: string | undefined;
  readonly role?: string | undefined;
  readonly condition?: string | undefined;
  readonly permissions?: readonly string[] | undefined;
}

/** What a member has is part of it: a reason for a role that reads is none for a role that writes. */
export function isFor(exception: Exception, found: Excepted): boolean {
  const { finding, resource, member, role, condition } = exception;
  return (
    finding === found.finding &&
    resource === found.resource &&
    member === found.member &&
    role === found.role &&
    condition === found.condition &&
    toKey(exception.permissions) === toKey(found.permissions)
  );
}

function toKey(permissions: readonly string[] | undefined): string | undefined {
  return permissions && JSON.stringify([...new Set(permissions)].sort());
}

export function hasExpired({ expires }: Exception, now: number): boolean {
  return now >= Date.parse(expires) + DAY_MS;
}
