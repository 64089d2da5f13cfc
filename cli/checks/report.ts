// The report of checks for people: a line for each check, then each finding with what fixes it.

import { visible } from '../../shared/core/policy/visible-text.ts';
import { COULD_NOT_LOOK, type Finding, type Result } from './run.ts';

const LABELS: Readonly<Record<Result['result'], string>> = {
  ok: 'ok',
  finding: 'finding',
  [COULD_NOT_LOOK]: 'could not look',
};
const LABEL_WIDTH = Math.max(...Object.values(LABELS).map(({ length }) => length));

/** @param nameWidth of the longest name of a check */
export function resultLine({ check, subject, result, detail, findings }: Result, nameWidth: number): string {
  const more =
    result === COULD_NOT_LOOK
      ? findings.map(({ what }) => what)
      : [
          ...findings.map(({ finding, accepted }) => `${finding}${accepted ? ' (accepted)' : ''}`),
          ...(detail === undefined ? [] : [detail]),
        ];
  const line = `${LABELS[result].padEnd(LABEL_WIDTH)}  ${check.padEnd(nameWidth)}  ${subject}`;
  return visible(more.length > 0 ? `${line}: ${more.join(', ')}` : line);
}

/** Findings that are not accepted, errors first. Those that one act fixes are shown once. */
export function explanations(results: readonly Result[]): string[] {
  const all = results.flatMap(({ check, subject, findings }) =>
    findings.filter(({ accepted }) => !accepted).map((finding) => ({ ...finding, about: `${check}, ${subject}` })),
  );
  const groups = [...Map.groupBy(all, ({ finding, what, fix }) => JSON.stringify([finding, what, fix])).values()];
  return [...groups.filter(isError), ...groups.filter((group) => !isError(group))].flatMap(([first, ...others]) => {
    if (!first) return [];
    const { severity, finding, what, why, fix, about } = first;
    const where =
      finding === COULD_NOT_LOOK ? [`  checks: ${[first, ...others].map((one) => one.about).join('; ')}`] : [];
    return [
      `${severity} ${finding} (${about.split(', ', 1)[0]}): ${what}`,
      ...where,
      `  why: ${why}`,
      `  fix: ${fix}`,
      '',
    ].map(visible);
  });
}

function isError([first]: readonly Finding[]): boolean {
  return first?.severity === 'error';
}

export interface Counts {
  readonly checks: number;
  readonly ok: number;
  readonly errors: number;
  readonly warnings: number;
  readonly accepted: number;
  readonly could_not_look: number;
}

export function countResults(results: readonly Result[]): Counts {
  const findings = results.flatMap((result) => result.findings);
  const counted = findings.filter(({ finding, accepted }) => finding !== COULD_NOT_LOOK && !accepted);
  return {
    checks: results.length,
    ok: results.filter(({ result }) => result === 'ok').length,
    errors: counted.filter(({ severity }) => severity === 'error').length,
    warnings: counted.filter(({ severity }) => severity === 'warning').length,
    accepted: findings.filter(({ accepted }) => accepted).length,
    could_not_look: results.filter(({ result }) => result === COULD_NOT_LOOK).length,
  };
}

export function summary({ checks, ok, errors, warnings, accepted, could_not_look }: Counts): string {
  return `${checks} checks: ${ok} ok, ${errors} errors, ${warnings} warnings, ${accepted} accepted, ${could_not_look} could not look.`;
}
