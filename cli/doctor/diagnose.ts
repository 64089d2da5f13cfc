// Runs every check of a deployment, and applies the exceptions.

import { fillIn, fillInCommand, type Severity } from '../checks/check.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { COULD_NOT_LOOK, type Planned, planChecks, type Result, runChecks } from '../checks/run.ts';
import { projectNumber } from '../preflight/project.ts';
import { DOCTOR_KINDS } from './checks.ts';
import { type ClockOffsets, clocks } from './clock.ts';
import { EXCEPTION_FINDINGS, type Exception, hasExpired, isFor } from './exceptions.ts';
import { type NotLookedAt, notLookedAt } from './not-looked-at.ts';
import type { DoctorTarget } from './target.ts';
import { planWebhookChecks, type WebhookAccess } from './webhook.ts';

export interface DoctorFinding {
  readonly finding: string;
  readonly severity: Severity;
  readonly check: string;
  readonly resource: string;
  readonly member?: string;
  readonly role?: string;
  readonly condition?: string;
  readonly permissions?: readonly string[];
  readonly evidence: string;
  readonly risk: string;
  readonly fix: string;
  readonly undo?: string;
  /** It does not count because of this exception. */
  readonly exception?: Pick<Exception, 'reason' | 'expires'>;
}

export interface Diagnosis {
  readonly results: readonly Result[];
  /** What was found, without could_not_look, each once. */
  readonly findings: readonly DoctorFinding[];
  readonly notLooked: readonly DoctorFinding[];
  /** What was not asked for. */
  readonly notLookedAt: readonly NotLookedAt[];
}

interface Options {
  readonly exceptions: readonly Exception[];
  /** Of the exceptions, for messages. */
  readonly exceptionsFile: string;
  /** Filled while the checks run. */
  readonly offsets: ClockOffsets;
  /** Without it, the notification service at Buildkite is not looked at. */
  readonly webhook?: WebhookAccess | undefined;
  readonly onResult?: (done: number, planned: number) => void;
}

/** The numbers of the projects that URLs and members are made of; a project is left out when it cannot be read. */
export async function readNumbers(google: Google, projects: readonly string[]): Promise<Record<string, string>> {
  const numbers: Record<string, string> = {};
  for (const project of projects) {
    try {
      numbers[project] = await projectNumber(google, project);
    } catch (error) {
      if (!(error instanceof CouldNotLook)) throw error;
    }
  }
  return numbers;
}

export async function diagnose(target: DoctorTarget, google: Google, options: Options): Promise<Diagnosis> {
  let done = 0;
  const planned = [...planChecks(DOCTOR_KINDS, target), ...planWebhookChecks(target, google, options.webhook)];
  const run = (checks: readonly Planned[]) =>
    runChecks(checks, google, {
      accepted: [],
      report: () => {
        done += 1;
        options.onResult?.(done, planned.length);
      },
    });
  const first = await run(planned);
  // The clocks are those of the responses to the others.
  const results = [...first, ...(await run(planChecks([clocks], { ...target, offsets: options.offsets })))];
  const all = distinct(results.flatMap(toFindings));
  const notLooked = all.filter(({ finding }) => finding === COULD_NOT_LOOK);
  const found = all.filter(({ finding }) => finding !== COULD_NOT_LOOK);
  const now = target.clock.now();
  return {
    results,
    notLooked,
    notLookedAt: notLookedAt(target, options.webhook),
    findings: [
      ...found.map((one) => withException(one, options.exceptions, now)),
      ...judgeExceptions(found, options, { now, isWhole: notLooked.length === 0 }),
    ],
  };
}

function toFindings({ check, subject, findings }: Result): DoctorFinding[] {
  return findings.map(({ finding, severity, what, why, fix, undo, resource = subject, member, held = {} }) => ({
    finding,
    severity,
    check,
    resource,
    ...(member === undefined ? {} : { member }),
    ...held,
    evidence: what,
    risk: why,
    fix,
    ...(undo === undefined ? {} : { undo }),
  }));
}

/** A folder is above several projects, and is looked at for each. */
function distinct(findings: readonly DoctorFinding[]): DoctorFinding[] {
  const key = ({ finding, resource, member, role, condition, evidence, check }: DoctorFinding) =>
    JSON.stringify([finding, resource, member, role, condition, evidence, finding === COULD_NOT_LOOK ? check : '']);
  return [...new Map(findings.map((one) => [key(one), one])).values()];
}

function withException(finding: DoctorFinding, exceptions: readonly Exception[], now: number): DoctorFinding {
  const valid = exceptions.find((one) => isFor(one, finding) && !hasExpired(one, now));
  return valid ? { ...finding, exception: { reason: valid.reason, expires: valid.expires } } : finding;
}

/** What was not looked at may be what an exception is for. */
function judgeExceptions(
  found: readonly DoctorFinding[],
  { exceptions, exceptionsFile: file }: Options,
  { now, isWhole }: { readonly now: number; readonly isWhole: boolean },
): DoctorFinding[] {
  return exceptions.flatMap((exception) => {
    const isUsed = found.some((one) => isFor(exception, one));
    const name = hasExpired(exception, now) ? 'exception_expired' : !isUsed && isWhole ? 'exception_unused' : undefined;
    if (name === undefined) return [];
    const { severity, what, why, fix, undo } = EXCEPTION_FINDINGS[name];
    const { finding, resource, member, role, reason, expires } = exception;
    const facts = {
      finding,
      reason,
      expires,
      file,
      resource: [resource, member, role].filter((part) => part !== undefined).join(', '),
    };
    return [
      {
        finding: name,
        severity,
        check: 'exceptions',
        resource: `${finding} ${resource}`,
        ...(member === undefined ? {} : { member }),
        evidence: fillIn(what, facts),
        risk: fillIn(why, facts),
        fix: fillInCommand(fix, facts),
        undo: fillInCommand(undo, facts),
      },
    ];
  });
}
