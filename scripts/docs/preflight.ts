// The tables of docs/PREFLIGHT.md: every check of the preflight, and every finding with what fixes it.

import { CHECK_KINDS } from '../../cli/preflight/checks.ts';
import { type Blocks, name, sections, table } from './markdown.ts';

export function preflightTables(): Blocks {
  return {
    checks: table(
      ['check', 'what it looks at'],
      CHECK_KINDS.map(({ name: check, looksAt }) => [`[${check}](#${check.replaceAll(' ', '-')})`, looksAt]),
    ),
    findings: sections(
      ...CHECK_KINDS.map(({ name: check, findings }) =>
        sections(
          `### ${check}`,
          table(
            ['finding', 'what, and why it matters', 'what fixes it'],
            Object.entries(findings).map(([finding, { severity, what, why, fix }]) => [
              `${name(finding)}, ${severity}`,
              withNames(`${what} ${why}`),
              withNames(fix),
            ]),
          ),
        ),
      ),
    ),
  };
}

/** {project} as PROJECT, as in the commands of the documentation. */
function withNames(text: string): string {
  return text.replace(/\{([a-z_]+)\}/g, (_, fact: string) => fact.toUpperCase());
}
