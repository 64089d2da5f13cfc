// The report of a diagnosis: for people by severity, and as JSON.

import { toIso } from '../../shared/core/iso-time.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import { COULD_NOT_LOOK } from '../checks/run.ts';
import type { Diagnosis, DoctorFinding } from './diagnose.ts';

interface Counts {
  readonly checks: number;
  readonly ok: number;
  readonly errors: number;
  readonly warnings: number;
  readonly excepted: number;
  readonly could_not_look: number;
}

export function countFindings({ results, findings, notLooked }: Diagnosis): Counts {
  const counted = findings.filter(({ exception }) => !exception);
  return {
    checks: results.length,
    ok: results.filter(({ result }) => result === 'ok').length,
    errors: counted.filter(({ severity }) => severity === 'error').length,
    warnings: counted.filter(({ severity }) => severity === 'warning').length,
    excepted: findings.length - counted.length,
    could_not_look: notLooked.length,
  };
}

/** Whether nothing has to be done: no finding counts, and everything was looked at. */
export function isHealthy({ errors, warnings, could_not_look }: Counts): boolean {
  return errors + warnings + could_not_look === 0;
}

export function reportLines(diagnosis: Diagnosis): string[] {
  const { findings, notLooked, notLookedAt, results } = diagnosis;
  const counted = findings.filter(({ exception }) => !exception);
  const counts = countFindings(diagnosis);
  const ok = Map.groupBy(
    results.filter(({ result }) => result === 'ok'),
    ({ check }) => check,
  );
  return [
    ...section('Errors', counted.filter(({ severity }) => severity === 'error').flatMap(findingLines)),
    ...section('Warnings', counted.filter(({ severity }) => severity === 'warning').flatMap(findingLines)),
    ...section('Could not look', notLookedLines(notLooked)),
    ...section(
      'Excepted',
      findings.flatMap(({ exception, ...one }) =>
        exception ? [`  ${nameOf(one)}: ${exception.reason}, until ${exception.expires}`] : [],
      ),
    ),
    ...section(
      'As it must be',
      [...ok].map(([check, all]) => `  ${check}: ${all.length}`),
    ),
    ...section(
      'Not looked at',
      notLookedAt.map(({ what, flag }) => `  ${what}: give ${flag}`),
    ),
    `${counts.checks} checks: ${counts.ok} ok, ${counts.errors} errors, ${counts.warnings} warnings, ${counts.excepted} excepted, ${counts.could_not_look} could not look.${
      notLookedAt.length === 0 ? '' : ` ${notLookedAt.length} were not asked for: see "Not looked at".`
    }`,
  ].map(visible);
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ''];
}

function findingLines(one: DoctorFinding): string[] {
  const { evidence, risk, fix, undo } = one;
  return [
    `  ${nameOf(one)}`,
    `    evidence: ${evidence}`,
    `    risk: ${risk}`,
    `    fix: ${fix}`,
    ...(undo === undefined ? [] : [`    undo: ${undo}`]),
  ];
}

/** Those that one act fixes are shown once. */
function notLookedLines(notLooked: readonly DoctorFinding[]): string[] {
  const groups = Map.groupBy(notLooked, ({ evidence, fix }) => JSON.stringify([evidence, fix]));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    return [
      `  ${group.map(({ check, resource }) => `${check}: ${resource}`).join('; ')}`,
      `    evidence: ${first.evidence}`,
      `    fix: ${first.fix}`,
    ];
  });
}

function nameOf({ finding, resource, member }: Pick<DoctorFinding, 'finding' | 'resource' | 'member'>): string {
  return `${finding}  ${resource}${member === undefined ? '' : `  ${member}`}`;
}

/** @param about.madeAt when the data was read, the oldest of it, in milliseconds since the epoch */
export function toJson(
  diagnosis: Diagnosis,
  about: {
    readonly project: string;
    readonly policySha256: string;
    readonly madeAt: number;
    /** When the exported files were written, the oldest and the newest; undefined where Google's APIs were read. */
    readonly files?: { readonly oldest: number; readonly newest: number } | undefined;
  },
) {
  const { findings, notLooked, notLookedAt, results } = diagnosis;
  return {
    project: about.project,
    policy_sha256: about.policySha256,
    made_at: toIso(about.madeAt),
    source: about.files
      ? { kind: 'files', oldest_at: toIso(about.files.oldest), newest_at: toIso(about.files.newest) }
      : { kind: 'google_apis' },
    counts: countFindings(diagnosis),
    not_looked_at: notLookedAt,
    findings: [...findings, ...notLooked.map((one) => ({ ...one, finding: COULD_NOT_LOOK }))],
    checks: results.map(({ check, subject, result, detail }) => ({
      check,
      subject,
      result,
      ...(detail === undefined ? {} : { detail }),
    })),
  };
}
