// What `keydesk doctor --json` found, as it was given: a review repeats it, and counts what was not accepted.

import { createHash } from 'node:crypto';
import * as z from 'zod';
import { parseJson } from '../json.ts';

export interface DoctorReport {
  /** Of the report where it says so, else of the file. */
  readonly dated: string | null;
  /** What the report says of itself; null where it is not a report of `keydesk doctor` about a deployment. */
  readonly about: DoctorAbout | null;
  readonly sha256: string;
  /** Findings, and what could not be looked at, but for those that were accepted. */
  readonly findings: readonly string[];
  readonly accepted: number;
  /** As given. */
  readonly report: unknown;
}

interface DoctorAbout {
  readonly project: string;
  readonly policy_sha256: string;
  /** When the data was read, ISO 8601. */
  readonly made_at: string;
  readonly source: 'google_apis' | 'files';
}

const text = z.string();
const aboutShape = z
  .object({
    project: text.min(1),
    policy_sha256: text.min(1),
    made_at: z.iso.datetime(),
    source: z.object({ kind: z.enum(['google_apis', 'files']) }),
    findings: z.array(z.unknown()),
    checks: z.array(z.unknown()).min(1),
  })
  .transform(
    ({ project, policy_sha256, made_at, source }): DoctorAbout => ({
      project,
      policy_sha256,
      made_at,
      source: source.kind,
    }),
  );
/** Of a deployment: a list of findings. An exception accepts one. */
const ofDeployment = z.looseObject({
  made_at: text.optional(),
  findings: z.array(
    z.looseObject({
      finding: text,
      check: text.optional(),
      resource: text.optional(),
      evidence: text.optional(),
      exception: z.unknown().optional(),
    }),
  ),
});
/** Before the first deployment: findings of each check. */
const beforeDeploy = z.looseObject({
  made_at: text.optional(),
  checks: z.array(
    z.looseObject({
      check: text,
      subject: text.optional(),
      findings: z.array(z.looseObject({ finding: text, what: text.optional(), accepted: z.boolean().optional() })),
    }),
  ),
});

/**
 * @param modifiedAt of the file, ISO 8601; null for standard input
 * @returns also what is wrong with the text, as a sentence
 */
export function readDoctorReport(source: string, modifiedAt: string | null): DoctorReport | { problem: string } {
  const report = parseJson(source);
  const found = findingsIn(report);
  if (!found) return { problem: 'It is not what `keydesk doctor --json` prints.' };
  const open = found.findings.filter(({ accepted }) => !accepted);
  return {
    dated: found.made_at ?? modifiedAt,
    about: aboutShape.safeParse(report).data ?? null,
    sha256: createHash('sha256').update(source).digest('hex'),
    findings: open.map(({ parts }) => parts.filter((part) => part !== undefined && part !== '').join(': ')),
    accepted: found.findings.length - open.length,
    report,
  };
}

function findingsIn(report: unknown) {
  const deployed = ofDeployment.safeParse(report).data;
  if (deployed) {
    const findings = deployed.findings.map(({ finding, resource, evidence, exception }) => ({
      parts: [finding, resource, evidence],
      accepted: exception !== undefined && exception !== null,
    }));
    return { made_at: deployed.made_at, findings };
  }
  const before = beforeDeploy.safeParse(report).data;
  const findings = before?.checks.flatMap((check) =>
    check.findings.map(({ finding, what, accepted = false }) => ({ parts: [finding, check.subject, what], accepted })),
  );
  return findings && { made_at: before?.made_at, findings };
}
