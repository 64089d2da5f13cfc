// The tables of docs/DOCTOR.md: every check of a deployment, the permissions by which it looks, and every finding.

import type { FindingTexts } from '../../cli/checks/check.ts';
import { OWN_KINDS, PREFLIGHT_KINDS } from '../../cli/doctor/checks.ts';
import { EXCEPTION_FINDINGS } from '../../cli/doctor/exceptions.ts';
import { READS } from '../../cli/doctor/reads.ts';
import { type Blocks, name, sections, table } from './markdown.ts';

/** It has the findings of another kind. */
const INHERITED = 'inherited IAM bindings';

export function doctorTables(): Blocks {
  const described = OWN_KINDS.filter((kind) => kind.name !== INHERITED);
  return {
    checks: table(
      ['check', 'what it looks at'],
      OWN_KINDS.map((kind) => [
        `[${kind.name}](#${anchor(kind.name === INHERITED ? 'IAM bindings' : kind.name)})`,
        kind.looksAt,
      ]),
    ),
    preflight: table(
      ['check of the preflight', 'what it looks at'],
      PREFLIGHT_KINDS.map((kind) => [`[${kind.name}](PREFLIGHT.md#${anchor(kind.name)})`, kind.looksAt]),
    ),
    reads: table(
      ['permission', 'a role that has it'],
      [...new Map(Object.values(READS).map(({ permission, role }) => [permission, role]))]
        .filter(([permission]) => /^[a-zA-Z]+(\.[a-zA-Z]+)+$/.test(permission))
        .map(([permission, role]) => [name(permission), name(role)]),
    ),
    findings: sections(
      ...described.map((kind) => findingsOf(kind.name, kind.findings)),
      findingsOf('exceptions', EXCEPTION_FINDINGS),
    ),
  };
}

function findingsOf(check: string, findings: Readonly<Record<string, FindingTexts>>): string {
  return sections(
    `### ${check}`,
    table(
      ['finding', 'evidence and risk', 'fix and undo'],
      Object.entries(findings).map(([finding, { severity, what, why, fix, undo }]) => [
        `${name(finding)}, ${severity}`,
        withNames(`${what} ${why}`),
        `Fix: ${withNames(fix)}<br>Undo: ${withNames(undo ?? '')}`,
      ]),
    ),
  );
}

function anchor(check: string): string {
  return check.toLowerCase().replaceAll(' ', '-');
}

/** {project} as PROJECT, as in the commands of the documentation. */
function withNames(text: string): string {
  return text.replace(/\{([a-z_]+)\}/g, (_, fact: string) => fact.toUpperCase());
}
