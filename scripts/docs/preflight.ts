// The tables of docs/PREFLIGHT.md: every check of the preflight, and every finding with what fixes it.

import { CHECK_KINDS, TOKEN_KINDS } from '../../cli/preflight/checks.ts';
import { NEEDED, READS } from '../../cli/preflight/needed-permissions.ts';
import { type Blocks, name, sections, table } from './markdown.ts';

const KINDS = [...CHECK_KINDS, ...TOKEN_KINDS];

export function preflightTables(): Blocks {
  return {
    checks: table(
      ['check', 'what it looks at'],
      KINDS.map(({ name: check, looksAt }) => [`[${check}](#${check.toLowerCase().replaceAll(' ', '-')})`, looksAt]),
    ),
    permissions: table(
      ['role', 'projects', 'permissions of it that the apply needs'],
      NEEDED.map(({ role, in: kinds, with: setting, permissions }) => [
        name(role),
        `${kinds.join(', ')}${setting === undefined ? '' : `; with ${name(setting)}`}`,
        permissions.map(name).join(', '),
      ]),
    ),
    reads: table(
      ['permission by which this command looks', 'a role that has it', 'projects'],
      Object.values(READS).map(({ permission, role, in: kinds }) => [name(permission), name(role), kinds.join(', ')]),
    ),
    findings: sections(
      ...KINDS.map(({ name: check, findings }) =>
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
